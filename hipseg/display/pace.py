"""How fast frames come, and how old the one in view is."""

from __future__ import annotations

import time
from collections import deque

from hipseg.frame import Frame

_NUM_FRAMES = 15


class Pace:
    """Frames a second by the source's own times, over the last frames; the age of live ones by this machine's clock."""

    def __init__(self) -> None:
        self._times_s: deque[float] = deque(maxlen=_NUM_FRAMES)

    def words(self, frame: Frame) -> str:
        """For the footer; nothing where nothing is known. Takes the frame in."""
        if self._times_s and frame.time_s < self._times_s[-1]:
            self._times_s.clear()
        self._times_s.append(frame.time_s)
        span_s = self._times_s[-1] - self._times_s[0]
        rate = f"   {(len(self._times_s) - 1) / span_s:.0f} FPS" if span_s > 0 else ""
        age = "" if frame.taken_s is None else f"   age {1e3 * (time.monotonic() - frame.taken_s):.0f} ms"
        return rate + age
