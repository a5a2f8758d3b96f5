"""Time that only goes on, from a source's own time stamps."""

from __future__ import annotations

from typing import NamedTuple

_SMALLEST_STEP_S = 1e-6


class StreamTime(NamedTuple):
    """Of a frame.

    Attributes:
        time_s: since the first frame, always later than that of the frame before.
        jumped: the source's clock went back, or away from ours.
    """

    time_s: float
    jumped: bool


class SourceClock:
    """Follows the source's clock while it runs as ours does, and ours where it does not.

    Time stamps may run backwards (a sender that was restarted, a summer-time change), stand still, or leap. Speeds and
    alert times need a time that does none of that.

    Args:
        tolerance_s: by how much the two clocks may disagree between two frames.
    """

    def __init__(self, tolerance_s: float) -> None:
        self._tolerance_s = tolerance_s
        self._last: tuple[float, float, float] | None = None
        self._is_new_source = False

    def source_changed(self) -> None:
        """The next frame is of a source opened again, whose time has begun anew: that is no jump."""
        self._is_new_source = True

    def time_of(self, source_s: float, taken_s: float) -> StreamTime:
        """The time of the next frame.

        Args:
            source_s: its time stamp by the source's clock.
            taken_s: when it came in, by our monotonic clock.
        """
        if self._last is None:
            self._last = (source_s, taken_s, 0.0)
            return StreamTime(0.0, jumped=False)
        last_source_s, last_taken_s, last_s = self._last
        by_source_s, by_us_s = source_s - last_source_s, taken_s - last_taken_s
        # Written so that a stamp that is no number is a jump. A coarse clock that stands still for a frame is none.
        follows = by_source_s >= 0 and abs(by_source_s - by_us_s) <= self._tolerance_s
        is_told = follows and by_source_s > 0 and not self._is_new_source
        step_s = max(by_source_s if is_told else by_us_s, _SMALLEST_STEP_S)
        jumped = not follows and not self._is_new_source
        self._is_new_source = False
        self._last = (source_s, taken_s, last_s + step_s)
        return StreamTime(last_s + step_s, jumped)
