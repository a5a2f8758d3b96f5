"""`hipseg data import` and `hipseg data list`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from hipseg.anatomy import CLASS_NAMES
from hipseg.cli.data.progress import progress_on_stderr
from hipseg.errors import SourceError, UsageError

if TYPE_CHECKING:
    from hipseg.data.importers.exports import ExportOptions, Inspection
    from hipseg.data.importers.intake import Intake
    from hipseg.data.importers.recipe import SplitCount


def import_(
    what: str = typer.Argument(help="Folder or zip file of an annotation tool's export; or a recipe, with --source."),
    out: Path | None = typer.Option(None, help="Folder of the new data set."),
    source: Path | None = typer.Option(None, help="Folder a recipe reads."),
    recipe: str | None = typer.Option(None, help="Recipe (femoral, vessels, ...) or path of a YAML file of one."),
    format_: str = typer.Option("auto", "--format", help="Of the export: " + "coco, cvat-video, ...; else looked for."),
    mapping: Path | None = typer.Option(None, help="YAML file: which label is which structure."),
    dry_run: bool = typer.Option(
        False, "--dry-run", help="Write nothing: count, propose a mapping, show what would come."
    ),
    mapping_out: Path | None = typer.Option(None, help="Where --dry-run writes its mapping; else on stdout."),
    patient: str | None = typer.Option(
        None, help="Regular expression: its first group is the person in a file's name."
    ),
    shares: str = typer.Option("0.7,0.1,0.2", help="Parts of train, val and test, by whole persons."),
    seed: int = typer.Option(0, help="Of the split."),
    name: str | None = typer.Option(None, help="Of the data set; else the source's."),
    licence: str = typer.Option("", help="Of the images; goes into the manifest and into models' cards."),
    attribution: str = typer.Option("", help="Whom to name; likewise."),
    overwrite: bool = typer.Option(False, "--overwrite", help="Replace a data set that is already there."),
) -> None:
    """Turn annotated images and clips into a data set; an interrupted import goes on where it stopped.

    Broken cases are refused one by one and listed at the end (exit code 3); the others come in.
    """
    if recipe is not None or source is not None:
        folder = Path(what) if source is None else source
        _import_by_recipe(recipe or what, folder, _required(out), overwrite=overwrite)
        return
    from hipseg.data.importers.exports import ExportOptions

    options = ExportOptions(
        format_name=format_,
        mapping_path=mapping,
        patient_pattern=_pattern(patient),
        shares=_shares(shares),
        seed=seed,
        name=name,
        licence=licence,
        attribution=attribution,
        overwrite=overwrite,
    )
    if dry_run:
        _inspect(_existing(what), options, mapping_out)
    else:
        _import_export(_existing(what), _required(out), options)


def list_(folder: Path = typer.Argument(help="Folder of a data set.")) -> None:
    """Show how many images and persons each split holds, and how many images show each class."""
    from hipseg.data.importers.recipe import count_dataset

    _print_counts(count_dataset(folder))


def _required(out: Path | None) -> Path:
    if out is None:
        raise UsageError("is missing", where="--out", expected="the folder of the new data set")
    return out


def _existing(what: str) -> Path:
    if Path(what).exists():
        return Path(what)
    raise SourceError("does not exist", where=what, mend="check the path; a recipe needs --source as well")


def _pattern(text: str | None) -> str | None:
    try:
        has_group = text is None or re.compile(text).groups > 0
    except re.error as error:
        raise UsageError(f"is '{text}' ({error})", where="--patient", expected="a regular expression") from error
    if not has_group:
        raise UsageError(f"'{text}' has no group", where="--patient", expected="a group such as in '^([^_]+)_'")
    return text


def _shares(text: str) -> dict[str, float]:
    try:
        train, val, test = (float(part) for part in text.split(","))
    except ValueError as error:
        raise UsageError(f"is '{text}'", where="--shares", expected="three parts such as 0.7,0.1,0.2") from error
    return {"train": train, "val": val, "test": test}


def _import_by_recipe(recipe: str, source: Path, out: Path, *, overwrite: bool) -> None:
    from hipseg.configuration import config_folder
    from hipseg.data.importers.recipe import import_dataset, load_recipe

    chosen = load_recipe(recipe, config_folder() / "data" / "recipes")
    with progress_on_stderr(f"importing {chosen.name}") as show:
        intake = import_dataset(chosen, source, out, overwrite=overwrite, progress=show)
    _tell(intake, source, out, by_recipe=True)


def _import_export(source: Path, out: Path, options: ExportOptions) -> None:
    from hipseg.data.importers.exports import import_export

    with progress_on_stderr(f"importing {source.name}") as show:
        intake = import_export(source, out, options, progress=show)
    _tell(intake, source, out)


def _tell(intake: Intake, source: Path, out: Path, *, by_recipe: bool = False) -> None:
    """Counts on stdout, then what did not come in; raises SourceError when that is anything."""
    from hipseg.data.importers.intake import REPORT
    from hipseg.data.importers.recipe import count_dataset

    counts = count_dataset(out)
    _print_counts(counts)
    if sum(count.num_patients for count in counts.values()) == 1 and not by_recipe:
        typer.echo("All cases count as one person's. Say who is who with --patient.", err=True)
    if intake.num_left_out:
        typer.echo(f"{intake.num_left_out} images without annotation were left out, as the mapping says.", err=True)
    if intake.overlapping:
        typer.echo(f"In {len(intake.overlapping)} cases structures overlap: the later drawn lies on top.", err=True)
    for refusal in intake.refused:
        typer.echo(f"refused: {refusal.case}: {refusal.reason}", err=True)
    if intake.refused:
        what = f"{len(intake.refused)} refused, {intake.num_cases} came in"
        raise SourceError(what, where=source, mend=f"the list above also stands in {out / REPORT}")


def _inspect(source: Path, options: ExportOptions, mapping_out: Path | None) -> None:
    from hipseg.data.importers.exports import inspect_export
    from hipseg.io.writing import write_atomically

    inspection = inspect_export(source, options)
    _print_inspection(inspection)
    if mapping_out is None:
        typer.echo(inspection.mapping_text, nl=False)
    else:
        write_atomically(mapping_out, inspection.mapping_text.encode())
        typer.echo(f"mapping written to {mapping_out}", err=True)
    for refusal in inspection.refused:
        typer.echo(f"would be refused: {refusal.case}: {refusal.reason}", err=True)
    if inspection.refused:
        raise SourceError(f"{len(inspection.refused)} would be refused", where=source, mend="they are listed above")


def _print_inspection(inspection: Inspection) -> None:
    """The table of what would come, on stderr: stdout is the mapping."""
    from rich.console import Console
    from rich.table import Table

    table = Table(
        "label", "images", "shapes", "becomes", "why", title=f"{inspection.format_name}: {inspection.summary}"
    )
    for row in inspection.rows:
        table.add_row(row.label, str(row.num_cases), str(row.num_shapes), row.becomes, row.reason)
    Console(stderr=True).print(table)


def _print_counts(counts: dict[str, SplitCount]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("", *counts)
    table.add_row("images", *(str(count.num_cases) for count in counts.values()))
    table.add_row("persons or groups", *(str(count.num_patients) for count in counts.values()))
    shown = {name for count in counts.values() for name in (*count.num_with_class, *count.num_unsure)}
    for name in (name for name in CLASS_NAMES if name in shown):
        table.add_row(name.replace("_", " "), *(_with_unsure(count, name) for count in counts.values()))
    Console().print(table)


def _with_unsure(count: SplitCount, name: str) -> str:
    """How many images show a class, and in how many more it was drawn and doubted."""
    doubted = count.num_unsure.get(name, 0)
    return f"{count.num_with_class.get(name, 0)}" + (f" + {doubted} unsure" if doubted else "")
