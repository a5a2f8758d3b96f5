"""Segmentations drawn from circles, bands and lines in millimetres, so that every length is known exactly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
import numpy.typing as npt

from hipseg import anatomy
from hipseg.frame import ScanRegion, Spacing
from hipseg.runtime.grid import Grid
from hipseg.runtime.segmentation import Landmark, Segmentation

XY = tuple[float, float]
GRID_SIZE = 256


@dataclass(frozen=True)
class DrawnScene:
    """A longitudinal hip: head, neck, capsule, recess, an artery beside them, and a needle.

    Lengths in millimetres from the first pixel centre; a needle without a tip is not drawn.
    """

    height: int = 480
    width: int = 640
    spacing: Spacing = field(default_factory=lambda: Spacing(0.1, 0.1, "user"))
    head: XY | None = (22.0, 46.0)
    head_radius: float = 20.0
    neck_depth: float = 34.0
    neck_until: float = 62.0
    capsule: tuple[float, float] | None = (3.0, 6.0)
    artery: XY | None = (8.0, 10.0)
    artery_radius: float = 3.5
    vein: XY | None = None
    nerve: XY | None = None
    tip: XY | None = (40.0, 25.0)
    entry: XY = (63.0, 6.0)
    needle_width: float = 1.0
    landmarks: Mapping[str, Landmark] | None = None
    view_score: float = 0.97

    def with_(self, **changes: object) -> DrawnScene:
        return replace(self, **changes)  # type: ignore[arg-type]

    @property
    def region(self) -> ScanRegion:
        return ScanRegion(0, 0, self.width, self.height, "full")

    def labels(self) -> npt.NDArray[np.uint8]:
        """Class ids [H, W] of the pixel centres."""
        y, x = np.mgrid[: self.height, : self.width].astype(np.float64)
        x, y = x * self.spacing.column_mm, y * self.spacing.row_mm
        labels = np.zeros(x.shape, dtype=np.uint8)
        if self.head is not None:
            self._draw_bone_and_capsule(labels, x, y)
        for centre, class_id in ((self.artery, anatomy.FEMORAL_ARTERY), (self.vein, anatomy.FEMORAL_VEIN)):
            if centre is not None:
                labels[np.hypot(x - centre[0], y - centre[1]) <= self.artery_radius] = class_id
        if self.nerve is not None:
            labels[np.hypot(x - self.nerve[0], y - self.nerve[1]) <= 2.0] = anatomy.FEMORAL_NERVE
        if self.tip is not None:
            labels[distance_to_segment(x, y, self.tip, self.entry) <= self.needle_width / 2] = anatomy.NEEDLE
        return labels

    def cortex_depth(self, x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Depth of head and neck along the image, the shallower of both."""
        assert self.head is not None
        inside = np.clip(self.head_radius**2 - (x - self.head[0]) ** 2, 0, None)
        head = np.where(np.abs(x - self.head[0]) < self.head_radius, self.head[1] - np.sqrt(inside), np.inf)
        neck = np.where((x > self.head[0]) & (x < self.neck_until), self.neck_depth, np.inf)
        return np.minimum(head, neck)

    @property
    def junction(self) -> XY:
        """Where the head's arc goes down to the neck's depth."""
        assert self.head is not None
        return self.head[0] + (self.head_radius**2 - (self.head[1] - self.neck_depth) ** 2) ** 0.5, self.neck_depth

    def _draw_bone_and_capsule(self, labels: npt.NDArray[np.uint8], x: np.ndarray, y: np.ndarray) -> None:
        depth = self.cortex_depth(x)
        below = (y >= depth) & (y < depth + 5)
        on_neck = x >= (self.junction[0] if self.neck_until else np.inf)
        labels[below & ~on_neck] = anatomy.FEMORAL_HEAD
        labels[below & on_neck] = anatomy.FEMORAL_NECK
        if self.capsule is not None:
            near, far = self.capsule
            labels[(y >= depth - near) & (y < depth)] = anatomy.JOINT_RECESS
            labels[(y >= depth - far) & (y < depth - near)] = anatomy.ANTERIOR_CAPSULE

    def segmentation(self) -> Segmentation:
        """As a model that sees everything would give it, on a grid of 256 cells a side."""
        return segmentation_of(self.labels(), self.landmarks or {}, self.view_score)


def distance_to_segment(x: np.ndarray, y: np.ndarray, start: XY, end: XY) -> np.ndarray:
    """Distance of points to a segment with flat ends: infinite beyond them."""
    way = np.subtract(end, start)
    length = np.hypot(*way)
    along = ((x - start[0]) * way[0] + (y - start[1]) * way[1]) / length
    across = np.abs((x - start[0]) * way[1] - (y - start[1]) * way[0]) / length
    return np.where((along >= 0) & (along <= length), across, np.inf)


def segmentation_of(
    labels_HW: npt.NDArray[np.uint8], landmarks: Mapping[str, Landmark] | None = None, view_score: float = 0.97
) -> Segmentation:
    """Probabilities are the share of a cell that each class covers, blurred by a cell as a network's are."""
    grid = Grid(*labels_HW.shape, GRID_SIZE)
    probabilities = np.zeros((anatomy.NUM_CLASSES, GRID_SIZE, GRID_SIZE), dtype=np.float32)
    for class_id in np.unique(labels_HW):
        probabilities[class_id] = _share_of_cells((labels_HW == class_id).astype(np.float32), grid)
    probabilities[anatomy.BACKGROUND] += 1 - probabilities.sum(axis=0)
    return Segmentation(labels_HW, probabilities, grid, dict(landmarks or {}), view_score)


def _share_of_cells(mask_HW: npt.NDArray[np.float32], grid: Grid) -> npt.NDArray[np.float32]:
    """A mask blurred to the grid's cells and taken over to them; empty beyond the image."""
    if grid.scale > 1:
        sigma = 0.4 * grid.scale
        mask_HW = cv2.GaussianBlur(mask_HW, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    shares = cv2.warpAffine(
        mask_HW, grid.affine(), (GRID_SIZE, GRID_SIZE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    within = np.zeros_like(shares)
    within[grid.occupied] = 1
    return shares * within


def landmark(point_mm: XY, spacing: Spacing, sigma_px: float = 2.0, visibility: float = 0.98) -> Landmark:
    """A landmark at a place in millimetres."""
    return Landmark(point_mm[0] / spacing.column_mm, point_mm[1] / spacing.row_mm, sigma_px, visibility)
