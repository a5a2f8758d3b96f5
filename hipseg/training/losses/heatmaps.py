"""Where landmarks are, and how honest their heat maps are about it."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

LANDMARK_SIGMA_CELLS = 1.5
LABEL_SIGMA_CELLS = 0.5
"""Accuracy of a landmark that was drawn on pixels and moved onto the grid: no error below it is told from none."""

PEAK_RADIUS_CELLS = 6


def heatmap_loss(heatmap_logits_NKHW: Tensor, landmarks_NK3: Tensor, sigma: float = LANDMARK_SIGMA_CELLS) -> Tensor:
    """Kullback-Leibler divergence of the predicted position distribution from a Gaussian at the true position.

    Args:
        heatmap_logits_NKHW: a softmax over all cells gives the distribution.
        landmarks_NK3: x, y in cells, and the state; only state 1 (in the image) counts.
        sigma: of the Gaussian, cells.
    """
    seen_NK = landmarks_NK3[..., 2] == 1
    if not seen_NK.any():
        return heatmap_logits_NKHW.sum() * 0
    logits_MHW = heatmap_logits_NKHW[seen_NK]
    height, width = logits_MHW.shape[1:]
    target_MHW = gaussian_maps(landmarks_NK3[seen_NK][:, :2], height, width, sigma)
    log_predicted = logits_MHW.flatten(1).log_softmax(dim=1)
    return functional.kl_div(log_predicted, target_MHW.flatten(1), reduction="batchmean")


def spread_loss(heatmap_logits_NKHW: Tensor, landmarks_NK3: Tensor) -> Tensor:
    """How well each heat map's spread tells the error of the point read from it.

    Negative log likelihood of the true position under a round Gaussian at the local mean (`peak_xy`) whose sigma is
    that of the whole map, both as the exported model gives them, plus `LABEL_SIGMA_CELLS`; less its value for a sharp
    map at the true position, so that this is 0. It is least when sigma**2 is half the mean squared error: on one
    axis, the error's own variance.

    Args:
        heatmap_logits_NKHW, landmarks_NK3: as in `heatmap_loss`.
    """
    seen_NK = landmarks_NK3[..., 2] == 1
    if not seen_NK.any():
        return heatmap_logits_NKHW.sum() * 0
    logits_MHW = heatmap_logits_NKHW[seen_NK]
    point_xy_M2 = peak_xy(logits_MHW)
    floor = LABEL_SIGMA_CELLS**2
    variance_M = _variance(logits_MHW, point_xy_M2) + floor
    squared_error_M = (point_xy_M2 - landmarks_NK3[seen_NK][:, :2]).square().sum(dim=1)
    return ((variance_M / floor).log() + squared_error_M / (2 * variance_M)).mean()


def _variance(logits_MHW: Tensor, point_xy_M2: Tensor) -> Tensor:
    """Mean squared distance, on one axis, of the whole distribution from a point, [M]."""
    mass_MHW = logits_MHW.flatten(1).softmax(dim=1).view_as(logits_MHW)
    rows_H, columns_W = (torch.arange(size, device=logits_MHW.device) for size in logits_MHW.shape[1:])
    along_x = (mass_MHW.sum(dim=1) * (columns_W - point_xy_M2[:, :1]) ** 2).sum(dim=1)
    along_y = (mass_MHW.sum(dim=2) * (rows_H - point_xy_M2[:, 1:]) ** 2).sum(dim=1)
    return (along_x + along_y) / 2


def peak_xy(heatmap_logits_MHW: Tensor, radius: int = PEAK_RADIUS_CELLS) -> Tensor:
    """Sub-cell positions x, y [M, 2] of the highest peaks: the mean of the distribution near its largest cell."""
    _, height, width = heatmap_logits_MHW.shape
    best_M = heatmap_logits_MHW.flatten(1).argmax(dim=1)
    y_M11, x_M11 = (best_M // width)[:, None, None], (best_M % width)[:, None, None]
    rows_1H1 = torch.arange(height, device=best_M.device)[None, :, None]
    columns_11W = torch.arange(width, device=best_M.device)[None, None, :]
    near_MHW = ((rows_1H1 - y_M11).abs() <= radius) & ((columns_11W - x_M11).abs() <= radius)
    weights_MHW = heatmap_logits_MHW.masked_fill(~near_MHW, -torch.inf).flatten(1).softmax(1).view_as(near_MHW)
    return torch.stack([(weights_MHW * columns_11W).sum((1, 2)), (weights_MHW * rows_1H1).sum((1, 2))], dim=1)


def gaussian_maps(points_xy_M2: Tensor, height: int, width: int, sigma: float) -> Tensor:
    """Discrete Gaussians that sum to 1, [M, height, width], at points in cells."""
    x_M1, y_M1 = points_xy_M2[:, :1], points_xy_M2[:, 1:]
    row_MH = torch.softmax(-((torch.arange(height, device=x_M1.device) - y_M1) ** 2) / (2 * sigma**2), dim=1)
    column_MW = torch.softmax(-((torch.arange(width, device=x_M1.device) - x_M1) ** 2) / (2 * sigma**2), dim=1)
    return row_MH[:, :, None] * column_MW[:, None, :]
