"""`hipseg evaluate`: figures of an exported model on a data set."""

from __future__ import annotations

from pathlib import Path

import typer


def evaluate(
    data: Path = typer.Argument(..., help="Folder of the data set."),
    model: str = typer.Option("hip-first", help="Name on the shelf, or a model file."),
    split: str = typer.Option("test", help="train, val or test."),
    out: Path = typer.Option(..., help="JSON file for the figures."),
    threads: int | None = typer.Option(None, help="Threads of the model; default: the physical cores."),
) -> None:
    """Measure a model on one split of a data set and write the figures as JSON."""
    from hipseg.evaluation.run import evaluate_model

    evaluate_model(model=model, data=data, split=split, out=out, num_threads=threads)
