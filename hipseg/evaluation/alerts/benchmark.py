"""The benchmark from scenarios to page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

from hipseg.evaluation.alerts.figures import figures_of
from hipseg.evaluation.alerts.judge import judge
from hipseg.evaluation.alerts.kept import kept_case
from hipseg.evaluation.alerts.page import alerts_page
from hipseg.evaluation.alerts.play import AlertJob
from hipseg.simulation.job import in_parallel
from hipseg.training.run_folder import versions


def benchmark_alerts(
    job: AlertJob,
    num_cases: int,
    out: Path,
    command: str,
    *,
    workers: int = 1,
    told: Callable[[int], None] | None = None,
) -> Path:
    """Plays, judges, and writes alerts.html and alerts.json.

    Procedures that were played before are read again: a run that was stopped goes on where it was.

    Args:
        job: what is played.
        num_cases: procedures.
        out: folder, made when it is missing; it keeps the procedures.
        command: as it was typed.
        workers: processes; their number changes no figure.
        told: called with the number of procedures done.

    Returns:
        The page.

    Raises:
        UsageError, ModelError: a scenario or model that does not exist.
        OutputError: the folder cannot be written.
    """
    played = []
    for case in in_parallel(partial(kept_case, job, out / "procedures"), range(num_cases), workers):
        played.append(case)
        if told is not None:
            told(len(played))
    judged = {eye: [judge(case, eye) for case in played] for eye in job.eyes}
    record = {
        "command": command,
        "seed": job.seed,
        "versions": versions(("numpy", "opencv-python-headless", "onnxruntime")),
        "scenarios": dict(Counter(case.scenario for case in played)),
        "eyes": {eye: figures_of(played, verdicts, eye) for eye, verdicts in judged.items()},
    }
    page = alerts_page(played, judged, record)
    path = out / "alerts.html"
    out.mkdir(parents=True, exist_ok=True)
    page.write(path, record)
    return path
