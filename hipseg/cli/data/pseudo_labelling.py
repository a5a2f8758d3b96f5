"""`hipseg data pseudo-label`."""

from __future__ import annotations

from pathlib import Path

import typer


def pseudo_label(
    folder: Path = typer.Argument(help="Folder of a data set with unlabelled cases."),
    out: Path = typer.Option(help="Folder of the new data set."),
    model: str = typer.Option(
        None, help="The teacher: a name on the shelf or a model's folder.", show_default="default"
    ),
    classes: list[str] = typer.Option(
        ["femoral_head", "femoral_artery", "femoral_vein"], "--class", help="What it may label; may be given often."
    ),
    confidence: float = typer.Option(0.9, help="Cells of which it is less sure are ignored."),
    view_score: float = typer.Option(0.5, help="Images it recognises less are left out."),
    threads: int = typer.Option(1, min=1, help="Of the model."),
) -> None:
    """Label unlabelled images with a model, where it is sure, and write a data set to train another one on.

    Self-training: only cases of the split "train" are taken. What the model got wrong it will teach, so look at
    the result: hipseg data preview OUT.
    """
    from hipseg.cli.data.progress import progress_on_stderr
    from hipseg.data.pseudo_labels import PseudoLabelling, write_pseudo_labels
    from hipseg.runtime.models import DEFAULT_MODEL
    from hipseg.runtime.session import Session

    settings = PseudoLabelling(tuple(classes), confidence, view_score)
    with (
        Session(model or DEFAULT_MODEL, num_threads=threads) as teacher,
        progress_on_stderr(f"labelling {folder.name}") as progress,
    ):
        contract = teacher.contract
        provenance = f"{contract.name} {contract.model_version} (sha256 {teacher.sha256})"
        report = write_pseudo_labels(folder, out, teacher, settings, provenance=provenance, progress=progress)
    shown = ", ".join(f"{name} in {count}" for name, count in report.num_showing.items())
    typer.echo(
        f"{out}: {report.num_labelled} cases, {report.sure:.0%} of their pixels labelled ({shown}); left out "
        f"{report.num_unrecognised} unrecognised and {report.num_held_out} held out for validation and test"
    )
