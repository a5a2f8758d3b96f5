"""The options that `hipseg infer` and `hipseg serve` share, and how they are understood."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hipseg.errors import UsageError

if TYPE_CHECKING:
    from hipseg.cli.settings import Settings
    from hipseg.io import SourceOptions

Source = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE",
        show_default=False,
        help="A DICOM file, a DICOM series folder, a video, an image, a folder of images or of clips; or live: "
        "camera:N, igtl://HOST:PORT\\[/DEVICE], rtsp://..., http://... (MJPEG), replay:RECORDING.",
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
Provider = Annotated[
    str,
    typer.Option(
        metavar="cpu|cuda|tensorrt|openvino|coreml|directml|auto",
        help="Who computes: this one or none; auto takes the best that starts here.",
    ),
]
PixelSize = Annotated[
    str | None, typer.Option(metavar="MM", help="Pixel size in mm, or ROW,COLUMN; replaces the source's own.")
]
Region = Annotated[str, typer.Option(metavar="auto|full|X,Y,W,H", help="Part of the frame that holds ultrasound.")]
FrameRate = Annotated[
    float | None, typer.Option(metavar="HZ", help="For sources without times; replaces the source's own.")
]
Config = Annotated[Path | None, typer.Option(help="YAML file of settings.", show_default=False)]
Threads = Annotated[int | None, typer.Option(min=1, help="Threads of the model.", show_default="physical cores")]
Force = Annotated[bool, typer.Option("--force", help="Accept images not declared to be ultrasound.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace the session in the output folder.")]
IgtlOut = Annotated[
    int | None,
    typer.Option(
        metavar="PORT", min=0, max=65535, show_default=False,
        help="Live: send labels, needle, points, alerts and health by OpenIGTLink to clients on this machine.",
    ),
]  # fmt: skip
LiveView = Annotated[
    int | None,
    typer.Option(
        metavar="PORT", min=0, max=65535, show_default=False,
        help="Live: show the overlay to browsers on this machine; 0: a free port.",
    ),
]  # fmt: skip
Resume = Annotated[
    bool, typer.Option("--resume", help="Keep the clips that are complete in the output folder, do the others.")
]
Duration = Annotated[float | None, typer.Option(metavar="SECONDS", min=0, help="Live: end after this time.")]
Profile = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Live: frame size, rate, region and scale as remembered.", show_default=False),
]
SaveProfile = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Live: remember them for the next time.", show_default=False)
]


def told_apart(arguments: list[str]) -> tuple[str, list[str]]:
    """The one source and the settings: which is which is told by its look, not by its place.

    Raises:
        UsageError: no source, or several.
    """
    from hipseg.cli.settings import is_assignment

    sources = [argument for argument in arguments if not is_assignment(argument)]
    if len(sources) == 1:
        return sources[0], [argument for argument in arguments if is_assignment(argument)]
    what = "no SOURCE given" if not sources else f"{len(sources)} sources given ({', '.join(sources)})"
    raise UsageError(what, expected="one SOURCE", mend="put several clips into one folder and name the folder")


def source_options(
    settings: Settings,
    *,
    spacing: str | None,
    region: str,
    frame_rate: float | None,
    force: bool,
    loop: bool,
    profile: Path | None,
) -> SourceOptions:
    """What the user says of the source, from the command line first and then from a profile.

    Raises:
        UsageError: a value that cannot be.
    """
    from hipseg.io import SourceOptions, apply_profile, parse_spacing

    options = SourceOptions(
        spacing=None if spacing is None else parse_spacing(spacing),
        region=region,
        force=force,
        frame_rate_hz=_checked_rate(frame_rate),
        loop=loop,
        silent_after_s=settings.guidance.live.silent_after_s,
    )
    return options if profile is None else apply_profile(profile, options)


def _checked_rate(frame_rate_hz: float | None) -> float | None:
    if frame_rate_hz is not None and not 0.01 <= frame_rate_hz <= 1000:
        raise UsageError(f"{frame_rate_hz:g}", where="--frame-rate", expected="frames a second, 0.01 to 1000")
    return frame_rate_hz
