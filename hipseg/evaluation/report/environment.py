"""Where figures come from: models, data, software and commands, on every page that shows figures."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from hipseg.pages import Page

_DIGITS = 12


def add_environment(page: Page, records: Mapping[str, Mapping[str, Any]]) -> None:
    """A section with the origin of one or more evaluations.

    Args:
        page: gets the section.
        records: `Results.record` by the name of the evaluation.
    """
    section = page.section("Environment", "The same commands on the same files give the same figures to the digit.")
    for name, record in records.items():
        section.table(["what", "which"], _rows(record), name)
        settings = record.get("settings")
        if settings:
            section.preformatted(f"Settings of {name}", json.dumps(settings, indent=2, sort_keys=True))


def short_checksum(sha256: str | None) -> str | None:
    """Enough digits to tell files apart by eye."""
    return None if sha256 is None else f"{sha256[:_DIGITS]}..."


def _rows(record: Mapping[str, Any]) -> list[list[object]]:
    model, data, versions = (record.get(key) or {} for key in ("model", "data", "versions"))
    checksum = data.get("cases_sha256") or data.get("truth_sha256")
    parts = [f"{package} {version}" for package, version in versions.items() if package not in ("commit", "platform")]
    rows: list[tuple[str, object]] = [
        ("model", " ".join(str(part) for part in (model.get("name"), model.get("version")) if part)),
        ("model's sha256", short_checksum(model.get("sha256"))),
        ("data", " ".join(str(part) for part in (data.get("name"), data.get("split")) if part)),
        ("data's sha256", short_checksum(checksum)),
        ("commit", versions.get("commit")),
        ("software", ", ".join(parts) or None),
        ("platform", versions.get("platform")),
        ("command", record.get("command")),
    ]
    return [[what, which] for what, which in rows if which]
