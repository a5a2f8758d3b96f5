"""`hipseg doctor`: is this installation whole?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import typer


def doctor(json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False) -> None:
    """Check this installation: versions, processors, models and their checksums, codecs.

    Leaves with 4 when a model on the shelf is not as it was released.
    """
    from json import dumps

    from hipseg.cli.installation import inspect_installation
    from hipseg.errors import ModelError

    report = inspect_installation()
    typer.echo(dumps(report, indent=2) if json else "\n".join(_lines(report)))
    broken = [model["name"] for model in report["models"] if model["state"] != "ok"]
    if broken:
        raise ModelError(
            f"{len(broken)} of {len(report['models'])} models are not as they were released: {', '.join(broken)}",
            mend="install or export them again",
        )


def _lines(report: dict[str, Any]) -> Iterator[str]:
    cpu, codecs, extra = report["cpu"], report["codecs"], report["training_extra"]
    yield f"hipseg {report['hipseg']}, Python {report['python']}, {report['platform']}"
    yield _entry("packages", ", ".join(f"{name} {_or_missing(found)}" for name, found in report["packages"].items()))
    yield _entry("providers", ", ".join(report["providers"]))
    quota = "no quota" if cpu["cgroup_quota"] is None else f"a quota of {cpu['cgroup_quota']:g}"
    yield _entry("processors", f"{cpu['physical_cores']} cores and {quota}: {cpu['threads']} threads")
    for model in report["models"]:
        yield _entry("model", f"{model['name']} {model['version'] or ''}: {model['state']}")
    if not report["models"]:
        yield _entry("model", "none on the shelf")
    missing = [name for name, decodes in codecs["dicom"].items() if not decodes]
    yield _entry("DICOM", f"without decoder: {', '.join(missing)}" if missing else f"all {len(codecs['dicom'])} decode")
    encoder, decoder = _or_missing(codecs["h264_encoder"]), _or_missing(codecs["h264_decoder"])
    yield _entry("H.264", f"encoder {encoder}, decoder {decoder}")
    for problem in report["problems"]:
        yield _entry("problem", problem)
    state = "complete" if extra["installed"] else f"not installed (missing: {', '.join(extra['missing'])})"
    yield _entry("training", state)


def _or_missing(found: str | None) -> str:
    return found or "MISSING"


def _entry(title: str, text: str) -> str:
    return f"  {title + ':':<12} {text}"
