"""What a model remembers of a stream, and when it must forget."""

from __future__ import annotations

from dataclasses import dataclass

from hipseg.frame import Frame, ImageHW, ScanRegion, Spacing
from hipseg.runtime.segmentation import Segmentation
from hipseg.runtime.session import FIRST_FRAME, Session, State

LONGEST_GAP_S = 0.3
"""Frames that lie farther apart do not belong together: in this time a hand has moved the probe to another view."""


class Recall:
    """Segments the frames of one stream in their order.

    A model without memory sees each frame alone. One with memory begins anew where the frames before tell nothing of
    this one: after a gap of more than `LONGEST_GAP_S`, a seek back, a change of source, size, scan region or scale,
    and after a fault. Frames may be dropped in between. The same frames at the same times give the same results.

    Args:
        session: with the model; other streams may use it at the same time.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._state: State = FIRST_FRAME
        self._last: _Moment | None = None

    def segment(self, frame: Frame, scan_HW: ImageHW) -> Segmentation:
        """Segments a frame.

        Args:
            frame: tells whether it follows the one before.
            scan_HW: its scan region, `frame.scan_HW`.

        Raises:
            ModelError: as `Session.step`; the next frame is a first one.
        """
        now = _Moment.of(frame)
        state = self._state if self._last is not None and now.goes_on_from(self._last) else FIRST_FRAME
        self._state, self._last = FIRST_FRAME, None  # unless all goes well
        segmentation, self._state = self._session.step(scan_HW, state)
        self._last = now
        return segmentation


@dataclass(frozen=True, slots=True)
class _Moment:
    """What decides whether a frame follows another."""

    time_s: float
    source_id: str
    size: tuple[int, int]
    region: ScanRegion
    spacing: Spacing | None

    @classmethod
    def of(cls, frame: Frame) -> _Moment:
        height, width = frame.image_HW.shape
        return cls(frame.time_s, frame.source_id, (height, width), frame.region, frame.spacing)

    def goes_on_from(self, last: _Moment) -> bool:
        is_same_picture = (self.source_id, self.size, self.region, self.spacing) == (
            last.source_id, last.size, last.region, last.spacing
        )  # fmt: skip
        return is_same_picture and 0 <= self.time_s - last.time_s <= LONGEST_GAP_S
