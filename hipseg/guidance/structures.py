"""What of the anatomy a segmentation shows: which structures, how large, how sure, and where their surfaces run."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt

from hipseg import anatomy
from hipseg.guidance.config import StructureConfig
from hipseg.guidance.geometry import Labels, Points, Probabilities, ScanPlane, Surface, occupied_labels, surface_of
from hipseg.runtime.segmentation import Segmentation

_NEEDLE_COVERS_MM = 2.5
"""Widest band a needle's mask hides of what lies beneath it: 18 G is 1.27 mm, its echo up to twice that."""


_Box = tuple[slice, slice]
_SMALL = (*anatomy.VESSELS, anatomy.FEMORAL_NERVE, anatomy.LABRUM, anatomy.ANTERIOR_CAPSULE, anatomy.JOINT_RECESS)


@dataclass(frozen=True, slots=True)
class StructureFinding:
    """One structure of a frame as it is recorded.

    Attributes:
        present: large enough to count.
        area_mm2: None when absent or without scale.
        confidence: mean probability over its cells, 0-1; None when absent.
    """

    present: bool
    area_mm2: float | None = None
    confidence: float | None = None


NOT_FOUND = StructureFinding(present=False)


@dataclass(frozen=True, slots=True)
class CutOut:
    """The cells [H, W] of a structure in the box around it, whose first column and row are `left` and `top`."""

    cells_HW: npt.NDArray[np.bool_]
    left: int
    top: int


class Scene:
    """One frame's segmentation on the occupied grid, with surfaces found when asked for, once.

    Args:
        segmentation: with finite probabilities.
        plane: of the frame.
        config: what counts as present.
    """

    def __init__(self, segmentation: Segmentation, plane: ScanPlane, config: StructureConfig) -> None:
        self.plane = plane
        self.labels_HW: Labels = occupied_labels(segmentation.labels_HW, segmentation.grid)
        rows, columns = segmentation.grid.occupied
        self.probabilities_CHW: Probabilities = segmentation.probabilities_CHW[:, rows, columns]
        self._config = config
        self._cells: dict[int, npt.NDArray[np.bool_] | None] = {}
        self._boxes: dict[int, _Box] = {}
        self._counts = _counts_of(self.labels_HW)
        self._surfaces: dict[int, Surface | None] = {}

    def cells(self, class_id: int) -> npt.NDArray[np.bool_] | None:
        """Cells [H, W] of a structure without specks, None when nothing large enough is left."""
        if class_id not in self._cells:
            self._cells[class_id] = self._without_specks(class_id)
        return self._cells[class_id]

    def surface(self, class_id: int) -> Surface | None:
        """The border of a structure, None when it is not present."""
        if class_id not in self._surfaces:
            cells = self.cells(class_id)
            self._surfaces[class_id] = None if cells is None else self._surface(cells, self._boxes[class_id])
        return self._surfaces[class_id]

    def cut_out(self, class_id: int) -> CutOut | None:
        """A structure's cells without what lies around them, None when it is not present."""
        cells = self.cells(class_id)
        if cells is None:
            return None
        rows, columns = box = self._boxes[class_id]
        return CutOut(cells[box], columns.start, rows.start)

    def middle_x_mm(self, class_id: int) -> float | None:
        """Of a structure's cells, from side to side; None when it is not present."""
        found = self.cut_out(class_id)
        if found is None:
            return None
        moments = cv2.moments(found.cells_HW.view(np.uint8), binaryImage=True)
        return float(self.plane.from_cells((found.left + moments["m10"] / moments["m00"], 0.0))[0])

    def has(self, class_id: int) -> bool:
        """Whether a structure is present."""
        return self.cells(class_id) is not None

    def inside(self, points_mm: Points, class_ids: tuple[int, ...]) -> npt.NDArray[np.bool_]:
        """Which of the points [n, 2] lie in any of some structures."""
        columns, rows = np.rint(self.plane.to_cells(points_mm)).astype(np.intp).T
        height, width = self.labels_HW.shape
        within = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
        found = np.zeros(len(points_mm), dtype=bool)
        for class_id in class_ids:
            if (cells := self.cells(class_id)) is not None:
                found[within] |= cells[rows[within], columns[within]]
        return found

    @cached_property
    def findings(self) -> dict[str, StructureFinding]:
        """Every structure but the background, by name."""
        return {structure.name: self._finding(structure.id) for structure in anatomy.STRUCTURES[1:]}

    def _finding(self, class_id: int) -> StructureFinding:
        cells = self.cells(class_id)
        if cells is None:
            return NOT_FOUND
        box = self._boxes[class_id]
        area_mm2 = np.count_nonzero(cells[box]) * self.plane.cell_area_mm2 if self.plane.scale_known else None
        confidence = cv2.mean(self.probabilities_CHW[class_id][box], cells[box].view(np.uint8))[0]
        return StructureFinding(True, area_mm2, float(confidence))

    def _without_specks(self, class_id: int) -> npt.NDArray[np.bool_] | None:
        least = self._least_cells(class_id)
        if self._counts[class_id] < least or self._is_impossible(class_id):
            return None
        cells_HW = self.labels_HW == class_id
        box = _box_around(cells_HW)
        pieces_HW, areas = pieces_of(cells_HW[box])
        large = areas >= least
        if not large.any():
            return None
        if not large[1:].all():
            cells_HW[box] = large[pieces_HW]
            box = _box_around(cells_HW)
        self._boxes[class_id] = box
        return cells_HW if class_id == anatomy.NEEDLE else self._beneath_needle(cells_HW, box)

    def _least_cells(self, class_id: int) -> float:
        """Arteries count when they are smaller than anything else does: a branch of a millimetre is to be avoided."""
        config = self._config
        area_mm2 = config.min_artery_mm2 if class_id == anatomy.FEMORAL_ARTERY else config.min_area_mm2
        return max(area_mm2 / self.plane.cell_area_mm2, 1.0)

    def _is_impossible(self, class_id: int) -> bool:
        """Whether a structure that is small in any view covers much of this one: then nothing is known of it."""
        return class_id in _SMALL and self._counts[class_id] > self._config.max_share * self.labels_HW.size

    def _beneath_needle(self, cells_HW: npt.NDArray[np.bool_], box: _Box) -> npt.NDArray[np.bool_]:
        """Adds the needle's cells that a structure encloses: the needle is drawn on top, the structure goes on below.

        Without them a tip inside a vessel would lie outside of it.
        """
        needle = self.labels_HW[box] == anatomy.NEEDLE
        if not needle.any():
            return cells_HW
        side = 2 * round(_NEEDLE_COVERS_MM / self.plane.cell_mm / 2) + 1
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
        closed = cv2.morphologyEx(cells_HW[box].view(np.uint8), cv2.MORPH_CLOSE, kernel)
        cells_HW[box] |= needle & (closed > 0)
        return cells_HW

    def _surface(self, cells_HW: npt.NDArray[np.bool_], own: _Box) -> Surface:
        """Works on the structure's own box with one cell around it: most structures are small."""
        top, left = (max(part.start - 1, 0) for part in own)
        box = (slice(top, own[0].stop + 1), slice(left, own[1].stop + 1))
        return surface_of(
            cells_HW[box],
            self.labels_HW[box],
            self.probabilities_CHW[(slice(None), *box)],
            self.plane,
            cells_offset_xy=(left, top),
            cover=anatomy.NEEDLE,
        )


def _counts_of(labels_HW: Labels) -> npt.NDArray[np.float32]:
    """Cells of each class id, 0 to 255."""
    return np.asarray(cv2.calcHist([labels_HW], [0], None, [256], [0, 256]), np.float32).ravel()


def _box_around(cells_HW: npt.NDArray[np.bool_]) -> _Box:
    left, top, width, height = cv2.boundingRect(cells_HW.view(np.uint8))
    return slice(top, top + height), slice(left, left + width)


def pieces_of(cells_HW: npt.NDArray[np.bool_]) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.intp]]:
    """Connected pieces, numbered from 1 in [H, W], and by number how many cells each has; number 0 has none.

    OpenCV's own statistics take many times as long as finding the pieces does.
    """
    count, pieces_HW = cv2.connectedComponents(cells_HW.view(np.uint8), connectivity=8)
    if count == 2:
        return np.asarray(pieces_HW, np.int32), np.array([0, np.count_nonzero(cells_HW)])
    areas = np.bincount(pieces_HW.ravel(), minlength=count)
    areas[0] = 0
    return np.asarray(pieces_HW, np.int32), areas
