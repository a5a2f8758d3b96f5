"""Several runs of one command: a table of what each changed and how it scored."""

from __future__ import annotations

import csv
import io
import json
import math
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from hipseg.errors import HipsegError
from hipseg.io import write_json
from hipseg.io.writing import write_atomically
from hipseg.training.checkpoint import SWEEP_TABLE
from hipseg.training.run import train

_ENDED = "ended.json"


@dataclass(frozen=True, slots=True)
class SweptRun:
    """One line of the table.

    Attributes:
        changed: what this run was told, "optimizer.lr=1e-3".
        score: of its best validation, NaN without one.
        steps: done, 0 of a run that broke off.
        folder: of the run.
    """

    changed: tuple[str, ...]
    score: float
    steps: int
    folder: Path


def run_of_sweep(config: DictConfig) -> SweptRun:
    """Trains one run of a sweep, which Hydra has told its changes; see `attempt`."""
    return attempt(config, tuple(HydraConfig.get().overrides.task))


def attempt(config: DictConfig, changed: tuple[str, ...]) -> SweptRun:
    """Trains one of several runs, and writes the table of those that have ended: what befalls the next cannot undo it.

    A run that breaks off, for whatever reason, says so and has no score; the others go on.

    Args:
        config: with a `run_dir` beside those of the other runs.
        changed: what this run was told.
    """
    folder = Path(config.run_dir)
    try:
        result = train(config)
    except Exception as error:
        reason = str(error) if isinstance(error, HipsegError) else f"{type(error).__name__}: {error}"
        print(f"{' '.join(changed)}: {' '.join(reason.split())}", file=sys.stderr, flush=True)
        run = SweptRun(changed, math.nan, 0, folder)
    else:
        score = math.nan if result.best_score is None else result.best_score
        run = SweptRun(changed, score, result.steps, folder)
    score_told = None if math.isnan(run.score) else run.score
    write_json(folder / _ENDED, {"changed": list(changed), "score": score_told, "steps": run.steps})
    write_table(ended_runs(folder.parent))
    return run


def ended_runs(sweep: Path) -> list[SweptRun]:
    """The runs under a sweep's folder that have ended, well or not, in the order of their names."""
    runs = []
    for file in sorted(sweep.glob(f"*/{_ENDED}")):
        told = json.loads(file.read_bytes())
        score = math.nan if told["score"] is None else float(told["score"])
        runs.append(SweptRun(tuple(told["changed"]), score, int(told["steps"]), file.parent))
    return runs


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
