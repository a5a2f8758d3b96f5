"""Slight elastic deformation, as of tissue under the pressure of a probe, that carries points along exactly."""

from __future__ import annotations

import functools

import cv2
import numpy as np
import numpy.typing as npt

Displacement = npt.NDArray[np.float32]
Control = npt.NDArray[np.float32]

NUM_CONTROL_ROWS, NUM_CONTROL_COLUMNS = 4, 5
LARGEST_SHIFT = 0.025
FIXED_POINT_STEPS = 12


def random_control(rng: np.random.Generator) -> Control:
    """Shifts of a coarse net, [4, 5, 2] as x, y: up to 2.5 % of the shorter side."""
    shape = (NUM_CONTROL_ROWS, NUM_CONTROL_COLUMNS, 2)
    return rng.uniform(-LARGEST_SHIFT, LARGEST_SHIFT, size=shape).astype(np.float32)


def displacement(control: Control, height: int, width: int) -> Displacement:
    """A smooth field [H, W, 2] of x, y shifts in pixels: pixel q shows what was at q + displacement(q)."""
    field = cv2.resize(control, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray(field * np.float32(min(height, width)), np.float32)


def warp_points(points_xy: npt.NDArray[np.float64], displacement: Displacement) -> npt.NDArray[np.float64]:
    """Where points [N, 2] of the image lie in the warped one: q with q + displacement(q) = p, found by iteration.

    The field is smooth and its slope far below 1, so a dozen steps settle to a hundredth of a pixel.
    """
    moved_xy = points_xy.copy()
    for _ in range(FIXED_POINT_STEPS):
        moved_xy = points_xy - _sampled(displacement, moved_xy)
    return moved_xy


@functools.lru_cache(maxsize=16)
def cells(height: int, width: int) -> Displacement:
    """The x, y of every cell, float32 [H, W, 2]."""
    rows, columns = np.indices((height, width), np.float32)
    return np.stack([columns, rows], axis=-1)


def _sampled(displacement: Displacement, points_xy: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    x, y = np.asarray(points_xy, np.float32).T[:, :, None]
    sampled = cv2.remap(displacement, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(sampled[:, 0], np.float64)
