"""Soft targets along borders that a hand drew.

Two annotators of one vessel draw lines a cell or two apart, and either is right: a network that has to be sure on both
sides of one of them learns to be sure of what nobody knows (Islam & Glocker 2021, "Spatially varying label smoothing").
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

_SMALLEST_WEIGHT = 1e-6


def softened(target_NAHW: Tensor, known_N1HW: Tensor, drawable_NCC: Tensor, cells: int) -> Tensor:
    """Targets averaged over a tent of `cells` to either side; further than that from a border they stay as they are.

    A sample that knows every class by itself is left alone: nobody draws all of that by hand, a simulator's labels
    are exact.

    Args:
        target_NAHW: 1 for the id drawn in a cell, 0 for the others and in ignored cells.
        known_N1HW: bool, False in ignored cells, which lend nothing to their neighbours.
        drawable_NCC: as in `annotation.Annotated`.
        cells: reach of the tent, from 1.

    Returns:
        Of the shape of `target_NAHW`; sums to 1 in known cells and is 0 in ignored ones.
    """
    is_drawn_N = ~(drawable_NCC == torch.eye(drawable_NCC.shape[1], dtype=torch.bool, device=drawable_NCC.device)).all(
        dim=2
    ).all(dim=1)
    known = known_N1HW.to(target_NAHW.dtype)
    soft_NAHW = _tent(target_NAHW, cells) / _tent(known, cells).clamp_min(_SMALLEST_WEIGHT)
    return torch.where(is_drawn_N[:, None, None, None], soft_NAHW * known, target_NAHW)


def _tent(maps_NCHW: Tensor, cells: int) -> Tensor:
    """Weighted sums over neighbours, whose weights fall linearly to 0 at cells + 1 along rows and columns."""
    offsets = torch.arange(-cells, cells + 1, device=maps_NCHW.device, dtype=maps_NCHW.dtype)
    weights = (cells + 1 - offsets.abs()) / (cells + 1) ** 2
    single_MCHW = maps_NCHW.flatten(0, 1).unsqueeze(1)
    down = functional.conv2d(single_MCHW, weights.view(1, 1, -1, 1), padding=(cells, 0))
    return functional.conv2d(down, weights.view(1, 1, 1, -1), padding=(0, cells)).view_as(maps_NCHW)
