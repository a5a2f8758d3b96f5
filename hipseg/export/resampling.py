"""Laying an image of any size on the network's grid, in operations that PyTorch and onnxruntime compute alike.

The filter is a triangle two cells wide (antialiased bilinear; plain bilinear where the image is smaller than the
grid), applied by matrix products. A cell sees only the few pixels around it, so the grid is cut into bands of cells
and each band multiplies only the pixels it can see: the same sums as with one large matrix of mostly zeros, in a
third of its time at 1920x1080.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

MOST_BANDS = 16
GREY_LEVELS = 255.0
_FULL_WEIGHT = 1e-6


class _Taps(NamedTuple):
    """Which pixels each band of cells sees, and how much each cell takes of them.

    Attributes:
        pixels_BP: indices along the axis, P a band.
        weights_BKP: of every pixel in each of the K cells of a band; 0 for indices that stand in for the outside.
    """

    pixels_BP: Tensor
    weights_BKP: Tensor


def longer_side(height: int, width: int) -> int:
    """The larger of two sizes, which are symbols while a graph is traced."""
    longer: int = torch.sym_max(height, width)  # type: ignore[no-untyped-call]
    return longer


class GridResampler(nn.Module):
    """uint8 [N, H, W] to float32 [N, S, S] in 0-1, as `runtime.grid.Grid` lays it; 0 outside the image.

    Args:
        grid_size: S, cells.
    """

    def __init__(self, grid_size: int) -> None:
        super().__init__()
        self._size, self._num_bands = grid_size, math.gcd(grid_size, MOST_BANDS)

    def forward(self, image_NHW: Tensor) -> Tensor:
        """Rows first: they lie whole in memory and leave less to do for the columns."""
        num_images, height, width = image_NHW.shape
        longer = longer_side(height, width)
        rows, columns = self._taps(height, longer, 0), self._taps(width, longer, longer - width)
        seen_NPW = image_NHW.index_select(1, rows.pixels_BP.flatten()).to(torch.float32)
        resampled_NSW = self._resample(seen_NPW, rows, num_images, width)
        seen_NPS = resampled_NSW.transpose(1, 2).index_select(1, columns.pixels_BP.flatten())
        return self._resample(seen_NPS, columns, num_images, self._size).transpose(1, 2) * (1 / GREY_LEVELS)

    def _resample(self, seen: Tensor, taps: _Taps, num_images: int, across: int) -> Tensor:
        bands = seen.reshape(num_images, self._num_bands, taps.pixels_BP.shape[1], across)
        return torch.matmul(taps.weights_BKP, bands).reshape(num_images, self._size, across)

    def _taps(self, length: int, longer: int, margin: int) -> _Taps:
        """Pixels and weights along one axis.

        A cell's centre lies at (2 * cell + 1) * longer / (2 * S) - margin / 2 - 0.5 pixels; indices are computed in
        whole numbers, so that no rounding moves them.

        Args:
            length: of the axis, pixels.
            longer: side of the image, pixels; it fills the grid.
            margin: empty pixels' worth of grid beside the image, half of it before the first pixel.
        """
        size, num_bands = self._size, self._num_bands
        num_cells = size // num_bands
        reach = longer // size + 2
        first_cells = num_cells * torch.arange(num_bands)
        first_centres = ((2 * first_cells + 1) * longer - size * margin) // (2 * size)
        pixels_BP = (first_centres - reach)[:, None] + torch.arange(num_cells * longer // size + 2 * reach + 2)

        cells_BK = torch.arange(size, dtype=torch.float32).reshape(num_bands, num_cells)
        centres_BK = (2 * cells_BK + 1) * longer / (2 * size) - margin / 2 - 0.5
        support = torch.clamp(torch.ones(1) * longer / size, min=1.0)
        distances_BKP = (pixels_BP[:, None, :] - centres_BK[:, :, None]).abs()
        inside_BP = (pixels_BP >= 0) & (pixels_BP < length)
        counts_BKP = inside_BP[:, None, :] & self._occupied(cells_BK, length, longer, margin)[:, :, None]
        weights_BKP = torch.clamp(1 - distances_BKP / support, min=0) * counts_BKP
        weights_BKP = weights_BKP / torch.clamp(weights_BKP.sum(dim=2, keepdim=True), min=_FULL_WEIGHT)
        return _Taps(pixels_BP.clamp(0, length - 1), weights_BKP)

    def _occupied(self, cells_BK: Tensor, length: int, longer: int, margin: int) -> Tensor:
        """The cells whose centres lie on the image, as in `runtime.grid.Grid.occupied`.

        No numerator is negative: ONNX divides whole numbers towards zero, Python downwards.
        """
        first = (self._size * margin + longer - 1) // (2 * longer)
        end = (self._size * (margin + 2 * length) + longer - 1) // (2 * longer)
        return (cells_BK >= first) & (cells_BK < longer_side(end, first + 1))
