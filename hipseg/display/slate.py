"""A canvas that stays from frame to frame: words and numbers are drawn again only where others are to stand."""

from __future__ import annotations

import numpy as np

from hipseg.display.drawing import Box, Canvas


class Slate:
    """Remembers what stands in each box.

    Args:
        blank: the empty canvas; it is copied.

    Attributes:
        canvas: drawn on, in boxes that `wants` something new.
    """

    def __init__(self, blank: Canvas) -> None:
        self.canvas = blank.copy()
        self._blank = blank.copy()
        self._contents: dict[Box, object] = {}

    def wants(self, box: Box, content: object) -> bool:
        """Whether a box has to be drawn: something else stands in it than `content`, and has just been wiped."""
        if box in self._contents and self._contents[box] == content:
            return False
        box.of(self.canvas)[...] = box.of(self._blank)
        self._contents[box] = content
        return True

    def copy_around(self, hole: Box) -> Canvas:
        """A canvas of its own; what it shows in `hole` is for the caller to draw."""
        canvas: Canvas = np.empty_like(self.canvas)
        rows, right = slice(hole.y, hole.y + hole.height), hole.x + hole.width
        canvas[: rows.start], canvas[rows.stop :] = self.canvas[: rows.start], self.canvas[rows.stop :]
        canvas[rows, : hole.x], canvas[rows, right:] = self.canvas[rows, : hole.x], self.canvas[rows, right:]
        return canvas
