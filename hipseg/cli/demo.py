"""`hipseg demo`: the released model on a simulated procedure that comes with hipseg."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the results, replaced.")] = Path("hipseg-demo"),
    model: Annotated[
        str | None, typer.Option(help="Name on the shelf or a model file.", show_default="the released model")
    ] = None,
) -> None:
    """Try hipseg on a simulated procedure, in under a minute.

    A needle is advanced to the hip joint under simulated ultrasound, and hipseg watches.
    """
    from hipseg.cli.inference import run_inference
    from hipseg.cli.request import InferenceRequest
    from hipseg.io import session_folder as names

    run_inference(InferenceRequest(spec=str(demo_clip()), out=out, model=model, masks=True, overwrite=True))
    typer.echo("")
    for what, name in (
        ("overlay video", names.OVERLAY_VIDEO),
        ("alerts", names.ALERTS),
        ("a record a frame", names.FRAMES),
        ("summary", names.SESSION),
    ):
        typer.echo(f"  {what + ':':<18} {out / name}")
    typer.echo("\nYour own recording: hipseg infer RECORDING --out FOLDER")


def demo_clip() -> Path:
    """The simulated clip that is part of the package: a needle on its way past a branch of the artery.

    It is procedure 2 of `hipseg simulate format=dicom num_cases=3 num_frames=48 seed=2026 simulation=longitudinal
    simulation.curvilinear_share=0`.

    Raises:
        UsageError: this installation came without it.
    """
    from hipseg.errors import UsageError

    clip = Path(__file__).resolve().parent.parent / "demo" / "procedure.dcm"
    if not clip.is_file():
        raise UsageError("the demo clip is missing", where=clip, mend="install hipseg again")
    return clip
