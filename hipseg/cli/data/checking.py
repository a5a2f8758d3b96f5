"""`hipseg data check`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from hipseg.data.checks import CheckReport, Finding


def check(
    folder: Path = typer.Argument(help="Folder of a data set."),
    fix: bool = typer.Option(False, "--fix", help="Mend what is safe; what was there is kept beside it."),
    as_json: bool = typer.Option(False, "--json", help="Print everything as one JSON object."),
    show: int = typer.Option(5, min=1, help="Findings shown of each kind; --json prints all."),
    workers: int = typer.Option(2, min=1, help="Processes."),
) -> int:
    """Look for what makes a data set unfit: each finding with its file, why it is one, and how to mend it."""
    from json import dumps

    from hipseg.data.checks import check_dataset, fix_dataset

    report = _with_progress(folder, workers)
    mended = fix_dataset(report) if fix else []
    if mended:
        report = check_dataset(folder, num_workers=workers)
    if as_json:
        typer.echo(dumps(report.to_dict() | {"mended": [finding.to_dict() for finding in mended]}, indent=2))
    else:
        _print_mended(mended)
        _print_report(report, show)
    return 3 if report.num_errors else 0


def _with_progress(folder: Path, workers: int) -> CheckReport:
    from hipseg.cli.data.progress import progress_on_stderr
    from hipseg.data.checks import check_dataset

    with progress_on_stderr(f"checking {folder.name}") as progress:
        return check_dataset(folder, num_workers=workers, progress=progress)


def _print_mended(mended: list[Finding]) -> None:
    from hipseg.data.checks import RULES

    for finding in mended:
        typer.echo(f"mended   {finding.where}: {RULES[finding.rule].fix} ({finding.why})")


def _print_report(report: CheckReport, show: int) -> None:
    from itertools import groupby

    from hipseg.data.checks import RULES, Level

    for name, group in groupby(report.findings, key=lambda finding: finding.rule):
        findings, rule = list(group), RULES[name]
        typer.echo(f"{rule.level.value:8} {rule.title} ({name}, {len(findings)})")
        for finding in findings[:show]:
            typer.echo(f"         {finding.where}: {finding.why}")
        if len(findings) > show:
            typer.echo(f"         ... and {len(findings) - show} more (--show, --json)")
        typer.echo(f"         mend: {rule.mend}" + (f"; --fix: {rule.fix}" if rule.fix else ""))
    counts = report.counts
    words = ", ".join(f"{counts[level]} {level.value}{'' if counts[level] == 1 else 's'}" for level in Level)
    typer.echo(f"{report.num_lines} cases: {words}")
