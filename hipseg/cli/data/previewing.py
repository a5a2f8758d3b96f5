"""`hipseg data preview`."""

from __future__ import annotations

import shlex
from pathlib import Path

import typer


def preview(
    folder: Path = typer.Argument(help="Folder of a data set."),
    out: Path = typer.Option(Path("preview.html"), help="The page."),
    preset: str = typer.Option("strong", help="Augmentation, a name of configs/augment."),
    split: str = typer.Option("train", help="Whose cases: train, val or test."),
    cases: int = typer.Option(3, min=1, max=50, help="How many, spread over the split."),
    seed: int = typer.Option(0, min=0, help="Of the draws."),
) -> None:
    """Show each part of the augmentation alone and all together, with masks and landmarks, on one page."""
    from hipseg.data.augment import AugmentConfig
    from hipseg.data.presets import augment_preset
    from hipseg.data.preview import write_preview

    command = shlex.join(
        ["hipseg", "data", "preview", str(folder), "--preset", preset, "--seed", str(seed), "--out", str(out)]
    )
    config = AugmentConfig.from_mapping(augment_preset(preset))
    write_preview(folder, out, config, preset=preset, split=split, num_cases=cases, seed=seed, command=command)
    typer.echo(str(out))
