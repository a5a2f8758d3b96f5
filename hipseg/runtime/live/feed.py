"""A live source read by a thread of its own: the newest frame into the slot, and the source opened again when lost."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from hipseg.errors import SourceError
from hipseg.frame import Frame
from hipseg.io.source import Source
from hipseg.runtime.live.backoff import Backoff
from hipseg.runtime.live.clock import SourceClock
from hipseg.runtime.live.freeze import ChangeDetector
from hipseg.runtime.live.limits import LiveLimits
from hipseg.runtime.live.slot import LatestSlot
from hipseg.runtime.live.watch import Watch

_DECIMALS = 6
_MILLI = 1e3


@dataclass(frozen=True, slots=True)
class LiveFrame:
    """A frame on its way through a live run.

    Attributes:
        frame: numbered through all openings of the source; its time only goes on.
        source_time_s: by the source's own clock, as it was told.
        taken_s: when it came in, monotonic.
    """

    frame: Frame
    source_time_s: float
    taken_s: float


class LiveFeed:
    """Keeps the newest frame of a source ready. Use it as a context manager.

    Args:
        source: open. The feed closes it, and those that it opens.
        reopen: opens it again after a loss; None for a source that ends, as a replay does.
        limits: validated.
        watch: is told of every frame and every loss.
        clock: seconds, monotonic.

    Attributes:
        slot: to take from; it is closed when the source has ended for good.
        fault: why it ended, None when it simply did.
        num_frames: that came in.
        num_losses, num_reopened: how often the source broke off, and came back.
        is_reading: the source is open, and a frame is waited for.
    """

    def __init__(
        self,
        source: Source,
        reopen: Callable[[], Source] | None,
        limits: LiveLimits,
        watch: Watch,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._source, self._reopen, self._limits, self._watch, self._clock = source, reopen, limits, watch, clock
        self._times = SourceClock(limits.clock_tolerance_s)
        self._change = ChangeDetector(limits.frozen_level, limits.frozen_share)
        self._stopped = threading.Event()
        self._last_s = clock()
        self._thread = threading.Thread(target=self._read, name="hipseg-live-source", daemon=True)
        self.slot: LatestSlot[LiveFrame] = LatestSlot()
        self.fault: BaseException | None = None
        self.num_frames = self.num_losses = self.num_reopened = 0
        self.is_reading = False

    @property
    def silent_s(self) -> float:
        """Since the last frame, or since the source was opened again."""
        return self._clock() - self._last_s

    def __enter__(self) -> LiveFeed:
        self._thread.start()
        return self

    def __exit__(self, *_fault: object) -> None:
        """Stops reading. A source that blocks is left behind after a second."""
        self._stopped.set()
        self.slot.close()
        self._thread.join(timeout=1)

    def _read(self) -> None:
        try:
            self.fault = self._read_and_reopen()
        except BaseException as fault:
            self.fault = fault
        finally:
            self.slot.close()

    def _read_and_reopen(self) -> SourceError | None:
        """Reads until the source ends, is stopped, or does not come back; answers with what it broke of."""
        backoff, lost_s = self._new_backoff(), self._clock()
        while True:
            before = self.num_frames
            fault = self._read_source()
            if fault is None or self._reopen is None or self._stopped.is_set():
                return fault
            self.num_losses += 1
            self._watch.source_lost()
            # One that breaks off again at once has not been back: its pauses go on growing.
            if self.num_frames - before >= self._limits.cured_after_frames:
                backoff, lost_s = self._new_backoff(), self._clock()
            fault = self._open_again(backoff, lost_s, fault)
            if fault is not None:
                return fault

    def _new_backoff(self) -> Backoff:
        limits = self._limits
        return Backoff(limits.retry_first_s, limits.retry_longest_s, limits.give_up_after_s)

    def _read_source(self) -> SourceError | None:
        self._last_s, self.is_reading = self._clock(), True
        try:
            for number, frame in enumerate(self._source.frames()):
                if self._stopped.is_set():
                    return None
                if number == 0 and self._has_waited(frame):
                    continue
                self._pass_on(frame)
            return None
        except SourceError as fault:
            return fault
        finally:
            self.is_reading = False
            self._source.close()

    def _open_again(self, backoff: Backoff, lost_s: float, fault: SourceError) -> SourceError | None:
        """Tries until the source is open again (None), or time is up."""
        assert self._reopen is not None
        while (pause_s := backoff.next_pause_s(self._clock() - lost_s)) is not None:
            if self._stopped.wait(pause_s):
                return None
            try:
                self._source = self._reopen()
            except SourceError as error:
                fault = error
                continue
            self.num_reopened += 1
            self._times.source_changed()
            return None
        return fault

    def _has_waited(self, frame: Frame) -> bool:
        """The first frame is read when the source is opened, and may have grown old while the model was loaded."""
        return frame.taken_s is not None and self._clock() - frame.taken_s > self._limits.stale_after_ms / _MILLI

    def _pass_on(self, frame: Frame) -> None:
        taken_s = self._clock() if frame.taken_s is None else frame.taken_s
        time_s, jumped = self._times.time_of(frame.time_s, taken_s)
        self._last_s = self._clock()
        self._watch.frame_in(changed=self._change.has_changed(frame.scan_HW), jumped=jumped)
        own = dataclasses.replace(frame, index=self.num_frames, time_s=round(time_s, _DECIMALS))
        self.num_frames += 1
        self.slot.put(LiveFrame(own, round(frame.time_s, _DECIMALS), taken_s))
