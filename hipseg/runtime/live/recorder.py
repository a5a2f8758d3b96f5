"""Writing in a thread of its own: a slow disk never holds up the picture."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

from hipseg.errors import OutputError
from hipseg.runtime.latency import LatencyHistogram

_FEW_WAITING = 16
"""Pictures are left out while more than this wait: at 1080p they are 100 MB."""
_MOST_WAITING = 20_000
_PATIENCE_S = 30.0
_SLOW = "the disk is too slow for the records"
_MEND = "record to another disk"


class Recorder:
    """Does what it is given, in order. Use it as a context manager: leaving it waits until all is written, or half a
    minute for a disk that hangs.

    Attributes:
        fault: what stopped it, None while all is well. Nothing is written after a fault.
        num_left_out: jobs that were not worth holding up the others for.
        latency: of every job.
    """

    def __init__(self) -> None:
        self.fault: Exception | None = None
        self.num_left_out = 0
        self.latency = LatencyHistogram()
        self._waiting: queue.Queue[Callable[[], None] | None] = queue.Queue()
        self._thread = threading.Thread(target=self._run, name="hipseg-recorder", daemon=True)

    def must(self, write: Callable[[], None]) -> None:
        """Writes what may not be lost: records and alerts."""
        if self.fault is None and self._waiting.qsize() >= _MOST_WAITING:
            self.fault = OutputError(_SLOW, mend=_MEND)
        if self.fault is None:
            self._waiting.put(write)

    def may(self, write: Callable[[], None]) -> None:
        """Writes what may be left out when the disk cannot follow: pictures."""
        if self._waiting.qsize() >= _FEW_WAITING:
            self.num_left_out += 1
        else:
            self.must(write)

    def __enter__(self) -> Recorder:
        self._thread.start()
        return self

    def __exit__(self, *_fault: object) -> None:
        self._waiting.put(None)
        self._thread.join(_PATIENCE_S)
        if self._thread.is_alive():
            self.fault = OutputError(_SLOW, mend=_MEND)

    def _run(self) -> None:
        while (write := self._waiting.get()) is not None:
            if self.fault is None:
                try:
                    with self.latency.timed():
                        write()
                except Exception as fault:  # told at the end of the run; the picture goes on
                    self.fault = fault
