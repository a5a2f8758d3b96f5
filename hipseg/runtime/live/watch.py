"""The watchdog as the threads of a live run share it: one lock, one clock."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from hipseg.runtime.live.limits import LiveLimits
from hipseg.runtime.live.watchdog import Finding, Watchdog


@dataclass(frozen=True, slots=True)
class Report:
    """How a live run stands at a moment.

    Attributes:
        findings: what is wrong.
        is_withdrawn: guidance must not be shown.
        rate_hz: frames that went through, a second.
    """

    findings: tuple[Finding, ...]
    is_withdrawn: bool
    rate_hz: float


class Watch:
    """Tells the watchdog what happens now. Each call is short and may come from any thread.

    Args:
        limits: validated.
        clock: seconds, monotonic; the one that frames are stamped with.
    """

    def __init__(self, limits: LiveLimits, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._dog = Watchdog(limits, clock())

    def frame_in(self, *, changed: bool, jumped: bool) -> None:
        """See `Watchdog.frame_in`."""
        with self._lock:
            self._dog.frame_in(self._clock(), changed=changed, jumped=jumped)

    def frame_done(self, taken_s: float) -> None:
        """See `Watchdog.frame_done`."""
        with self._lock:
            self._dog.frame_done(self._clock(), taken_s)

    def stage_begun(self) -> None:
        """See `Watchdog.stage_begun`."""
        with self._lock:
            self._dog.stage_begun(self._clock())

    def stage_failed(self, *, is_model: bool) -> None:
        """See `Watchdog.stage_failed`."""
        with self._lock:
            self._dog.stage_failed(self._clock(), is_model=is_model)

    def source_lost(self) -> None:
        """See `Watchdog.source_lost`."""
        with self._lock:
            self._dog.source_lost(self._clock())

    def report(self) -> Report:
        """How things stand now."""
        with self._lock:
            self._dog.tick(self._clock())
            return Report(self._dog.findings(), self._dog.is_withdrawn, self._dog.rate_hz)

    def follow(self, free_memory_percent: float | None) -> Report:
        """How things stand, with what came and went since the last call: for the one thread that raises alerts."""
        with self._lock:
            self._dog.memory_is(self._clock(), free_memory_percent)
            return Report(self._dog.take_findings(), self._dog.is_withdrawn, self._dog.rate_hz)

    @property
    def stage_s(self) -> float:
        """For how long the present stage has been working."""
        with self._lock:
            self._dog.tick(self._clock())
            return self._dog.stage_s
