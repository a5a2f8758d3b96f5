"""`hipseg benchmark intervals`: how often the intervals of `hipseg evaluate` hold the truth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def intervals(
    studies: Annotated[int, typer.Option(min=10, help="Invented studies for each figure.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Of the invented studies.")] = 0,
    figure: Annotated[Path | None, typer.Option(help="SVG file for the picture.")] = None,
) -> None:
    """Invent studies with a known truth and count whose 95 % intervals hold it; prints one JSON object."""
    from json import dumps

    from hipseg.evaluation.coverage import coverage_table
    from hipseg.evaluation.coverage_figure import coverage_svg
    from hipseg.io.writing import write_atomically

    rows = coverage_table(num_studies=studies, seed=seed)
    if figure is not None:
        write_atomically(figure, coverage_svg(rows).encode())
    typer.echo(dumps({"num_studies": studies, "seed": seed, "coverage": rows}, indent=2))
