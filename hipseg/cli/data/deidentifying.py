"""`hipseg data deidentify`."""

from __future__ import annotations

from pathlib import Path

import typer


def deidentify(
    source: Path = typer.Argument(help="A recording, or a folder of them."),
    out: Path = typer.Option(help="New folder of the clean copies and their log."),
    region: str = typer.Option("auto", help="Where the scan is on the screen: auto, or x,y,width,height in pixels."),
    reviewed: bool = typer.Option(
        False, "--reviewed", help="You have looked at every picture: keep marks that may be letters."
    ),
) -> int:
    """Take persons out of recordings: DICOM headers, and everything around the scan and written into it.

    Refuses what it is not sure of. Look at every picture before you pass it on: no program finds everything.
    """
    from hipseg.cli.data.progress import progress_on_stderr
    from hipseg.data.deidentify import Options
    from hipseg.data.deidentify import deidentify as clean
    from hipseg.io.scan_region import parse_region

    options = Options(parse_region(region), reviewed)
    with progress_on_stderr("cleaning") as progress:
        outcome = clean(source, out, options, progress=progress)
    for recording, error in outcome.refused.items():
        where = "" if str(recording) in str(error) else f"{recording}: "
        typer.echo(f"refused: {where}{error}", err=True)
    num_clean = len(outcome.records) - len(outcome.refused)
    typer.echo(f"{num_clean} recordings cleaned, {len(outcome.refused)} refused; look at every picture in {out}")
    return 3 if outcome.refused else 0
