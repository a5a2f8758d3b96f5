"""Several runs of one command: a table of what each changed and how it scored."""

from __future__ import annotations

import csv
import io
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from hipseg.io.writing import write_atomically
from hipseg.training.checkpoint import SWEEP_TABLE
from hipseg.training.run import train


@dataclass(frozen=True, slots=True)
class SweptRun:
    """One line of the table.

    Attributes:
        changed: what this run was told, "optimizer.lr=1e-3".
        score: of its best validation, NaN without one.
        steps: done.
        folder: of the run.
    """

    changed: tuple[str, ...]
    score: float
    steps: int
    folder: Path


def run_of_sweep(config: DictConfig) -> SweptRun:
    """Trains one run of a sweep, which Hydra has told its changes. Raises as `train`."""
    result = train(config)
    score = math.nan if result.best_score is None else result.best_score
    return SweptRun(tuple(HydraConfig.get().overrides.task), score, result.steps, result.folder)


def write_table(runs: Sequence[SweptRun]) -> Path:
    """Writes `results.csv` beside the run folders, best score first: a column for each setting that differs.

    Raises:
        OutputError: it cannot be written.
    """
    path = runs[0].folder.parent / SWEEP_TABLE
    text = io.StringIO()
    settings = varied(runs)
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*settings, "score", "steps", "run"])
    for run in ranked(runs):
        told = dict(change.split("=", 1) for change in run.changed)
        writer.writerow([*(told.get(name, "") for name in settings), f"{run.score:.4f}", run.steps, run.folder.name])
    write_atomically(path, text.getvalue().encode())
    return path


def table_lines(runs: Sequence[SweptRun]) -> list[str]:
    """For a reader: a line a run, best first, then mean and standard deviation, which folds are about."""
    settings = varied(runs)
    lines = []
    for run in ranked(runs):
        changes = [change for change in run.changed if change.split("=", 1)[0] in settings]
        lines.append(f"{run.score:.3f}  {' '.join(changes)}  {run.folder}")
    scores = [run.score for run in runs if not math.isnan(run.score)]
    if len(scores) > 1:
        lines.append(f"mean {statistics.mean(scores):.3f}, standard deviation {statistics.stdev(scores):.3f}")
    return lines


def ranked(runs: Sequence[SweptRun]) -> list[SweptRun]:
    """Best score first; runs without one last."""
    return sorted(runs, key=lambda run: -math.inf if math.isnan(run.score) else run.score, reverse=True)


def varied(runs: Sequence[SweptRun]) -> list[str]:
    """The settings that are not the same in all runs, in the order they were given."""
    changes = [change for run in runs for change in run.changed]
    return list(dict.fromkeys(each.split("=", 1)[0] for each in changes if changes.count(each) < len(runs)))
