"""`hipseg benchmark simulator`: how far simulated pictures are from real ones, and how fast they are made."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def simulator(
    real: Annotated[Path, typer.Option(help="Data set of real transverse pictures, or the published femoral images.")],
    unlabelled: Annotated[Path | None, typer.Option(help="Folder of more real pictures without labels.")] = None,
    out: Annotated[Path | None, typer.Option(help="Page to write (.html); figures go beside it (.json).")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Fewer patches and frames, no network on pictures.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of all chance.")] = 0,
    workers: Annotated[int, typer.Option(min=1, help="Processes of the speed measurement.")] = 2,
) -> None:
    """Compare simulated with real ultrasound: figures, classifiers that try to tell them apart, speed.

    Prints one JSON object. The same seed gives the same figures, but for speed and memory.
    """
    from json import dumps

    from hipseg.evaluation.fidelity.benchmark import Settings, measure_fidelity
    from hipseg.evaluation.fidelity.page import fidelity_page

    found = measure_fidelity(Settings(real, unlabelled, quick, seed, workers))
    figures = found.to_dict()
    if out is not None:
        command = f"hipseg benchmark simulator --real {real.name} --seed {seed}{' --quick' if quick else ''}"
        fidelity_page(found, command).write(out, figures)
    typer.echo(dumps(figures, indent=2))
