"""From decoded pictures to frames: what all formats have in common."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from hipseg.errors import SourceError, UsageError
from hipseg.frame import ColourFlow, Frame, ImageHW, ScanRegion, Spacing
from hipseg.io.scan_region import SMALLEST_SIDE_PX, clipped, find_scan_region, full_region, parse_region
from hipseg.io.source import SourceInfo, SourceOptions

MAX_PIXELS = 8192 * 4096
"""The largest frame that is decoded; the largest ultrasound screens have a quarter of it."""

DEFAULT_FRAME_RATE_HZ = 25.0
FRAME_RATES_HZ = (0.1, 2000.0)
"""Rates that can be true: slower is no clip, faster is no imaging of a needle."""

_LOOK_AHEAD = 8
_FILLS_THE_FRAME = 0.98
_SAME_SCALE = 0.01


class Picture(NamedTuple):
    """A decoded picture: grey levels uint8 [H, W], its time in seconds by the source's own clock, and colour flow."""

    image_HW: ImageHW
    time_s: float
    flow: ColourFlow | None = None


@dataclass(slots=True)
class ClipFacts:
    """What a format says of its clip before the first picture is decoded.

    Attributes:
        source_id, kind, num_frames, frame_rate_hz, spacing, warnings: as in `SourceInfo`.
        region: declared by the format, in the frame; None when it declares none.
        where: the file, for messages.
    """

    source_id: str
    kind: str
    where: str | Path
    num_frames: int | None = None
    frame_rate_hz: float | None = None
    spacing: Spacing | None = None
    region: ScanRegion | None = None
    warnings: list[str] = field(default_factory=list)


class PictureSource:
    """An open source (see `hipseg.io.source.Source`) over an iterator of pictures.

    The first pictures are read at once: a source that opens has at least one good frame, and where nothing
    declares the scan region it is found on the brightest of them, once for the whole clip.

    Args:
        facts: what the format says.
        pictures: in order; may raise SourceError where the data breaks.
        options: what the user says; it goes before what the format says.
        release: lets go of files and devices.

    Raises:
        SourceError: there is no first frame, or its size is not an image's.
        UsageError: the user's region lies outside the frame.
    """

    def __init__(
        self,
        facts: ClipFacts,
        pictures: Iterable[Picture],
        options: SourceOptions,
        release: Callable[[], None] = lambda: None,
    ) -> None:
        self._release = release
        self._where = facts.where
        self._pictures: Iterator[Picture] = iter(pictures)
        self._ahead: deque[Picture] = deque()
        self._break: SourceError | None = None
        try:
            self._read_ahead(_LOOK_AHEAD)
            self._start_s = self._ahead[0].time_s
            self.info = self._describe(facts, options)
        except BaseException:
            self.close()
            raise

    def _read_ahead(self, count: int) -> None:
        """Takes the first pictures; a break after the first one is kept for its turn."""
        try:
            self._ahead.extend(islice(self._pictures, count))
        except SourceError as error:
            if not self._ahead:
                raise
            self._break = error
        if not self._ahead:
            raise SourceError("holds no frame", where=self._where, expected="at least one image")

    def _describe(self, facts: ClipFacts, options: SourceOptions) -> SourceInfo:
        height, width = self._ahead[0].image_HW.shape
        check_size(height, width, self._where)
        if options.spacing and facts.spacing and not _is_same_scale(options.spacing, facts.spacing):
            own = facts.spacing
            facts.warnings.append(
                f"The given scale replaces the recording's own of {own.row_mm:g} x {own.column_mm:g} mm a pixel."
            )
        return SourceInfo(
            source_id=facts.source_id,
            kind=facts.kind,
            height=height,
            width=width,
            num_frames=facts.num_frames,
            frame_rate_hz=facts.frame_rate_hz,
            spacing=options.spacing or facts.spacing,
            region=self._choose_region(facts, options),
            warnings=facts.warnings,
        )

    def _choose_region(self, facts: ClipFacts, options: SourceOptions) -> ScanRegion:
        height, width = self._ahead[0].image_HW.shape
        given = parse_region(options.region)
        if given is not None:
            return region_of_user(given, height, width, facts.warnings)
        if options.region == "full":
            return full_region(height, width)
        if facts.region is not None and not _fills_frame(facts.region, height, width):
            return facts.region
        images = [picture.image_HW for picture in self._ahead if picture.image_HW.shape == (height, width)]
        found = find_scan_region(np.maximum.reduce(images))
        # A declared box around the whole screen tells the scale, but not where the scan is.
        return facts.region if facts.region is not None and found.origin == "full" else found

    def frames(self) -> Iterator[Frame]:
        """The frames in order, once. Raises SourceError where the data breaks."""
        info = self.info
        for index, picture in enumerate(self._in_order()):
            if picture.image_HW.shape != (info.height, info.width):
                height, width = picture.image_HW.shape
                what = f"frame {index} has {width} x {height} pixels"
                raise SourceError(what, where=self._where, expected=f"{info.width} x {info.height} as the first one")
            time_s = round(picture.time_s - self._start_s, 6)
            yield Frame(picture.image_HW, index, time_s, info.spacing, info.region, info.source_id, flow=picture.flow)

    def _in_order(self) -> Iterator[Picture]:
        """The pictures read ahead, then the others; a closed source has none left."""
        while self._ahead:
            yield self._ahead.popleft()
        if self._break is not None:
            raise self._break
        while (picture := next(self._pictures, None)) is not None:
            yield picture

    def close(self) -> None:
        """Lets go of files and devices; may be called twice."""
        self._pictures, self._break = iter(()), None
        self._ahead.clear()
        release, self._release = self._release, lambda: None
        release()


def check_size(height: int, width: int, where: str | Path) -> None:
    """Raises SourceError for a frame that is too small or too large to be ultrasound."""
    if min(height, width) < SMALLEST_SIDE_PX:
        expected = f"at least {SMALLEST_SIDE_PX} x {SMALLEST_SIDE_PX}"
        raise SourceError(f"an image of {width} x {height} pixels", where=where, expected=expected)
    if height * width > MAX_PIXELS:
        expected = f"at most {MAX_PIXELS // 1_000_000} megapixels"
        raise SourceError(f"an image of {width} x {height} pixels", where=where, expected=expected)


def frame_rate_or_default(rate_hz: float | None, options: SourceOptions, warnings: list[str]) -> float:
    """The user's rate, else the source's, else 25 Hz with a warning.

    Raises:
        UsageError: the user's rate is not possible.
    """
    if options.frame_rate_hz is not None:
        if not is_plausible_rate(options.frame_rate_hz):
            expected = f"{FRAME_RATES_HZ[0]:g}-{FRAME_RATES_HZ[1]:g} frames a second"
            raise UsageError(f"{options.frame_rate_hz:g} is not possible", where="frame rate", expected=expected)
        return options.frame_rate_hz
    if rate_hz is not None:
        return rate_hz
    warnings.append(f"No frame rate is known: times and speeds assume {DEFAULT_FRAME_RATE_HZ:g} frames a second.")
    return DEFAULT_FRAME_RATE_HZ


def is_plausible_rate(rate_hz: float) -> bool:
    """Whether a clip can have that many frames a second; NaN cannot."""
    return FRAME_RATES_HZ[0] <= rate_hz <= FRAME_RATES_HZ[1]


def region_of_user(given: ScanRegion, height: int, width: int, warnings: list[str]) -> ScanRegion:
    """The user's region inside the frame. Raises UsageError when it lies outside."""
    region = clipped(given, height, width)
    if region is None or min(region.width, region.height) < SMALLEST_SIDE_PX:
        what = f"{given.x},{given.y},{given.width},{given.height} lies outside the frame"
        raise UsageError(what, where="region", expected=f"a box inside {width} x {height} pixels")
    if region != given:
        warnings.append("The given region exceeds the frame and was clipped.")
    return region


def _is_same_scale(one: Spacing, other: Spacing) -> bool:
    rows_agree = math.isclose(one.row_mm, other.row_mm, rel_tol=_SAME_SCALE)
    return rows_agree and math.isclose(one.column_mm, other.column_mm, rel_tol=_SAME_SCALE)


def _fills_frame(region: ScanRegion, height: int, width: int) -> bool:
    return region.width >= _FILLS_THE_FRAME * width and region.height >= _FILLS_THE_FRAME * height
