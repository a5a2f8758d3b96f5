"""Canvases that stay from frame to frame: words and numbers are drawn again only where others are to stand."""

from __future__ import annotations

import weakref
from collections import deque

import numpy as np

from hipseg.display.drawing import Box, Canvas

_MOST_IDLE = 4
"""As many as are in use at once while nobody keeps any: drawn on, shown, being recorded."""


class Slate:
    """Remembers what stands in each box.

    Args:
        blank: the empty canvas; it is copied.

    Attributes:
        canvas: drawn on, in boxes that `wants` something new.
        memory: of the canvas.
    """

    def __init__(self, blank: Canvas) -> None:
        self.memory = bytearray(blank.tobytes())
        self.canvas: Canvas = np.frombuffer(self.memory, np.uint8).reshape(blank.shape)
        self._blank = blank
        self._contents: dict[Box, object] = {}

    def wants(self, box: Box, content: object) -> bool:
        """Whether a box has to be drawn: something else stands in it than `content`, and has just been wiped."""
        if box in self._contents and self._contents[box] == content:
            return False
        box.of(self.canvas)[...] = box.of(self._blank)
        self._contents[box] = content
        return True


class Slates:
    """Slates that come back: whoever is handed a picture keeps it as long as it likes, then its slate is used again.

    Memory that the system hands out anew costs a page fault every 4 KiB, which for a large picture takes longer than
    drawing it.

    Args:
        blank: the empty canvas of each.
    """

    def __init__(self, blank: Canvas) -> None:
        self._blank = blank.copy()
        self._idle: deque[Slate] = deque(maxlen=_MOST_IDLE)

    def take(self) -> Slate:
        """One that nobody looks at."""
        return self._idle.pop() if self._idle else Slate(self._blank)

    def lend(self, slate: Slate) -> Canvas:
        """The picture on a slate; the slate comes back when neither the picture nor a view of it is left."""
        # Views of this array refer to it, not to the memory: it goes when the last of them has gone.
        owner = np.frombuffer(slate.memory, np.uint8)
        weakref.finalize(owner, self._idle.append, slate).atexit = False
        return owner.reshape(slate.canvas.shape)
