"""Shapes whose measures have closed forms."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.ndimage import gaussian_filter

from hipseg.evaluation.measures.measure import MaskHW


def disc(*, centre_xy: tuple[float, float], radius: float, shape: tuple[int, int] = (200, 240)) -> MaskHW:
    """A filled disc, in pixels."""
    rows, columns = np.indices(shape)
    return np.hypot(columns - centre_xy[0], rows - centre_xy[1]) <= radius


def box(top: int, bottom: int, left: int, right: int, shape: tuple[int, int] = (200, 240)) -> MaskHW:
    """A rectangle, the last row and column left out."""
    mask_HW = np.zeros(shape, np.bool_)
    mask_HW[top:bottom, left:right] = True
    return mask_HW


def lens_dice(radius: float, shift: float) -> float:
    """Dice of two discs of one radius a shift apart: the area of the lens over the area of a disc."""
    half = shift / 2
    lens = 2 * radius**2 * np.arccos(half / radius) - shift * np.sqrt(radius**2 - half**2)
    return float(lens / (np.pi * radius**2))


def sloping_bone(slope: float, depth_px: float) -> MaskHW:
    """A band 40 pixels thick under a straight cortex."""
    rows, columns = np.mgrid[:200, :120]
    top = depth_px + slope * columns
    return (rows >= top) & (rows < top + 40)


def rod(angle_deg: float, *, length: float = 120, width: float = 5, shift_xy: tuple[float, float] = (0, 0)) -> MaskHW:
    """A needle through the middle of the image, turned about it."""
    rows, columns = np.indices((200, 240))
    x, y = columns - 120 - shift_xy[0], rows - 100 - shift_xy[1]
    turn = np.radians(angle_deg)
    along, across = x * np.cos(turn) + y * np.sin(turn), -x * np.sin(turn) + y * np.cos(turn)
    return (np.abs(along) <= length / 2) & (np.abs(across) <= width / 2)


def random_pairs(num_pairs: int, seed: int) -> Iterator[tuple[MaskHW, MaskHW, tuple[float, float]]]:
    """Pairs of blobs that overlap more or less, some touching the border, each with its own spacing (row, column)."""
    rng = np.random.default_rng(seed)
    for _ in range(num_pairs):
        shape = tuple(rng.integers(12, 48, size=2).tolist())
        field = gaussian_filter(rng.normal(size=shape), rng.uniform(1.5, 4.0))
        other = field + rng.uniform(0, 1.5) * gaussian_filter(rng.normal(size=shape), 2.0)
        levels = np.quantile(field, rng.uniform(0.5, 0.95)), np.quantile(other, rng.uniform(0.5, 0.95))
        yield field > levels[0], other > levels[1], tuple(rng.uniform(0.05, 0.6, size=2).tolist())
