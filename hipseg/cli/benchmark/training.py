"""`hipseg benchmark training`: our trainer and network against others', in the same minutes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

_QUICK: dict[str, Any] = {
    "minutes": 0.1,
    "grid_size": 64,
    "batch_size": 4,
    "num_validations": 2,
    "num_workers": 0,
    "most_cases": 16,
    "exported": False,
    "pace_steps": 8,
    "pace_rounds": 1,
}


def training(
    context: typer.Context,
    data: Annotated[Path, typer.Argument(help="A data set with training and validation cases.")],
    overrides: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Of hipseg train, for hipseg's side alone.")
    ] = None,
    minutes: Annotated[float, typer.Option(min=0.05, help="Of training for each.")] = 10.0,
    target_dice: Annotated[float, typer.Option(min=0, max=1, help="The time to reach it is told.")] = 0.5,
    grid_size: Annotated[int, typer.Option(min=32, help="Cells.")] = 256,
    batch_size: Annotated[int, typer.Option(min=2, help="Images a step.")] = 16,
    cases: Annotated[int | None, typer.Option(min=1, help="The first ones alone.", show_default="all")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Of PyTorch.", show_default="physical cores")] = None,
    workers: Annotated[int, typer.Option(min=0, help="Processes that prepare batches.")] = 1,
    seed: Annotated[int, typer.Option(help="Of weights and samples.")] = 0,
    nnunet_python: Annotated[
        Path | None, typer.Option(help="Python of an environment with nnunetv2; left out without.", show_default=False)
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Seconds, to see that it runs; no latency.")] = False,
    page: Annotated[Path | None, typer.Option(help="Write a page with plots, and its JSON beside it.")] = None,
) -> None:
    """Train hipseg, MONAI's UNet in MONAI's loop, an nnU-Net-shaped baseline and nnU-Net; prints one JSON object.

    Each gets the same cases and minutes. hipseg's trainer is held against a bare PyTorch loop on tensors in memory too.
    """
    from json import dumps

    from hipseg.cli.benchmark.latency import command_of
    from hipseg.evaluation.training.run import benchmark_training
    from hipseg.evaluation.training.setting import Setting

    chosen: dict[str, Any] = {
        "minutes": minutes,
        "grid_size": grid_size,
        "batch_size": batch_size,
        "most_cases": cases,
        "num_workers": workers,
    }
    setting = Setting(
        data=str(data),
        target_dice=target_dice,
        seed=seed,
        num_threads=threads,
        overrides=tuple(overrides or ()),
        nnunet_python=None if nnunet_python is None else str(nnunet_python),
        **(chosen | (_QUICK if quick else {})),
    )
    record = benchmark_training(setting, command_of(context))
    if page is not None:
        from hipseg.evaluation.training.page import training_page

        training_page(record).write(page, record)
    typer.echo(dumps(record, indent=2))
