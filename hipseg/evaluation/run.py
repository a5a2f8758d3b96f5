"""Evaluates a predictor on data with truth, over processes, and writes tables and figures."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track

from hipseg.data.manifest import SPLITS
from hipseg.data.reading import MANIFEST
from hipseg.errors import SourceError, UsageError
from hipseg.evaluation.aggregation import by_clip, by_patient
from hipseg.evaluation.examination import ExaminationSettings, Examiner, Rows
from hipseg.evaluation.inputs.clips import TRUTH, open_clips
from hipseg.evaluation.inputs.dataset import open_dataset
from hipseg.evaluation.inputs.item import Collection
from hipseg.evaluation.inputs.several import holds_datasets, open_datasets
from hipseg.evaluation.predictors.choice import PredictorChoice
from hipseg.evaluation.predictors.mask_folder import MaskFolder
from hipseg.evaluation.predictors.predictor import PredictorInfo
from hipseg.evaluation.results import Results, write_table
from hipseg.evaluation.summary import summarise, without_curves
from hipseg.guidance.config import GuidanceConfig
from hipseg.io import write_json
from hipseg.io.writing import output_errors
from hipseg.simulation.job import in_parallel
from hipseg.training.run_folder import versions

_PACKAGES = ("numpy", "scipy", "scikit-image", "pandas", "onnxruntime", "opencv-python-headless")


@dataclass(frozen=True)
class EvaluationRequest:
    """One run of `hipseg evaluate`.

    Attributes:
        data: a data set, a folder of data sets, or a folder of clips with truth.
        predictor: who is judged.
        split: of a data set; None takes "test". Clips have none.
        settings: how cases are judged.
        num_workers: processes; None takes the cores this process may use. Their number does not change the figures.
        has_pictures: the page shows the worst cases. Without, it holds no image of anybody.
        command: as it was typed, for the record.
    """

    data: Path
    predictor: PredictorChoice = field(default_factory=PredictorChoice)
    split: str | None = None
    settings: ExaminationSettings = field(default_factory=ExaminationSettings)
    num_workers: int | None = None
    has_pictures: bool = True
    command: str | None = None


def evaluate(request: EvaluationRequest) -> Results:
    """Measures every case, and what follows from the measures.

    Returns:
        Tables, and a record of the model, the data, what both were run with, and the figures of
        `summary.summarise`.

    Raises:
        UsageError: unknown split, no case in it, or an option that does not fit.
        SourceError: the data cannot be read, or no case at all can be judged.
        ModelError: the model cannot be loaded, or gives nonsense.
    """
    collection = open_data(request.data, request.split)
    predictor = request.predictor.open()
    rows = examine(collection, request.predictor, request.settings, num_workers=request.num_workers)
    results = Results.of_rows(rows.cases, rows.measures, rows.calibration)
    _refuse_nothing(results, request.data)
    unused = predictor.unused(collection.keys) if isinstance(predictor, MaskFolder) else []
    record = {
        **_provenance(request, collection, predictor.info, unused),
        **summarise(results, predictor.info.view_thresholds),
    }
    _tell(results, unused)
    return Results(results.cases, results.measures, results.calibration, record)


def open_data(data: Path, split: str | None) -> Collection:
    """A split of a data set or of a folder of data sets, or the clips with truth of a folder.

    Raises:
        UsageError: unknown split, no case in it, or a split of clips.
        SourceError: there is nothing to judge on, or it cannot be read.
    """
    if not (data / MANIFEST).exists() and any(data.glob(f"*{TRUTH}")):
        if split is not None:
            raise UsageError("clips belong to no split", where="--split", mend="leave it out")
        return open_clips(data)
    split = split or SPLITS[-1]
    if not (data / MANIFEST).exists() and holds_datasets(data):
        return open_datasets(data, split)
    return open_dataset(data, split)


def examine(
    collection: Collection,
    predictor: PredictorChoice,
    settings: ExaminationSettings,
    *,
    num_workers: int | None = None,
) -> Rows:
    """Judges every batch, over processes, and gathers their rows in order."""
    task = partial(_examine_batch, collection, predictor, settings)
    done = in_parallel(task, range(len(collection.batches)), num_workers or len(os.sched_getaffinity(0)))
    total = len(collection.batches)
    shown = track(done, description=collection.name, total=total, console=Console(file=sys.stderr))
    rows = Rows()
    for batch_rows in shown:
        rows.extend(batch_rows)
    return rows


def claim_output(out: Path) -> None:
    """Makes the folder that results will go to, before anything is computed for it. Raises OutputError."""
    folder = out.parent if out.suffix == ".json" else out
    with output_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)


def write_results(results: Results, out: Path, request: EvaluationRequest) -> None:
    """Writes figures as JSON when `out` ends in .json; else tables, figures and a page into the folder `out`.

    Raises:
        OutputError: the place cannot be written.
    """
    claim_output(out)
    if out.suffix == ".json":
        write_json(out, without_curves(results.record))
        return
    results.write(out)
    clips = by_clip(results)
    write_table(out / "clips", clips)
    write_table(out / "patients", by_patient(clips))
    _write_page(results, out, request)


def _write_page(results: Results, out: Path, request: EvaluationRequest) -> None:
    # The page brings matplotlib along, which figures alone do without.
    from hipseg.evaluation.report import write_report
    from hipseg.evaluation.report.pictures import Viewer

    viewer = None
    if request.has_pictures:
        viewer = Viewer(open_data(request.data, request.split).batches, request.predictor.open())
    write_report(results, out, viewer=viewer)


def _examine_batch(collection: Collection, predictor: PredictorChoice, settings: ExaminationSettings, k: int) -> Rows:
    """One batch, in whatever process."""
    return Examiner(predictor.open(), settings).examine(collection.batches[k])


def _refuse_nothing(results: Results, data: Path) -> None:
    if results.measured.empty:
        reason = results.excluded["status"].iloc[0]
        raise SourceError(f"none of {len(results.cases)} cases can be judged; the first: {reason}", where=data)


def _provenance(
    request: EvaluationRequest, collection: Collection, info: PredictorInfo, unused: Sequence[str]
) -> dict[str, Any]:
    return {
        "model": info.record(),
        "data": collection.record,
        "command": request.command,
        "request": _asked(request),
        "settings": {
            "guidance": _plain(request.settings.guidance),
            "tolerances_mm": dict(request.settings.tolerances_mm),
        },
        "versions": versions(_PACKAGES),
        "view_thresholds": info.view_thresholds,
        "unused_predictions": list(unused),
    }


def _plain(config: GuidanceConfig) -> dict[str, Any]:
    """The settings as JSON knows them, enumerations by their value."""
    plain: dict[str, Any] = json.loads(json.dumps(asdict(config), default=lambda member: member.value))
    return plain


def _asked(request: EvaluationRequest) -> dict[str, str | None]:
    """What was named, as it was named: `hipseg compare` finds the pictures again by it."""
    predictor = request.predictor
    named = {"data": request.data, "predictions": predictor.predictions, "mapping": predictor.mapping}
    paths = {name: None if path is None else str(path) for name, path in named.items()}
    return {**paths, "model": predictor.model, "split": request.split}


def _tell(results: Results, unused: Sequence[str]) -> None:
    """Exclusions and leftovers, on stderr: they stand in the record too."""
    for reason, count in results.excluded["status"].value_counts().sort_index().items():
        print(f"hipseg: {count} of {len(results.cases)} cases left out: {reason}", file=sys.stderr)
    if unused:
        print(f"hipseg: {len(unused)} predictions belong to no case, the first '{unused[0]}'", file=sys.stderr)
