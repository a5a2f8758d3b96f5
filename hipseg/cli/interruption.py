"""Signals to stop, answered between frames: everything written so far is whole."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_NEVER = 1 << 30


class Interruption:
    """Turns SIGINT and SIGTERM into a request that the frame loop answers at the end of a frame.

    Outside of the loop, or when asked a second time, they raise KeyboardInterrupt as usual, but only once: what
    follows is the way out, and a signal on that way must not cut it short.
    """

    def __init__(self) -> None:
        self._requested = False
        self._raised = False
        self._patience = 0
        self._previous: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Interruption:
        self._previous = {one: signal.signal(one, self._answer) for one in _SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for one, handler in self._previous.items():
            signal.signal(one, signal.SIG_IGN if self._raised else handler)

    def check(self) -> None:
        """Between two frames: raises KeyboardInterrupt if someone asked to stop."""
        if self._requested:
            self._raise()

    @contextmanager
    def between_frames(self) -> Iterator[None]:
        """A stretch that calls `check` often enough: the first signal only asks, the second one insists."""
        yield from self._patient(1)

    @contextmanager
    def shielded(self) -> Iterator[None]:
        """A short stretch that must come to its end, such as closing files."""
        yield from self._patient(_NEVER)

    def _patient(self, signals: int) -> Iterator[None]:
        previous, self._patience = self._patience, signals
        try:
            yield
        finally:
            self._patience = previous

    def _answer(self, _number: int, _frame: FrameType | None) -> None:
        self._requested = True
        self._patience -= 1
        if self._patience < 0 and not self._raised:
            self._raise()

    def _raise(self) -> None:
        self._raised = True
        raise KeyboardInterrupt
