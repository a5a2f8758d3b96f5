"""Slight elastic deformation, as of tissue under the pressure of a probe, that carries points along exactly."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

Displacement = npt.NDArray[np.float32]

NUM_CONTROL_ROWS, NUM_CONTROL_COLUMNS = 4, 5
LARGEST_SHIFT = 0.025
FIXED_POINT_STEPS = 12


def random_displacement(height: int, width: int, rng: np.random.Generator) -> Displacement:
    """A smooth field [H, W, 2] of x, y shifts in pixels, up to 2.5 % of the shorter side at its control points."""
    largest_px = LARGEST_SHIFT * min(height, width)
    control = rng.uniform(-largest_px, largest_px, size=(NUM_CONTROL_ROWS, NUM_CONTROL_COLUMNS, 2)).astype(np.float32)
    return np.asarray(cv2.resize(control, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)


def warp_image(image_HW: npt.NDArray[np.uint8], displacement: Displacement, *, nearest: bool) -> npt.NDArray[np.uint8]:
    """Every pixel q shows what was at q + displacement(q); `nearest` for label images. Black comes in from outside."""
    rows, columns = np.indices(image_HW.shape, dtype=np.float32)
    interpolation = cv2.INTER_NEAREST if nearest else cv2.INTER_LINEAR
    moved = cv2.remap(image_HW, columns + displacement[..., 0], rows + displacement[..., 1], interpolation)
    return np.asarray(moved, np.uint8)


def warp_points(points_xy: npt.NDArray[np.float64], displacement: Displacement) -> npt.NDArray[np.float64]:
    """Where points [N, 2] of the image lie after `warp_image`: q with q + displacement(q) = p, found by iteration.

    The field is smooth and its slope far below 1, so a dozen steps settle to a hundredth of a pixel.
    """
    moved_xy = points_xy.copy()
    for _ in range(FIXED_POINT_STEPS):
        moved_xy = points_xy - _sampled(displacement, moved_xy)
    return moved_xy


def _sampled(displacement: Displacement, points_xy: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    x, y = np.asarray(points_xy, np.float32).T[:, :, None]
    sampled = cv2.remap(displacement, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(sampled[:, 0], np.float64)
