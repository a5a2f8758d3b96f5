"""A search for settings: each run is chosen by what the ones before it scored (Optuna's tree-structured estimator)."""

from __future__ import annotations

import importlib
import math
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override

from hipseg.configuration import compose
from hipseg.errors import UsageError
from hipseg.training.config import TrainConfig
from hipseg.training.sweeps import SweptRun, attempt


def search(overrides: Sequence[str], num_trials: int) -> list[SweptRun]:
    """Trains `num_trials` runs, one after the other, and tries to raise the score of the best validation.

    Args:
        overrides: as for `hipseg train`; ranges are searched: "optimizer.lr=tag(log,interval(1e-4,1e-2))",
            "model=halfres_unet,monai_unet", "data.batch_size=range(8,25,8)".
        num_trials: runs.

    Returns:
        A line of the table for each. One that broke off, a rate too high among the causes, has no score.

    Raises:
        UsageError: Optuna is missing, or nothing is to be searched.
    """
    optuna = _optuna()
    parsed = OverridesParser.create().parse_overrides(list(overrides))
    searched = [override for override in parsed if override.is_sweep_override()]
    fixed = [str(override.input_line) for override in parsed if not override.is_sweep_override()]
    if not searched:
        raise UsageError("nothing to search", mend="optimizer.lr='tag(log,interval(1e-4,1e-2))' or model=one,other")
    base = compose("train", fixed, schema=TrainConfig)
    folder = Path(base.runs_dir) / base.name / time.strftime("search_%Y-%m-%d_%H-%M-%S")
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=base.seed))
    runs = []
    for number in range(num_trials):
        trial = study.ask()
        changes = [f"{override.get_key_element()}={_suggested(trial, override)}" for override in searched]
        runs.append(run := _run([*fixed, *changes], changes, folder / str(number)))
        if math.isnan(run.score):
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
        else:
            study.tell(trial, run.score)
    return runs


def _run(overrides: list[str], changes: list[str], folder: Path) -> SweptRun:
    try:
        config = compose("train", [*overrides, f"run_dir={folder}"], schema=TrainConfig)
    except UsageError as error:
        print(f"{' '.join(changes)}: {error}", file=sys.stderr)
        return SweptRun(tuple(changes), math.nan, 0, folder)
    return attempt(config, tuple(changes))


def _suggested(trial: Any, override: Override) -> object:
    key = override.get_key_element()
    if not override.is_interval_sweep():
        return trial.suggest_categorical(key, list(override.sweep_string_iterator()))
    interval: Any = override.value()
    return trial.suggest_float(key, interval.start, interval.end, log="log" in interval.tags)


def _optuna() -> Any:
    try:
        optuna = importlib.import_module("optuna")
    except ImportError as error:
        raise UsageError("a search needs Optuna", mend="pip install optuna") from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna
