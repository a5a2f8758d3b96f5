"""Evaluates a model file on a data set on disk and writes the figures down."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track

from hipseg.data.manifest import Case, load_dataset, read_image, read_labels
from hipseg.data.records import SPLITS
from hipseg.errors import UsageError, nearest_name
from hipseg.evaluation.cases import evaluate_cases
from hipseg.evaluation.segmentation import LabelsHW
from hipseg.evaluation.summary import summarise
from hipseg.frame import ImageHW
from hipseg.io import write_json
from hipseg.io.writing import output_errors
from hipseg.runtime.session import Session


def evaluate_model(*, model: str, data: Path, split: str, out: Path, num_threads: int | None = None) -> dict[str, Any]:
    """Measures a model and writes the figures.

    Args:
        model: name on the shelf, or path of a model file.
        data: root of a data set.
        split: "train", "val" or "test".
        out: JSON file, written atomically.
        num_threads: of the model; None takes the physical cores.

    Returns:
        What was written: the model, the data, and `evaluation.summary.summarise`.

    Raises:
        UsageError: unknown split, or no case in it.
        SourceError: the data set cannot be read.
        ModelError: the model cannot be loaded.
    """
    if split not in SPLITS:
        raise UsageError(f"no split '{split}'", where="--split", mend=nearest_name(split, SPLITS))
    manifest, cases = load_dataset(data)
    chosen = [case for case in cases if case.split == split]
    if not chosen:
        raise UsageError(f"no case in split '{split}'", where=data, mend="choose another split")
    with output_errors(out):
        out.parent.mkdir(parents=True, exist_ok=True)
    session = Session(model, num_threads=num_threads)
    try:
        shown = track(chosen, description=manifest.name, console=Console(file=sys.stderr))
        results = list(evaluate_cases(session, manifest, _loaded(data, shown)))
    finally:
        session.close()
    figures = {
        "model": {"name": session.contract.name, "version": session.contract.model_version},
        "data": {"name": manifest.name, "split": split},
        **summarise(results, session.contract.view_thresholds),
    }
    write_json(out, figures)
    return figures


def _loaded(root: Path, cases: Iterable[Case]) -> Iterator[tuple[Case, ImageHW, LabelsHW | None]]:
    for case in cases:
        yield case, read_image(root, case), read_labels(root, case)
