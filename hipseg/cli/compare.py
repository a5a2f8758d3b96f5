"""`hipseg compare`: evaluations of the same cases against each other."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer


def compare(
    context: typer.Context,
    entries: Annotated[
        list[str],
        typer.Argument(metavar="A B [C]...", help="Folders of 'hipseg evaluate', models or folders of masks; A first."),
    ],
    out: Annotated[Path, typer.Option(help="Folder for compare.html and compare.json.")],
    data: Annotated[Path | None, typer.Option(help="Data set or clips, for models and for pictures.")] = None,
    split: Annotated[str | None, typer.Option(help="train, val or test.", show_default="test")] = None,
    mapping: Annotated[Path | None, typer.Option(help="YAML file that explains foreign models and masks.")] = None,
    metric: Annotated[str, typer.Option(help="That plots and the choice of cases go by.")] = "dice",
    workers: Annotated[int | None, typer.Option(min=1, help="Processes.", show_default="all cores")] = None,
) -> None:
    """Compare models with a baseline, paired by case, patient by patient."""
    from hipseg.evaluation.compare.run import CompareRequest
    from hipseg.evaluation.compare.run import compare as run

    page = run(CompareRequest(entries, out, data, split, mapping, metric, workers, _command(context.params)))
    typer.echo(f"{page}: {len(entries) - 1} against {entries[0]}")


def _command(values: Mapping[str, Any]) -> str:
    """The command line that gives the same page again."""
    words = ["hipseg", "compare", *values["entries"]]
    for name in ("data", "split", "mapping", "metric", "out"):
        if values[name] is not None:
            words += [f"--{name}", str(values[name])]
    return shlex.join(words)
