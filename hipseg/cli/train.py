"""The verb `hipseg train`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hipseg.errors import UsageError

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
    info: Annotated[bool, typer.Option("--info", help="Print the configuration and what the run will cost.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="One training step and one validation batch.")] = False,
    overfit: Annotated[bool, typer.Option("--overfit", help="See whether it can learn one batch by heart.")] = False,
    find_lr: Annotated[bool, typer.Option("--find-lr", help="Look for the learning rate.")] = False,
    search: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="N runs within ranges, each chosen by those before.")
    ] = None,
) -> None:
    """Train a network.

    Presets: experiment=demo (minutes), experiment=hip_fast (the released model), experiment=smoke (two steps).
    A stopped run goes on with resume=RUN_FOLDER, exactly as if it had not stopped.
    --info, --dry-run, --overfit and --find-lr train a little and leave nothing behind.
    """
    from hipseg.configuration import to_yaml

    trial = _chosen_trial(
        multirun=multirun, search=bool(search), cfg=cfg, info=info, dry_run=dry_run, overfit=overfit, find_lr=find_lr
    )
    if multirun or search:
        _sweep(overrides or [], search)
        return
    config = configured(overrides or [])
    if cfg:
        typer.echo(to_yaml(config), nl=False)
        return
    task = _TRIALS.get(trial, run_and_tell)
    task(config)


def _sweep(overrides: list[str], num_trials: int | None) -> None:
    from hipseg.configuration import sweep
    from hipseg.training.config import TrainConfig
    from hipseg.training.search import search
    from hipseg.training.sweeps import run_of_sweep, table_lines, write_table

    if num_trials is None:
        runs = sweep("train", run_of_sweep, overrides, schema=TrainConfig)
    else:
        runs = search(overrides, num_trials)
    typer.echo("\n".join(table_lines(runs)))
    typer.echo(write_table(runs))
    if all(run.steps == 0 for run in runs):
        raise UsageError("every run broke off", mend="train one of them alone")


def _chosen_trial(**flags: bool) -> str:
    chosen = [name for name, is_set in flags.items() if is_set]
    if len(chosen) > 1:
        shown = " and ".join("--" + name.replace("_", "-") for name in chosen)
        raise UsageError(f"{shown} exclude each other")
    return chosen[0] if chosen else ""


def _tell_cost(config: DictConfig) -> None:
    from hipseg.configuration import to_yaml
    from hipseg.training.forecast import forecast

    typer.echo(to_yaml(config))
    typer.echo("\n".join(forecast(config).lines()))


def _dry_run(config: DictConfig) -> None:
    from hipseg.training.trials import dry_run

    typer.echo(dry_run(config))


def _overfit(config: DictConfig) -> None:
    from hipseg.training.trials import overfit

    result = overfit(config)
    if not result.has_learned:
        raise UsageError(str(result), mend="look at --find-lr, the loss and the labels")
    typer.echo(str(result))


def _find_rate(config: DictConfig) -> None:
    from hipseg.training.trials import find_rate

    rate, curve = find_rate(config)
    for each, loss in curve[:: max(len(curve) // 20, 1)]:
        typer.echo(f"lr {each:8.2e}  loss {loss:.3f}")
    typer.echo("the loss never fell" if rate is None else f"steepest at optimizer.lr={rate:.1e}")


_TRIALS = {"info": _tell_cost, "dry_run": _dry_run, "overfit": _overfit, "find_lr": _find_rate}


def configured(overrides: list[str]) -> DictConfig:
    """A new run's configuration, or a stopped run's own when one of the overrides is `resume=`."""
    from hipseg.configuration import compose
    from hipseg.training.config import TrainConfig

    resumed = [override.removeprefix(_RESUME) for override in overrides if override.startswith(_RESUME)]
    if not resumed or resumed[-1] in ("", "null"):
        return compose("train", overrides, schema=TrainConfig)
    from hipseg.training.run import resumed_config

    return resumed_config(resumed[-1], [override for override in overrides if not override.startswith(_RESUME)])


def run_and_tell(config: DictConfig) -> None:
    """Trains and prints where the results lie."""
    from hipseg.training.run import train as run

    result = run(config)
    score = "" if result.best_score is None else f", best score {result.best_score:.3f}"
    if result.is_first_process:
        typer.echo(f"{result.folder}: {result.steps} steps{score}; see {result.folder / 'summary.html'}")
