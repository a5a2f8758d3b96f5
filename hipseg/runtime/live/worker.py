"""The stages of a live run in a thread of their own: a stage that raises costs its frame, one that hangs is seen."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from hipseg.errors import ModelError
from hipseg.runtime.live.feed import LiveFrame
from hipseg.runtime.live.slot import LatestSlot
from hipseg.runtime.live.watch import Watch

_POLL_S = 0.1


class LiveWorker:
    """Works on the newest frame until the slot is over. Use it as a context manager.

    Args:
        slot: of the feed.
        work: takes a frame through all stages to display and records.
        watch: is told of every frame that is done or failed.
        clock: seconds, monotonic.

    Attributes:
        fault: of the newest frame, None when that went well.
        num_failed: frames that were given up.
        over: set when there is nothing more to do.
    """

    def __init__(
        self,
        slot: LatestSlot[LiveFrame],
        work: Callable[[LiveFrame], None],
        watch: Watch,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._slot, self._work, self._watch, self._clock = slot, work, watch, clock
        self._stopped = threading.Event()
        self._failing_since_s: float | None = None
        self._thread = threading.Thread(target=self._run, name="hipseg-live-stages", daemon=True)
        self.fault: Exception | None = None
        self.num_failed = 0
        self.over = threading.Event()

    @property
    def failing_s(self) -> float:
        """For how long every frame has failed."""
        return 0.0 if self._failing_since_s is None else self._clock() - self._failing_since_s

    def __enter__(self) -> LiveWorker:
        self._thread.start()
        return self

    def __exit__(self, *_fault: object) -> None:
        """Stops after the present frame. A stage that hangs is left behind after a second."""
        self._stopped.set()
        self._thread.join(timeout=1)

    def _run(self) -> None:
        try:
            while not (self._stopped.is_set() or self._slot.is_over):
                live = self._slot.take(_POLL_S)
                if live is not None:
                    self._process(live)
        finally:
            self.over.set()

    def _process(self, live: LiveFrame) -> None:
        try:
            self._work(live)
        except Exception as fault:  # whatever a stage stumbles over, the next frame may go well
            self.num_failed += 1
            self.fault = fault
            if self._failing_since_s is None:
                self._failing_since_s = self._clock()
            self._watch.stage_failed(is_model=isinstance(fault, ModelError))
            return
        self.fault = self._failing_since_s = None
        self._watch.frame_done(live.taken_s)
