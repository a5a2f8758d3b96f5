"""What a mask draws, in numbers: per structure its area, thickness, box and depth."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from hipseg.anatomy import BACKGROUND, CLASS_NAMES, NUM_CLASSES
from hipseg.data.reading import LabelsHW


@dataclass(frozen=True, slots=True)
class Shape:
    """One structure of a mask, in pixels.

    Attributes:
        area_px: number of pixels.
        thickness_px: diameter of the largest circle inside it.
        top, bottom, left, right: first and last row and column.
        centre_y, centre_x: mean position.
    """

    area_px: int
    thickness_px: float
    top: int
    bottom: int
    left: int
    right: int
    centre_y: float
    centre_x: float


def count_ids(labels_HW: LabelsHW) -> npt.NDArray[np.int64]:
    """How many pixels each of the 256 mask values has."""
    # bincount would first make 64-bit integers of all pixels.
    histogram = cv2.calcHist([labels_HW], [0], None, [256], [0, 256])
    return histogram.ravel().astype(np.int64)


def shapes_of(labels_HW: LabelsHW) -> dict[str, Shape]:
    """The structures of a mask by name; background, ignored and unknown ids are left out."""
    counts = count_ids(labels_HW)[:NUM_CLASSES]
    return {CLASS_NAMES[id]: _shape(labels_HW == id) for id in np.flatnonzero(counts).tolist() if id != BACKGROUND}


def _shape(body_HW: npt.NDArray[np.bool_]) -> Shape:
    body_u8 = body_HW.view(np.uint8)
    left, top, width, height = cv2.boundingRect(body_u8)
    # A frame of nothing, so that a structure at the image's edge is not taken as endless.
    framed = cv2.copyMakeBorder(body_u8[top : top + height, left : left + width], 1, 1, 1, 1, cv2.BORDER_CONSTANT)
    moments = cv2.moments(framed, binaryImage=True)
    thickness = 2 * float(cv2.distanceTransform(framed, cv2.DIST_L2, 5).max()) - 1
    return Shape(
        area_px=round(moments["m00"]),
        thickness_px=thickness,
        top=top,
        bottom=top + height - 1,
        left=left,
        right=left + width - 1,
        centre_y=top + moments["m01"] / moments["m00"] - 1,
        centre_x=left + moments["m10"] / moments["m00"] - 1,
    )
