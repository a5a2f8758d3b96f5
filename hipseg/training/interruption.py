"""Stopping on request: a first Ctrl-C lets the step in hand end and a checkpoint be written, a second one does not."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class TrainingInterrupted(Exception):  # noqa: N818 - a request, not an error
    """Someone asked a training to stop."""


class Interruption:
    """Whether someone asked to stop, by SIGINT (Ctrl-C) or SIGTERM (a scheduler's time limit)."""

    def __init__(self) -> None:
        self.requested = False
        self._process = os.getpid()

    @contextmanager
    def listening(self) -> Iterator[Interruption]:
        """Takes the signals over for a while. Does nothing outside the main thread, which alone gets signals."""
        if threading.current_thread() is not threading.main_thread():
            yield self
            return
        before = {number: signal.signal(number, self._on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        if os.getpid() != self._process:
            # A worker that prepares data: Ctrl-C reaches it too, but the training process says when it ends.
            return
        if self.requested:
            raise TrainingInterrupted
        self.requested = True
        print("hipseg: stopping after this step; once more to stop at once", file=sys.stderr, flush=True)
