"""`hipseg data split`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping


class Unit(StrEnum):
    """What is never parted."""

    PATIENT = "patient"
    DEVICE = "device"


def split(
    folder: Path = typer.Argument(help="Folder of a data set."),
    train: float = typer.Option(0.7, min=0, max=1, help="Share of the cases to train on."),
    val: float = typer.Option(0.15, min=0, max=1, help="Share to validate on."),
    test: float = typer.Option(0.15, min=0, max=1, help="Share to test on."),
    by: Unit = typer.Option(Unit.PATIENT, help="What is never parted: patients, or whole devices too."),
    folds: int | None = typer.Option(None, help="Lay out this many folds of all but the test split instead."),
    seed: int = typer.Option(0, help="Same seed, same splits."),
    workers: int = typer.Option(2, min=1, help="Processes."),
) -> None:
    """Split whole patients (or devices), stratified by classes and views; near-identical frames stay together.

    The records as they were are kept as cases.jsonl.before-split. With --folds the splits stay as they are and
    folds.json says which patients validate in which fold: train with data.fold=0, 1, ...
    """
    from hipseg.cli.data.progress import progress_on_stderr
    from hipseg.data.checks import check_dataset
    from hipseg.data.splitting import lay_out_folds, split_dataset

    with progress_on_stderr(f"looking at {folder.name}") as progress:
        report = check_dataset(folder, num_workers=workers, progress=progress)
    if folds is not None:
        _tell(lay_out_folds(report, folds, seed=seed), "fold ")
        return
    shares = {"train": train, "val": val, "test": test}
    _tell(split_dataset(report, shares, by_device=by is Unit.DEVICE, seed=seed), "")


def _tell(counts: Mapping[str, int], what: str) -> None:
    typer.echo(", ".join(f"{what}{name}: {count}" for name, count in counts.items()) + " cases")
