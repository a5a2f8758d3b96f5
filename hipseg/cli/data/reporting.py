"""`hipseg data report`."""

from __future__ import annotations

import shlex
from pathlib import Path

import typer


def report(
    folder: Path = typer.Argument(help="Folder of a data set."),
    out: Path = typer.Option(Path("data_report.html"), help="The page; its figures go beside it as JSON."),
    preset: str = typer.Option("strong", help="Augmentation shown, a name of configs/augment."),
    pictures: int = typer.Option(36, min=1, max=500, help="Of the contact sheet."),
    seed: int = typer.Option(0, min=0, help="Of the pictures chosen."),
    workers: int = typer.Option(2, min=1, help="Processes."),
) -> None:
    """Describe a data set on one page: classes, sizes, depths, scale, brightness, splits, pictures with masks."""
    from hipseg.cli.data.progress import progress_on_stderr
    from hipseg.data.augment import AugmentConfig
    from hipseg.data.checks import check_dataset
    from hipseg.data.presets import augment_preset
    from hipseg.evaluation.dataset_report import write_report

    config = AugmentConfig.from_mapping(augment_preset(preset))
    with progress_on_stderr(f"looking at {folder.name}") as progress:
        found = check_dataset(folder, num_workers=workers, progress=progress)
    command = shlex.join(
        ["hipseg", "data", "report", str(folder), "--preset", preset, "--seed", str(seed), "--out", str(out)]
    )
    write_report(found, out, config, num_pictures=pictures, seed=seed, command=command)
    typer.echo(str(out))
