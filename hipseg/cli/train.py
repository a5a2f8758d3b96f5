"""The verb `hipseg train`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from omegaconf import DictConfig

_RESUME = "resume="


def train(
    overrides: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KEY=VALUE]...", help="Settings, e.g. model=monai_unet optimizer.lr=1e-3"),
    ] = None,
    multirun: Annotated[bool, typer.Option("--multirun", "-m", help="Sweep over comma-separated values.")] = False,
    cfg: Annotated[bool, typer.Option("--cfg", help="Print the composed configuration and do nothing.")] = False,
) -> None:
    """Train a network.

    Presets: experiment=demo (minutes), experiment=hip_first (the released model), experiment=smoke (two steps).
    A stopped run goes on with resume=RUN_FOLDER, exactly as if it had not stopped.
    """
    from hipseg.configuration import sweep, to_yaml
    from hipseg.training.config import TrainConfig

    if multirun:
        sweep("train", run_and_tell, overrides or [], schema=TrainConfig)
        return
    config = configured(overrides or [])
    if cfg:
        typer.echo(to_yaml(config), nl=False)
    else:
        run_and_tell(config)


def configured(overrides: list[str]) -> DictConfig:
    """A new run's configuration, or a stopped run's own when one of the overrides is `resume=`."""
    from hipseg.configuration import compose
    from hipseg.training.config import TrainConfig

    resumed = [override.removeprefix(_RESUME) for override in overrides if override.startswith(_RESUME)]
    if not resumed or resumed[-1] in ("", "null"):
        return compose("train", overrides, schema=TrainConfig)
    from hipseg.training.run import resumed_config

    return resumed_config(resumed[-1], [override for override in overrides if not override.startswith(_RESUME)])


def run_and_tell(config: DictConfig) -> float | None:
    """Trains and prints where the results lie. Returns the best score, which sweeps compare."""
    from hipseg.training.run import train as run

    result = run(config)
    score = "" if result.best_score is None else f", best score {result.best_score:.3f}"
    typer.echo(f"{result.folder}: {result.steps} steps{score}; see {result.folder / 'summary.html'}")
    return result.best_score
