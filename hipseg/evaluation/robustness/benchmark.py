"""The benchmark from data to page."""

from __future__ import annotations

from pathlib import Path

from hipseg.evaluation.robustness.curves import curves_of, curves_record
from hipseg.evaluation.robustness.page import example_of, robustness_page, write_page
from hipseg.evaluation.robustness.run import RobustnessRequest, measure_robustness
from hipseg.training.run_folder import versions


def benchmark_robustness(request: RobustnessRequest, out: Path, command: str) -> Path:
    """Measures, and writes robustness.html and robustness.json.

    Args:
        request: what is measured.
        out: folder, made when it is missing.
        command: as it was typed.

    Returns:
        The page.

    Raises:
        UsageError, SourceError, ModelError: as `run.measure_robustness`.
        OutputError: the folder cannot be written.
    """
    scores, collection = measure_robustness(request)
    curves, predictor = curves_of(scores), request.predictor.open()
    origin = {
        "model": predictor.info.record(),
        "data": collection.record,
        "command": command,
        "versions": versions(("numpy", "opencv-python-headless", "onnxruntime")),
    }
    page = robustness_page(curves, request.corruptions, origin, example_of(collection.batches), predictor)
    record = {
        **origin,
        "seed": request.seed,
        "num_cases": int(scores["case"].nunique()),
        "grades": {each.name: {"unit": each.unit, "strengths": each.grades} for each in request.corruptions},
        "curves": curves_record(curves),
    }
    return write_page(page, out, record)
