"""`hipseg infer`: from a recording to overlay, records and alerts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hipseg.errors import UsageError

Source = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE",
        show_default=False,
        help="A DICOM file, a DICOM series folder, a video, an image, a folder of images or of clips, camera:N or "
        "igtl://HOST:PORT.",
    ),
]
Out = Annotated[Path, typer.Option("--out", "-o", help="Folder for the results.", show_default=False)]
KeyValues = Annotated[
    list[str] | None,
    typer.Argument(metavar="KEY=VALUE", show_default=False, help="Settings, anywhere, e.g. guidance.view_check=off."),
]
ModelName = Annotated[
    str | None, typer.Option(help="Name on the shelf or a model file.", show_default="the released model")
]
PixelSize = Annotated[
    str | None, typer.Option(metavar="MM", help="Pixel size in mm, or ROW,COLUMN; replaces the source's own.")
]
Region = Annotated[str, typer.Option(metavar="auto|full|X,Y,W,H", help="Part of the frame that holds ultrasound.")]
FrameRate = Annotated[
    float | None, typer.Option(metavar="HZ", help="For sources without times; replaces the source's own.")
]
Threads = Annotated[int | None, typer.Option(min=1, help="Threads of the model.", show_default="physical cores")]


def infer(
    source: Source,
    out: Out,
    settings: KeyValues = None,
    model: ModelName = None,
    spacing: PixelSize = None,
    region: Region = "auto",
    frame_rate: FrameRate = None,
    masks: Annotated[bool, typer.Option("--masks", help="Write a label image a frame.")] = False,
    no_overlay: Annotated[bool, typer.Option("--no-overlay", help="Write no overlay.")] = False,
    dicom_seg: Annotated[bool, typer.Option("--dicom-seg", help="Write a DICOM segmentation.")] = False,
    config: Annotated[Path | None, typer.Option(help="YAML file of settings.", show_default=False)] = None,
    threads: Threads = None,
    force: Annotated[bool, typer.Option("--force", help="Accept images not declared to be ultrasound.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the session in the output folder.")] = False,
) -> None:
    """Segment a recording and write overlay, records and alerts.

    A folder of several clips is processed clip by clip, going on past a broken one.
    Results: session.json, frames.jsonl, alerts.jsonl, overlay.mp4 (or overlay.png), masks/ and segmentation.dcm.
    """
    from hipseg.cli.inference import run_inference
    from hipseg.cli.request import InferenceRequest
    from hipseg.cli.settings import read_settings
    from hipseg.io import SourceOptions, parse_spacing

    spec, assignments = _told_apart([source, *(settings or [])])
    request = InferenceRequest(
        spec=spec,
        out=out,
        model=model,
        threads=threads,
        source=SourceOptions(
            spacing=None if spacing is None else parse_spacing(spacing),
            region=region,
            force=force,
            frame_rate_hz=_checked_rate(frame_rate),
        ),
        settings=read_settings(config, assignments),
        overlay=not no_overlay,
        masks=masks,
        dicom_seg=dicom_seg,
        overwrite=overwrite,
    )
    run_inference(request)


def _told_apart(arguments: list[str]) -> tuple[str, list[str]]:
    """The one source and the settings: which is which is told by its look, not by its place."""
    from hipseg.cli.settings import is_assignment

    sources = [argument for argument in arguments if not is_assignment(argument)]
    if len(sources) == 1:
        return sources[0], [argument for argument in arguments if is_assignment(argument)]
    what = "no SOURCE given" if not sources else f"{len(sources)} sources given ({', '.join(sources)})"
    raise UsageError(what, expected="one SOURCE", mend="put several clips into one folder and name the folder")


def _checked_rate(frame_rate_hz: float | None) -> float | None:
    if frame_rate_hz is not None and not 0.01 <= frame_rate_hz <= 1000:
        raise UsageError(f"{frame_rate_hz:g}", where="--frame-rate", expected="frames a second, 0.01 to 1000")
    return frame_rate_hz
