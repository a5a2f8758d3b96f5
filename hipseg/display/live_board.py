"""What a live display shows now. Guidance that is no longer current is withdrawn here, when someone looks.

Nobody has to say that a picture has grown old: whoever asks for the present one gets it only while it is current,
even if the rest of the program hangs.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt

from hipseg.display.withdrawn import draw_withdrawn
from hipseg.frame import Frame
from hipseg.guidance.alert_config import Priority
from hipseg.guidance.alert_log import AlertLog, LoggedAlert
from hipseg.guidance.alerts import ActiveAlert, AlertEvent

_MILLI = 1e3
_JPEG_QUALITY = 85


@dataclass(frozen=True)
class View:
    """What is to be seen at a moment.

    Attributes:
        number: goes up whenever something else is to be seen.
        picture_HW3: RGB.
        frame: that it shows.
        taken_s: when that frame came in, monotonic.
        is_current: guidance in it stands; otherwise there is none in it.
        alerts: the technical ones that stand.
        latched: every alert that stands, or has passed and nobody has taken note of.
        sounding: the most urgent priority that still sounds.
    """

    number: int
    picture_HW3: npt.NDArray[np.uint8]
    frame: Frame
    taken_s: float
    is_current: bool
    alerts: tuple[ActiveAlert, ...]
    latched: tuple[LoggedAlert, ...] = ()
    sounding: Priority | None = None

    @cached_property
    def jpeg(self) -> bytes:
        """The picture as JPEG."""
        bgr_HW3 = cv2.cvtColor(self.picture_HW3, cv2.COLOR_RGB2BGR)
        encoded, content = cv2.imencode(".jpg", bgr_HW3, (cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY))
        assert encoded
        return content.tobytes()


class LiveBoard:
    """Holds the newest picture for any number of lookers.

    Args:
        stale_after_ms: guidance on an older image is withdrawn.
        clock: seconds, monotonic; the one that frames are stamped with.
    """

    def __init__(self, stale_after_ms: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.stale_after_ms = stale_after_ms
        self._clock = clock
        self._changed = threading.Condition()
        self._number = 0
        self._newest: tuple[npt.NDArray[np.uint8], Frame, float] | None = None
        self._alerts: tuple[ActiveAlert, ...] = ()
        self._withdrawn = self._expired = self._closed = False
        self._log = AlertLog()
        self._notes: list[AlertEvent] = []
        self._view: View | None = None

    def show(self, picture_HW3: npt.NDArray[np.uint8], frame: Frame, taken_s: float) -> None:
        """Puts up the overlay of a frame that came in at `taken_s`."""
        with self._changed:
            self._newest, self._expired = (picture_HW3, frame, taken_s), False
            self._change()

    def set_state(self, alerts: Sequence[ActiveAlert], *, withdrawn: bool) -> None:
        """Says which technical alerts stand and whether guidance may be shown."""
        with self._changed:
            is_news = withdrawn != self._withdrawn or [one.id for one in alerts] != [one.id for one in self._alerts]
            self._alerts, self._withdrawn = tuple(alerts), withdrawn
            if is_news:
                self._change()

    def hear(self, events: Sequence[AlertEvent], time_s: float) -> None:
        """Takes what became of alerts, of guidance and technical ones, at a source time."""
        if not events:
            return
        with self._changed:
            self._log.see(events, time_s)
            self._change()

    def acknowledge(self) -> list[ActiveAlert]:
        """Someone takes note of all alerts there are. They fall silent; those that stand go on standing.

        Returns:
            Those that nobody had taken note of.
        """
        with self._changed:
            noted = [entry.alert for entry in self._log.latched if not entry.acknowledged]
            self._log.acknowledge()
            self._notes += [AlertEvent(alert, "acknowledged") for alert in noted]
            if noted:
                self._change()
            return noted

    def take_notes(self) -> list[AlertEvent]:
        """What was acknowledged since the last time, for the records."""
        with self._changed:
            notes, self._notes = self._notes, []
            return notes

    def view(self, after: int = -1, timeout_s: float = 0.0) -> View | None:
        """What is to be seen now.

        Args:
            after: the number of the view that is known already.
            timeout_s: how long to wait for another one.

        Returns:
            The present view, which may be the known one; None before the first frame.
        """
        deadline_s = time.monotonic() + timeout_s
        with self._changed:
            while not self._closed and (self._newest is None or self._look().number <= after):
                if not self._changed.wait(self._next_look_s(deadline_s)) and time.monotonic() >= deadline_s:
                    break
            return None if self._newest is None else self._look()

    def age_ms(self, view: View) -> float:
        """Of the image in a view, now."""
        return _MILLI * (self._clock() - view.taken_s)

    def close(self) -> None:
        """Wakes everyone who waits."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def is_withdrawn(self) -> bool:
        """Whether it was said that guidance may not be shown."""
        return self._withdrawn

    @property
    def is_closed(self) -> bool:
        """Whether the run is over."""
        return self._closed

    def _change(self) -> None:
        self._number += 1
        self._changed.notify_all()

    def _next_look_s(self, deadline_s: float) -> float:
        """Until the deadline, or until the present picture has grown old."""
        left_s = deadline_s - time.monotonic()
        if self._newest is not None and not self._expired:
            left_s = min(left_s, self.stale_after_ms / _MILLI - self._age_s() + 0.001)
        return max(left_s, 0.0)

    def _age_s(self) -> float:
        assert self._newest is not None
        return self._clock() - self._newest[2]

    def _look(self) -> View:
        """The present view, drawn once."""
        if _MILLI * self._age_s() > self.stale_after_ms and not self._expired:
            self._expired = True
            self._change()
        if self._view is None or self._view.number != self._number:
            self._view = self._draw()
        return self._view

    def _draw(self) -> View:
        assert self._newest is not None
        picture_HW3, frame, taken_s = self._newest
        is_current = not (self._withdrawn or self._expired)
        shown_HW3 = picture_HW3 if is_current else draw_withdrawn(frame, self._alerts)
        log = self._log
        return View(self._number, shown_HW3, frame, taken_s, is_current, self._alerts, log.latched, log.sounding)
