"""Where a model comes from: its training data with their licences, its configuration, the figures measured on it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any

from omegaconf import DictConfig, OmegaConf

from hipseg.data.manifest import load_dataset
from hipseg.errors import SourceError, UsageError
from hipseg.runtime.models import sha256_of
from hipseg.training.curves import METRICS, read_csv

VALIDATION = "validation"
"""Under this name stand the figures of the training run itself, beside those of test sets."""

_SIMULATION = "SimulationSource"

_CIRCUMSTANCES = ("command", "request", "settings", "versions", "unused_predictions")
"""Of an evaluation: they name folders of the machine it ran on, and stay out of the model file."""
_DETAIL = ("calibration", "subgroups", "stability", "roc")
"""Curves and parts, several times as large as a small network: they stand in the evaluation's own report."""


def training_data(training: DictConfig, *, allow_unknown: bool = False) -> Iterator[dict[str, Any]]:
    """One entry a source of a run: name, number of cases, licence, attribution, source and a checksum of its cases.

    Args:
        training: the run's configuration.
        allow_unknown: mark a data set that is no longer there as unknown instead of refusing it.

    Raises:
        UsageError: a data set is not where the training found it.
    """
    for name, source in training.data.get("train", {}).items():
        if "root" in source:
            yield _disk_entry(str(name), Path(source.root), allow_unknown)
        elif str(source.get("_target_")).endswith(_SIMULATION):
            yield _entry(str(name), licence="Apache-2.0", attribution="simulated by hipseg while training")
        else:
            yield _entry(str(name), source=str(source.get("_target_")))


def _disk_entry(name: str, root: Path, allow_unknown: bool) -> dict[str, Any]:
    try:
        manifest, cases = load_dataset(root)
    except SourceError as error:
        if allow_unknown:
            return _entry(name)
        raise UsageError(
            f"data set '{name}' of the training cannot be read ({error.what})",
            where=root,
            expected="the training data, whose licences go into the card",
            mend="export from the folder the training was started in, or give allow_unknown_data=true",
        ) from error
    return _entry(
        manifest.name,
        num_cases=sum(case.split == "train" for case in cases),
        licence=manifest.licence or "not stated",
        attribution=manifest.attribution or "not stated",
        source=manifest.source,
        cases_sha256=sha256_of(root / "cases.jsonl"),
    )


def _entry(
    name: str,
    *,
    num_cases: int | None = None,
    licence: str = "unknown",
    attribution: str = "unknown",
    source: str = "",
    cases_sha256: str | None = None,
) -> dict[str, Any]:
    return {
        "name": name,
        "num_cases": num_cases,
        "licence": licence,
        "attribution": attribution,
        "source": source,
        "cases_sha256": cases_sha256,
    }


def portable_config(training: DictConfig) -> dict[str, Any]:
    """The run's configuration without the folders of the machine it ran on: of absolute paths, the last part."""
    config = _portable(OmegaConf.to_container(training, resolve=True))
    assert isinstance(config, dict)
    return config


def _portable(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _portable(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_portable(one) for one in value]
    is_absolute = isinstance(value, str) and PurePath(value).is_absolute()
    return PurePath(value).name if is_absolute else value


def figures(run: str | Path, step: int | None, metrics_files: Sequence[str]) -> dict[str, Any]:
    """What was measured: the run's validation at the exported step, and every test set that was evaluated.

    Args:
        run: run folder or checkpoint.
        step: of the exported weights; None takes the last.
        metrics_files: JSON files of `hipseg evaluate`.

    Raises:
        UsageError: a file cannot be read or holds no figures.
    """
    found: dict[str, Any] = {}
    validated = _validation(Path(run), step)
    if validated:
        found[VALIDATION] = validated
    for file in metrics_files:
        evaluated = _evaluated(Path(file))
        data = evaluated.pop("data")
        found[f"{data['name']} {data['split']}"] = evaluated
    return found


def _validation(run: Path, step: int | None) -> dict[str, Any]:
    """The run folder is the checkpoint's or the one above `checkpoints/`."""
    folders = (run, run.parent, run.parent.parent) if run.is_file() else (run, run.parent)
    rows = next((rows for folder in folders if (rows := read_csv(folder / METRICS))), [])
    steps = [int(row["step"]) for row in rows]
    wanted = step if step in steps else max(steps, default=None)
    return {
        row["figure"]: {"value": _finite(float(row["value"])), "n": int(row["n"])}
        for row, row_step in zip(rows, steps, strict=True)
        if row_step == wanted
    }


def _finite(value: float) -> float | None:
    return round(value, 4) if math.isfinite(value) else None


def _evaluated(file: Path) -> dict[str, Any]:
    expected = "a JSON file of 'hipseg evaluate'"
    try:
        content = json.loads(file.read_bytes())
    except OSError as error:
        raise UsageError(f"cannot be read ({(error.strerror or '').lower()})", where=file, expected=expected) from error
    except ValueError as error:
        raise UsageError("is not JSON", where=file, expected=expected) from error
    data = content.get("data") if isinstance(content, dict) else None
    if not isinstance(data, Mapping) or not {"name", "split"} <= data.keys():
        raise UsageError("holds no figures", where=file, expected=expected)
    return _without_detail({key: value for key, value in content.items() if key not in _CIRCUMSTANCES})


def _without_detail(content: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: _without_detail(value) if isinstance(value, Mapping) else value
        for key, value in content.items()
        if key not in _DETAIL
    }
