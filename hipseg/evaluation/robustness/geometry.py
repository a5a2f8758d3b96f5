"""Corruptions that move the anatomy in the picture; the truth moves with it."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from hipseg.evaluation.robustness.scene import Matrix23, Scene, warped

Generator = np.random.Generator

_MIN_SIDE_PX = 16


def depth(scene: Scene, factor: float, _rng: Generator) -> Scene:
    """The scanner set `factor` times as deep: anatomy shrinks towards the middle of the skin line, pixels grow.

    What would come into view below and beside the old picture nobody recorded: it is black, and ignored in the mask.
    """
    height, width = scene.image_HW.shape
    middle = (width - 1) / 2
    # Around the middle of the upper edge, which lies half a pixel above the first row.
    matrix_23: Matrix23 = np.array(
        [[1 / factor, 0, middle - middle / factor], [0, 1 / factor, 0.5 / factor - 0.5]], np.float64
    )
    smooth = _without_aliasing(scene, factor)
    deeper = warped(smooth, matrix_23, (height, width))
    if scene.spacing_mm is None:
        return deeper
    return replace(deeper, spacing_mm=(scene.spacing_mm[0] * factor, scene.spacing_mm[1] * factor))


def crop(scene: Scene, lost_share: float, rng: Generator) -> Scene:
    """`lost_share` of the rows and of the columns cut away, dealt to both sides as chance has it."""
    height, width = scene.image_HW.shape
    new_height, new_width = (max(round(side * (1 - lost_share)), min(side, _MIN_SIDE_PX)) for side in (height, width))
    top, left = (round(float(rng.random()) * room) for room in (height - new_height, width - new_width))
    matrix_23: Matrix23 = np.array([[1, 0, -left], [0, 1, -top]], np.float64)
    return warped(scene, matrix_23, (new_height, new_width))


def motion(scene: Scene, travel_mm: float, rng: Generator) -> Scene:
    """Tissue that sinks or rises by `travel_mm` while the image is scanned line by line from one side to the other.

    Lines are sheared along the beam, and the scanner's persistence smears them over a quarter of the way. The truth
    is where a line was when it was scanned.
    """
    width = scene.image_HW.shape[1]
    travel_px = travel_mm / scene.mm_per_px[0] * (1.0 if rng.random() < 0.5 else -1.0)
    slope = travel_px / max(width - 1, 1)
    matrix_23: Matrix23 = np.array([[1, 0, 0], [slope, 1, -travel_px / 2]], np.float64)
    smear_px = max(round(abs(travel_px) / 4), 1)
    smeared_HW = cv2.blur(scene.image_HW, (1, smear_px))
    return warped(replace(scene, image_HW=np.asarray(smeared_HW, np.uint8)), matrix_23)


def _without_aliasing(scene: Scene, factor: float) -> Scene:
    sigma_px = 0.5 * np.sqrt(max(factor**2 - 1, 0.0))
    if sigma_px < 0.2:
        return scene
    return replace(scene, image_HW=np.asarray(cv2.GaussianBlur(scene.image_HW, (0, 0), sigma_px), np.uint8))
