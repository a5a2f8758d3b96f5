"""Another hold of the probe: flip, tilt, stretch, zoom and tissue pressed aside, in one movement of image and truth.

The whole movement, from the pixels of a case to whatever it is laid on, is sampled once: the image through a filter
about as wide as the target's cells, so that speckle does not alias, the mask at the cells' centres.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt

from hipseg.data import warp
from hipseg.data.reading import ImageHW, LabelsHW

Matrix33 = npt.NDArray[np.float64]
PointsN2 = npt.NDArray[np.float64]

CELL_SHARE = 0.8
"""Pixels an image is averaged to before it is sampled, as a part of a cell.

A box of 0.8 cells and linear sampling vary as much as the exported model's triangle of one cell: 0.8^2/4 = 1/6.
"""

_WORTH_AVERAGING = 1.1
_AFFINE_SHARE, _CROP_SHARE = 0.7, 0.8


class MotionConfig(Protocol):
    """The part of `augment.AugmentConfig` that moves things."""

    flip: float
    crop: float
    pad: float
    rotation_deg: float
    shear_deg: float
    aspect: float
    warp: float


@dataclass(frozen=True, slots=True)
class Motion:
    """Where the pixels of an image go.

    Attributes:
        matrix_33: from the image's pixels to those of the moved image.
        height, width: of the moved image, pixels.
        control: random shifts of a coarse net over the moved image (see `warp.random_control`), or None.
        mirrored: left and right have changed places.
    """

    matrix_33: Matrix33
    height: int
    width: int
    control: warp.Control | None = None
    mirrored: bool = False

    def to(self, lattice_23: npt.NDArray[np.float64], height: int, width: int) -> Sampling:
        """This motion onto the cells of a lattice.

        Args:
            lattice_23: from the moved image's pixels to the lattice's cells.
            height, width: of the lattice.
        """
        matrix_33 = np.vstack([lattice_23, [0, 0, 1]]) @ self.matrix_33
        displacement = None if self.control is None else warp.displacement(self.control, height, width)
        return Sampling(matrix_33, height, width, displacement)

    def after(self, matrix_33: Matrix33, control: warp.Control) -> Motion:
        """This motion of an image that has moved a little before, and is pressed a little more."""
        own = control if self.control is None else self.control + control
        return dataclasses.replace(self, matrix_33=self.matrix_33 @ matrix_33, control=own if own.any() else None)

    def whole(self) -> Sampling:
        """This motion onto the moved image's own pixels."""
        return self.to(np.eye(2, 3), self.height, self.width)


def draw_motion(config: MotionConfig, shape: tuple[int, ...], rng: np.random.Generator) -> Motion:
    """Draws a motion for an image of this shape; always the same number of draws, whatever is switched off."""
    height, width = shape[:2]
    chances = rng.random(4)
    tilt_deg, shear_deg, *stretch = rng.uniform(-1, 1, size=4) * (
        config.rotation_deg, config.shear_deg, config.aspect, config.aspect
    )  # fmt: skip
    borders = rng.uniform(-config.crop, config.pad, size=4)
    control = warp.random_control(rng)
    matrix_33 = np.eye(3)
    mirrored = bool(chances[0] < config.flip)
    if mirrored:
        matrix_33 = np.array([[-1.0, 0, width - 1], [0, 1, 0], [0, 0, 1]])
    if chances[1] < _AFFINE_SHARE:
        matrix_33 = _about_the_middle(height, width, tilt_deg, shear_deg, 1 + stretch[0], 1 + stretch[1]) @ matrix_33
    if chances[2] < _CROP_SHARE:
        top, bottom, left, right = np.rint(borders * (height, height, width, width)).astype(int).tolist()
        matrix_33 = np.array([[1.0, 0, left], [0, 1, top], [0, 0, 1]]) @ matrix_33
        height, width = max(height + top + bottom, 1), max(width + left + right, 1)
    return Motion(matrix_33, height, width, control if chances[3] < config.warp else None, mirrored)


def _about_the_middle(
    height: int, width: int, tilt_deg: float, shear_deg: float, stretch_x: float, stretch_y: float
) -> Matrix33:
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    angle = np.deg2rad(tilt_deg)
    tilt = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = tilt @ np.array([[1, np.tan(np.deg2rad(shear_deg))], [0, 1]]) @ np.diag([stretch_x, stretch_y])
    matrix_33 = np.eye(3)
    matrix_33[:2, :2], matrix_33[:2, 2] = linear, middle - linear @ middle
    return matrix_33


@dataclass(frozen=True, slots=True)
class Sampling:
    """A motion onto a lattice of cells, ready to be applied to image, mask and points.

    Attributes:
        matrix_33: from the image's pixels to cells.
        height, width: of the lattice.
        displacement: further shift of each cell's view, in cells, or None.
    """

    matrix_33: Matrix33
    height: int
    width: int
    displacement: warp.Displacement | None

    @property
    def stretch_xy(self) -> tuple[float, float]:
        """Cells for each pixel, along the image's columns and rows."""
        along_x, along_y = np.linalg.norm(self.matrix_33[:2, :2], axis=0)
        return max(float(along_x), 1e-6), max(float(along_y), 1e-6)

    def image(self, image_HW: ImageHW) -> ImageHW:
        """The image on the lattice, uint8; black where there is none."""
        height, width = image_HW.shape
        shrink_x, shrink_y = (max(CELL_SHARE / stretch, 1.0) for stretch in self.stretch_xy)
        to_image_33 = self._to_image()
        if max(shrink_x, shrink_y) > _WORTH_AVERAGING:
            small_width, small_height = max(round(width / shrink_x), 1), max(round(height / shrink_y), 1)
            small = cv2.resize(image_HW, (small_width, small_height), interpolation=cv2.INTER_AREA)
            image_HW = np.asarray(small, np.uint8)
            to_image_33 = _smaller(small_width / width, small_height / height) @ to_image_33
        return self._sampled(image_HW, to_image_33, cv2.INTER_LINEAR)

    def labels(self, labels_HW: LabelsHW) -> LabelsHW:
        """The mask at the cells' centres; background where there is none."""
        return self._sampled(labels_HW, self._to_image(), cv2.INTER_NEAREST)

    def points(self, points_xy: PointsN2) -> PointsN2:
        """Where points [N, 2] of the image lie on the lattice, as x, y."""
        moved_xy = points_xy @ self.matrix_33[:2, :2].T + self.matrix_33[:2, 2]
        return moved_xy if self.displacement is None else warp.warp_points(moved_xy, self.displacement)

    def _to_image(self) -> Matrix33:
        return np.asarray(np.linalg.inv(self.matrix_33), np.float64)

    def _sampled(
        self, grey_HW: npt.NDArray[np.uint8], to_image_33: Matrix33, interpolation: int
    ) -> npt.NDArray[np.uint8]:
        to_image_23 = to_image_33[:2]
        if self.displacement is None:
            flags = interpolation | cv2.WARP_INVERSE_MAP
            return np.asarray(cv2.warpAffine(grey_HW, to_image_23, (self.width, self.height), flags=flags), np.uint8)
        seen_xy = cv2.transform(warp.cells(self.height, self.width) + self.displacement, to_image_23)
        seen_x, seen_y = cv2.split(seen_xy)
        return np.asarray(cv2.remap(grey_HW, seen_x, seen_y, interpolation), np.uint8)


def _smaller(scale_x: float, scale_y: float) -> Matrix33:
    """From pixels to those of a smaller image, whose borders are the same."""
    return np.array([[scale_x, 0, (scale_x - 1) / 2], [0, scale_y, (scale_y - 1) / 2], [0, 0, 1]])
