"""`hipseg benchmark ablation`: what each part of the training is worth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_SOME_FAILED = 1


def ablation(
    datasets: Annotated[Path, typer.Argument(help="Folder of the data sets femoral, vessels, muscle, simulated, ...")],
    keys: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Of every training, e.g. trainer.max_steps=600")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for runs, models, figures and the table.")] = ...,  # type: ignore[assignment]
    only: Annotated[list[str] | None, typer.Option(help="A variant by name; may be given often.")] = None,
    split: Annotated[str, typer.Option(help="val to choose by; test once, when all is chosen.")] = "val",
) -> None:
    """Train, export and evaluate each preset of configs/experiment/ablation, and print one table.

    A stopped call goes on where it stopped. A variant that fails leaves the others running; then the exit code is 1.
    """
    from hipseg.evaluation.ablation.run import run_variants
    from hipseg.evaluation.ablation.table import markdown, rows_of
    from hipseg.evaluation.ablation.variants import find_variants
    from hipseg.evaluation.run import claim_output
    from hipseg.io import write_json
    from hipseg.io.writing import write_atomically

    variants = find_variants(only or [])
    claim_output(out)
    failures = run_variants(variants, datasets, out, split=split, overrides=keys or [])
    rows = rows_of(variants, out, split)
    table = markdown(rows, failures)
    write_json(out / f"ablation_{split}.json", {"split": split, "rows": rows, "failures": dict(failures)})
    write_atomically(out / f"ablation_{split}.md", table.encode())
    typer.echo(table, nl=False)
    if failures:
        raise typer.Exit(_SOME_FAILED)
