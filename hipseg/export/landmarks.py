"""From landmark heat maps to points with their doubt."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hipseg.export.resampling import longer_side
from hipseg.models.outputs import NetworkOutput

WINDOW_CELLS = 6
"""The point is the mean of the heat map within so many cells of its maximum, on either axis."""


class LandmarkReader(nn.Module):
    """Heat maps to [N, K, 4]: x, y in image pixels, sigma in pixels, visibility 0-1.

    The position is a local soft arg-max: the mean around the highest cell, exact below a cell and blind to a second
    mode elsewhere. Sigma is not blind: it is the root mean square distance on one axis of the **whole** distribution
    from that point, so that two modes, or none, show as a large doubt. A heat map as sharp as its training target
    (a Gaussian of 1.5 cells) has a sigma of 1.5 cells: the floor.

    Args:
        grid_size: side of the grid, cells.
    """

    def __init__(self, grid_size: int) -> None:
        super().__init__()
        self._size = grid_size

    def forward(self, output: NetworkOutput, height: int, width: int) -> Tensor:
        """Reads all landmarks of the network's output for images of height x width pixels."""
        size = self._size
        cells_S = torch.arange(size, dtype=torch.float32)
        flat_NKC = output.heatmap_logits_NKHW.flatten(2)
        mass_NKHW = flat_NKC.softmax(dim=2).reshape(output.heatmap_logits_NKHW.shape)
        highest_NK1 = flat_NKC.argmax(dim=2, keepdim=True)
        near_y_NKS = _near(cells_S, highest_NK1 // size)
        near_x_NKS = _near(cells_S, highest_NK1 % size)

        over_rows_NKS = torch.matmul(near_y_NKS[:, :, None, :], mass_NKHW)[:, :, 0] * near_x_NKS
        over_columns_NKS = torch.matmul(mass_NKHW, near_x_NKS[:, :, :, None])[:, :, :, 0] * near_y_NKS
        x_NK1, y_NK1 = _mean(over_rows_NKS, cells_S), _mean(over_columns_NKS, cells_S)
        spread_x = (mass_NKHW.sum(dim=2) * (cells_S - x_NK1) ** 2).sum(dim=2, keepdim=True)
        spread_y = (mass_NKHW.sum(dim=3) * (cells_S - y_NK1) ** 2).sum(dim=2, keepdim=True)
        sigma_NK1 = ((spread_x + spread_y) / 2).sqrt()

        longer = longer_side(height, width)
        scale = torch.ones(1) * longer / size
        x_px, y_px = (x_NK1 + 0.5) * scale - (longer - width) / 2 - 0.5, (y_NK1 + 0.5) * scale - 0.5
        return torch.cat([x_px, y_px, sigma_NK1 * scale, output.visibility_logits_NK.sigmoid()[:, :, None]], dim=2)


def _near(cells_S: Tensor, centre_NK1: Tensor) -> Tensor:
    """1 for the cells of the window, else 0."""
    return ((cells_S - centre_NK1).abs() <= WINDOW_CELLS).to(torch.float32)


def _mean(mass_NKS: Tensor, cells_S: Tensor) -> Tensor:
    """Mean position, [N, K, 1]. The highest cell holds at least 1 / S**2 of all mass, so nothing is divided by zero."""
    return (mass_NKS * cells_S).sum(dim=2, keepdim=True) / mass_NKS.sum(dim=2, keepdim=True)
