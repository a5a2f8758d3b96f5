"""`hipseg benchmark data`: how fast augmented samples reach a training."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def data(
    dataset: Annotated[
        Path | None, typer.Argument(help="Folder of a data set.", show_default="made of speckle, 480 x 640")
    ] = None,
    preset: Annotated[str, typer.Option(help="Augmentation, a name of configs/augment.")] = "strong",
    workers: Annotated[int, typer.Option(min=0, help="Processes.")] = 2,
    batches: Annotated[int, typer.Option(min=2, help="Of 16 frames, timed in each round.")] = 12,
    rounds: Annotated[int, typer.Option(min=1, help="The median counts.")] = 3,
    quick: Annotated[bool, typer.Option("--quick", help="One short round.")] = False,
) -> None:
    """Load and augment to 256 x 256, against MONAI, albumentations and TorchIO in turns; prints one JSON object."""
    from json import dumps

    from hipseg.data.presets import augment_preset
    from hipseg.evaluation.loading import measure_loading

    if quick:
        batches, rounds = min(batches, 10), 1
    figures = measure_loading(
        dataset, augment_preset(preset), num_workers=workers, num_batches=batches, num_rounds=rounds
    )
    typer.echo(dumps(figures, indent=2))
