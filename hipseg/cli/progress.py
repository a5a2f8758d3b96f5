"""How far a run is, on stderr: a bar in a terminal, a line now and then elsewhere."""

from __future__ import annotations

import io
import os
import sys
import time
from types import TracebackType
from typing import TextIO

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
        self._terminal = _terminal()
        self._bar = _bar(self._terminal) if sys.stderr.isatty() else None

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
        if self._terminal is not sys.stderr:
            self._terminal.close()

    def tell(self, text: str) -> None:
        """A line between the progress."""
        line = f"hipseg: {self._name}: {text}"
        if self._bar is not None:
            self._bar.console.print(line, markup=False, highlight=False)
        else:
            print(line, file=self._terminal, flush=True)

    def advance(self, count: int = 1) -> None:
        """So many more frames are done."""
        self._count += count
        if self._bar is not None:
            self._bar.advance(self._task, count)
        elif time.monotonic() >= self._next_line_s:
            self._next_line_s += _LINE_EVERY_S
            of = "" if self._total is None else f" of {self._total}"
            print(f"hipseg: {self._name}: {self._count}{of} frames", file=self._terminal, flush=True)


def _terminal() -> TextIO:
    """Standard error through a handle of its own.

    A decoder's remarks are caught by turning the process's standard error aside while it works, in another thread: what
    is said here meanwhile must neither get lost nor be taken for a remark.
    """
    try:
        return os.fdopen(os.dup(sys.stderr.fileno()), "w", encoding=sys.stderr.encoding, errors="replace")
    except (OSError, ValueError, io.UnsupportedOperation):  # not a file: a test's or a notebook's
        return sys.stderr


def _bar(terminal: TextIO) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, TimeRemainingColumn(), console=Console(file=terminal))
