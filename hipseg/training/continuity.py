"""What is no longer as it was when a run began, and so keeps it from going on as if it had never stopped."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningDataModule

from hipseg.training.data_record import data_record
from hipseg.training.run_folder import RunFolder, versions


def differences(folder: RunFolder, data: LightningDataModule) -> list[str]:
    """A sentence for each kind of thing that has changed; none of it keeps the run from going on.

    Args:
        folder: of the run that goes on.
        data: set up for training.
    """
    begun, now = _read(folder.versions), versions()
    others = [f"{name} {begun[name]} (now {now.get(name)})" for name in begun if now.get(name) != begun[name]]
    told = [f"begun with {', '.join(others)}: the losses may differ in their last digits"] if others else []
    sets, known = dict(_checksums(_read(folder.data))), dict(_checksums(data_record(data)))
    changed = sorted(name for name in sets.keys() | known.keys() if sets.get(name) != known.get(name))
    if sets and changed:
        told.append(f"not the data it began with: {', '.join(changed)}; it goes on with other samples")
    return told


def _checksums(record: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Of every data set, by its use. Where it lies does not matter."""
    for name, data_set in record.get("train", {}).items():
        yield f"training data '{name}'", str(data_set.get("cases_sha256"))
    for number, data_set in enumerate(record.get("validation", []), start=1):
        yield f"validation data {number} '{data_set['name']}'", data_set["cases_sha256"]


def _read(file: Path) -> dict[str, Any]:
    """Empty for a run that kept no such record, or one that cannot be read."""
    try:
        record = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}
