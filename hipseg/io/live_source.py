"""From the pictures of a live source to frames: what cameras, network streams and OpenIGTLink have in common."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from hipseg.errors import SourceError, UsageError
from hipseg.frame import ColourFlow, Frame, ImageHW, ScanRegion, Spacing
from hipseg.io.picture_source import MAX_PIXELS, region_of_user
from hipseg.io.scan_region import SMALLEST_SIDE_PX, find_scan_region, full_region, parse_region
from hipseg.io.source import SourceInfo, SourceOptions

UNUSABLE = "unusable_frames"
"""Counts pictures that cannot be ultrasound: empty, tiny, huge, damaged, of a type nobody can show."""


class LivePicture(NamedTuple):
    """A picture as it came in.

    Attributes:
        image_HW: grey levels uint8 [H, W]; None for one that was damaged on its way.
        taken_s: when it came in, by this machine's monotonic clock.
        stamp_s: the sender's own time stamp, None when it gives none.
        spacing: told with the picture.
        fault: why there is no image.
        flow: colour Doppler painted over the image.
    """

    image_HW: ImageHW | None
    taken_s: float
    stamp_s: float | None = None
    spacing: Spacing | None = None
    fault: str | None = None
    flow: ColourFlow | None = None


class LiveSource:
    """An open live source (see `hipseg.io.source.Source`).

    Its pictures may change their size and scale at any time: `info` and the frames follow. Pictures that are none are
    counted and passed over; a source that gives nothing else for `options.silent_after_s` is lost.

    Args:
        info: what is known before the first picture; size, region and scale are filled in.
        pictures: as they come in; raises SourceError where the source breaks off, and must not block much longer than
            `options.silent_after_s`.
        options: what the user says; it goes before what the source says.
        release: lets go of the device or the connection.
        clock: seconds, monotonic.

    Raises:
        SourceError: no usable picture came.
        UsageError: the user's region lies outside the picture.
    """

    def __init__(
        self,
        info: SourceInfo,
        pictures: Iterable[LivePicture],
        options: SourceOptions,
        release: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.info, self._options, self._release, self._clock = info, options, release, clock
        self._pictures: Iterator[LivePicture] = iter(pictures)
        self._is_open = False
        try:
            self._first: LivePicture | None = self._next_usable()
            self._follow(self._first)
            self._is_open = True
        except BaseException:
            self.close()
            raise

    def frames(self) -> Iterator[Frame]:
        """The frames as they come in. Raises SourceError where the source is lost."""
        picture, self._first = self._first, None
        start_s, index = None, 0
        while picture is not None:
            self._follow(picture)
            stamp_s = picture.taken_s if picture.stamp_s is None else picture.stamp_s
            start_s = stamp_s if start_s is None else start_s
            yield self._frame(picture, index, stamp_s - start_s)
            index += 1
            picture = self._next_usable()

    def close(self) -> None:
        """Lets go of the device or the connection; may be called twice."""
        self._pictures = iter(())
        release, self._release = self._release, lambda: None
        release()

    def _next_usable(self) -> LivePicture:
        deadline_s = self._clock() + self._options.silent_after_s
        for picture in self._pictures:
            if fault_of(picture) is None:
                return picture
            self.info.counts[UNUSABLE] += 1
            if self._clock() > deadline_s:
                what = f"gives no usable image ({fault_of(picture)})"
                raise SourceError(what, where=self.info.source_id, expected="grey or colour images of 8 bits")
        raise SourceError("gives no more images", where=self.info.source_id, mend="check its cable and its sender")

    def _follow(self, picture: LivePicture) -> None:
        """Takes the size and the scale of a picture; where they changed, the scan region is looked for anew."""
        assert picture.image_HW is not None
        size = picture.image_HW.shape
        if size != (self.info.height, self.info.width):
            self.info.height, self.info.width = size
            self.info.region = self._region(picture.image_HW)
        self.info.spacing = self._options.spacing or picture.spacing

    def _region(self, image_HW: ImageHW) -> ScanRegion:
        given = parse_region(self._options.region)
        if given is not None:
            return self._given_region(given, *image_HW.shape)
        return full_region(*image_HW.shape) if self._options.region == "full" else find_scan_region(image_HW)

    def _given_region(self, given: ScanRegion, height: int, width: int) -> ScanRegion:
        """As the user gave it; one that fits no more since the size changed is the source's fault, not the user's."""
        try:
            return region_of_user(given, height, width, self.info.warnings)
        except UsageError as error:
            if not self._is_open:
                raise
            what = f"now gives {width} x {height} pixels: {error.what}"
            raise SourceError(what, where=self.info.source_id) from error

    def _frame(self, picture: LivePicture, index: int, time_s: float) -> Frame:
        assert picture.image_HW is not None
        info = self.info
        return Frame(
            picture.image_HW,
            index,
            time_s,
            info.spacing,
            info.region,
            info.source_id,
            picture.taken_s,
            picture.flow,
        )


def fault_of(picture: LivePicture) -> str | None:
    """Why a picture cannot be ultrasound; None if it can."""
    image_HW = picture.image_HW
    if image_HW is None:
        return picture.fault or "a damaged image"
    if image_HW.ndim != 2 or min(image_HW.shape) < SMALLEST_SIDE_PX or image_HW.size > MAX_PIXELS:
        return f"an image of {' x '.join(map(str, image_HW.shape[::-1]))} pixels"
    return None


def live_info(source_id: str, kind: str, frame_rate_hz: float | None = None) -> SourceInfo:
    """What is known of a live source before its first picture."""
    return SourceInfo(
        source_id=source_id,
        kind=kind,
        height=0,
        width=0,
        num_frames=None,
        frame_rate_hz=frame_rate_hz,
        spacing=None,
        region=full_region(0, 0),
        is_live=True,
    )
