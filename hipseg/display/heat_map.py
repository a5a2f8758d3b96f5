"""How sure a model is of each structure, as shades of its colour over the image."""

from __future__ import annotations

import cv2
import numpy as np

from hipseg import anatomy
from hipseg.display.drawing import Canvas
from hipseg.runtime.segmentation import Segmentation

_STRONGEST = 0.6
"""Even where the model is certain the image shows through."""
_COLOURS = np.array([structure.colour for structure in anatomy.STRUCTURES], np.float32)


def draw_heat_map(picture: Canvas, segmentation: Segmentation) -> None:
    """Blends each cell's structures, weighted with their probabilities, into the picture."""
    rows, columns = segmentation.grid.occupied
    probabilities_CHW = np.nan_to_num(segmentation.probabilities_CHW[:, rows, columns])
    structures_CHW = probabilities_CHW[1:]
    certain_HW = np.clip(structures_CHW.sum(axis=0), 0, 1)
    colour_HW3 = np.einsum("chw,cr->hwr", structures_CHW, _COLOURS[1:]) / np.maximum(certain_HW, 1e-6)[..., None]
    size = (picture.shape[1], picture.shape[0])
    colour_HW3 = cv2.resize(colour_HW3.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
    share_HW1 = _STRONGEST * cv2.resize(certain_HW, size, interpolation=cv2.INTER_LINEAR)[..., None]
    picture[...] = np.clip((1 - share_HW1) * picture + share_HW1 * colour_HW3, 0, 255).astype(np.uint8)
