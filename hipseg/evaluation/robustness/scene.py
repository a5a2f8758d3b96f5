"""An image together with what is true of it, so that whatever moves the one moves the other."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from hipseg.anatomy import IGNORED
from hipseg.frame import ImageHW

PointXY = tuple[float, float]
Matrix23 = npt.NDArray[np.float64]
"""From source pixels (x, y) to those of the new image; pixel centres lie at integers."""

NOMINAL_DEPTH_MM = 50.0
"""How deep an image without scale is taken to show, for corruptions that are told in millimetres."""


@dataclass(frozen=True, slots=True)
class Scene:
    """One image and its truth.

    Attributes:
        image_HW: grey levels.
        labels_HW: annotation ids and 255 for ignored pixels; None for an image without mask.
        spacing_mm: pixel size as (row, column), None when unknown.
        landmarks: x, y in pixels by name; None is surely not in the image, a name left out is unknown.
    """

    image_HW: ImageHW
    labels_HW: npt.NDArray[np.uint8] | None = None
    spacing_mm: tuple[float, float] | None = None
    landmarks: dict[str, PointXY | None] | None = None

    @property
    def mm_per_px(self) -> tuple[float, float]:
        """Pixel size as (row, column), nominal where nobody knows it: square, `NOMINAL_DEPTH_MM` over the height."""
        nominal = NOMINAL_DEPTH_MM / self.image_HW.shape[0]
        return self.spacing_mm or (nominal, nominal)


def warped(scene: Scene, matrix_23: Matrix23, shape: tuple[int, int] | None = None) -> Scene:
    """The scene after an affine map of its pixels; what comes from outside the image is black, and ignored in the mask.

    Args:
        scene: to be mapped; its spacing is kept, the caller knows whether it still holds.
        matrix_23: from old to new pixel coordinates.
        shape: rows and columns of the new image; None keeps them.
    """
    height, width = shape or scene.image_HW.shape
    image_HW = cv2.warpAffine(scene.image_HW, matrix_23, (width, height), flags=cv2.INTER_LINEAR)
    return replace(
        scene,
        image_HW=np.asarray(image_HW, np.uint8),
        labels_HW=None if scene.labels_HW is None else _moved_labels(scene.labels_HW, matrix_23, (height, width)),
        landmarks=_moved(scene.landmarks, matrix_23, (height, width)),
    )


def hidden(scene: Scene, lost_HW: npt.NDArray[np.bool_]) -> Scene:
    """The scene with a region in which nothing can be seen: its labels are ignored, landmarks in it unknown."""
    labels_HW = scene.labels_HW
    landmarks = scene.landmarks
    if labels_HW is not None:
        labels_HW = np.where(lost_HW, np.uint8(IGNORED), labels_HW)
    if landmarks is not None:
        landmarks = {name: at for name, at in landmarks.items() if at is None or not _inside(lost_HW, at)}
    return replace(scene, labels_HW=labels_HW, landmarks=landmarks)


def _moved_labels(
    labels_HW: npt.NDArray[np.uint8], matrix_23: Matrix23, shape: tuple[int, int]
) -> npt.NDArray[np.uint8]:
    size = (shape[1], shape[0])
    moved_HW = cv2.warpAffine(labels_HW, matrix_23, size, flags=cv2.INTER_NEAREST, borderValue=(IGNORED,))
    return np.asarray(moved_HW, np.uint8)


def _moved(
    landmarks: dict[str, PointXY | None] | None, matrix_23: Matrix23, shape: tuple[int, int]
) -> dict[str, PointXY | None] | None:
    """Landmarks at their new place; one that left the image is surely not in it any more."""
    if landmarks is None:
        return None
    moved: dict[str, PointXY | None] = {}
    for name, at in landmarks.items():
        x, y = (np.nan, np.nan) if at is None else matrix_23 @ (at[0], at[1], 1.0)
        in_image = -0.5 <= x <= shape[1] - 0.5 and -0.5 <= y <= shape[0] - 0.5
        moved[name] = (float(x), float(y)) if in_image else None
    return moved


def _inside(region_HW: npt.NDArray[np.bool_], at: PointXY) -> bool:
    column, row = round(at[0]), round(at[1])
    height, width = region_HW.shape
    return 0 <= row < height and 0 <= column < width and bool(region_HW[row, column])
