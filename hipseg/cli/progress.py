"""How far a run is, on stderr: a bar in a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

_LINE_EVERY_S = 5.0


class FrameProgress:
    """Counts the frames of one clip.

    Args:
        name: of the clip.
        total: number of frames, None when it is not known.
    """

    def __init__(self, name: str, total: int | None) -> None:
        self._name, self._total = name, total
        self._count, self._begin_s = 0, time.monotonic()
        self._next_line_s = self._begin_s + _LINE_EVERY_S
        self._bar = _bar() if sys.stderr.isatty() else None

    def __enter__(self) -> FrameProgress:
        if self._bar is not None:
            self._bar.start()
            self._task = self._bar.add_task(self._name, total=self._total)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def advance(self) -> None:
        """One more frame is done."""
        self._count += 1
        if self._bar is not None:
            self._bar.advance(self._task)
        elif time.monotonic() >= self._next_line_s:
            self._next_line_s += _LINE_EVERY_S
            of = "" if self._total is None else f" of {self._total}"
            print(f"hipseg: {self._name}: {self._count}{of} frames", file=sys.stderr, flush=True)


def _bar() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True))
