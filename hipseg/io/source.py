"""What every source of frames offers, whatever the format behind it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from hipseg.frame import Frame, ScanRegion, Spacing


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """What a user may say about a source that the source does not say itself.

    Attributes:
        spacing: replaces the source's own scale (origin "user"), None keeps it.
        region: "auto" (declared by the source, else found from the content), "full",
            or "x,y,width,height" in pixels.
        force: accept images that do not declare themselves ultrasound.
        frame_rate_hz: time base for sources without one (folders of images); also replaces a wrong one. Cameras are
            asked for it.
        frame_size: height and width to ask a camera for, pixels.
        loop: begin a replayed recording again when it ends.
        silent_after_s: a live source that gives no image for this long is lost.
    """

    spacing: Spacing | None = None
    region: str = "auto"
    force: bool = False
    frame_rate_hz: float | None = None
    frame_size: tuple[int, int] | None = None
    loop: bool = False
    silent_after_s: float = 5.0


@dataclass(slots=True)
class SourceInfo:
    """What is known of a source once it is open.

    Attributes:
        source_id: as `Frame.source_id`.
        kind: "dicom", "dicom_series", "video", "image", "image_folder", "camera", "igtl", "stream",
            "replay".
        height, width: of every frame, pixels; of the present one where a live source changes them.
        num_frames: as the source says, None when it does not (live, some videos); what is delivered counts.
        frame_rate_hz: nominal rate, None for a single image.
        spacing, region: as on the frames.
        warnings: what a user should know, one sentence each; may grow while frames are read.
        is_live: frames come at their own pace and only the present one matters.
        counts: what a live source passed over, by name.
    """

    source_id: str
    kind: str
    height: int
    width: int
    num_frames: int | None
    frame_rate_hz: float | None
    spacing: Spacing | None
    region: ScanRegion
    warnings: list[str] = field(default_factory=list)
    is_live: bool = False
    counts: Counter[str] = field(default_factory=Counter)


class Source(Protocol):
    """An open source. Frames are read one at a time: memory does not grow with the length."""

    info: SourceInfo

    def frames(self) -> Iterator[Frame]:
        """The frames in order, once. Raises SourceError where the data breaks."""
        ...

    def close(self) -> None:
        """Lets go of files and devices; may be called twice."""
        ...
