"""`hipseg data import` and `hipseg data list`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from hipseg.data.importers.recipe import SplitCount


def import_(
    recipe: str = typer.Argument(help="Name of a recipe (femoral, vessels, muscle), or the path of a YAML file."),
    source: Path = typer.Option(help="Folder of the images and annotations."),
    out: Path = typer.Option(help="Folder of the new data set."),
    overwrite: bool = typer.Option(False, "--overwrite", help="Replace a data set that is already there."),
) -> None:
    """Turn annotated images into a data set; an interrupted import goes on where it stopped."""
    from hipseg.configuration import config_folder
    from hipseg.data.importers.recipe import import_dataset, load_recipe

    chosen = load_recipe(recipe, config_folder() / "data" / "recipes")
    with typer.progressbar(length=1, label=f"importing {chosen.name}", file=_stderr()) as bar:

        def show(done: int, total: int) -> None:
            bar.length = total
            bar.update(done - bar.pos)

        counts = import_dataset(chosen, source, out, overwrite=overwrite, progress=show)
    _print_counts(counts)


def list_(folder: Path = typer.Argument(help="Folder of a data set.")) -> None:
    """Show how many images and persons each split holds, and how many images show each class."""
    from hipseg.data.importers.recipe import count_dataset

    _print_counts(count_dataset(folder))


def _print_counts(counts: dict[str, SplitCount]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("", *counts)
    table.add_row("images", *(str(count.num_cases) for count in counts.values()))
    table.add_row("persons or groups", *(str(count.num_patients) for count in counts.values()))
    for name in dict.fromkeys(name for count in counts.values() for name in count.num_with_class):
        table.add_row(name.replace("_", " "), *(str(count.num_with_class.get(name, 0)) for count in counts.values()))
    Console().print(table)


def _stderr() -> typer.FileText:
    return typer.get_text_stream("stderr")  # type: ignore[return-value]
