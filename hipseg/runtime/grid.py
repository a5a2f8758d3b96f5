"""How an image of any size lies on the network's square grid.

The image keeps its shape: it is scaled until its longer side fills the grid, its top edge (the skin) lies on the
grid's first row, and it is centred from side to side. The rest of the grid is empty. Training, export and
inference all take the rule from here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Grid:
    """An image of height x width pixels on a grid of size x size cells.

    A pixel centre x maps to (x + 0.5) / scale + left - 0.5; rows likewise without `left`.
    """

    height: int
    width: int
    size: int

    @property
    def scale(self) -> float:
        """Image pixels per grid cell, the same on both axes."""
        return max(self.height, self.width) / self.size

    @property
    def left(self) -> float:
        """Empty grid cells left of the image."""
        return (self.size - self.width / self.scale) / 2

    @property
    def occupied(self) -> tuple[slice, slice]:
        """Rows and columns of the grid whose cell centres lie on the image; at least one of each."""
        longer = max(self.height, self.width)
        return self._occupied(self.height, 0), self._occupied(self.width, longer - self.width)

    def _occupied(self, length: int, margin: int) -> slice:
        """In whole numbers: exact where a centre lies on the image's edge. `margin` is in pixels, half on each side."""
        longer = max(self.height, self.width)
        first = (self.size * margin + longer - 1) // (2 * longer)
        end = (self.size * (margin + 2 * length) + longer - 1) // (2 * longer)
        return slice(first, max(end, first + 1))

    def to_image(self, points_xy: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Grid coordinates [..., 2] as x, y to image pixels."""
        points = np.asarray(points_xy, dtype=np.float64)
        return (points + 0.5 - (self.left, 0.0)) * self.scale - 0.5

    def to_grid(self, points_xy: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Image pixels [..., 2] as x, y to grid coordinates."""
        points = np.asarray(points_xy, dtype=np.float64)
        return (points + 0.5) / self.scale + (self.left, 0.0) - 0.5

    def affine(self) -> npt.NDArray[np.float64]:
        """The 2x3 matrix from image to grid coordinates, as OpenCV's warpAffine takes it."""
        shift = 0.5 / self.scale - 0.5
        return np.array([[1 / self.scale, 0, shift + self.left], [0, 1 / self.scale, shift]])
