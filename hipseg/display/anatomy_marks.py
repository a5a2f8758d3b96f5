"""Outlines of the structures, in anatomy's colours, with a name each."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import cv2
import numpy as np
import numpy.typing as npt

from hipseg import anatomy
from hipseg.display.drawing import Box, Font, Points, text_size
from hipseg.display.marks import Marks
from hipseg.guidance.geometry import Labels, ScanPlane, occupied_labels
from hipseg.guidance.structures import StructureFinding
from hipseg.runtime.segmentation import Segmentation

_MIN_CELLS, _MIN_AREA_MM2 = 8, 1.0
_MAX_STEP_CELLS = 6
_ALONG = (0.5, 0.35, 0.65, 0.2, 0.8)
_COMPACT = 0.6
"""Share of its box that a structure fills to hold its own name: a vessel does, a capsule does not."""
_SMOOTHING = np.array([1, 2, 3, 2, 1]) / 9

SHORT_NAMES = {
    anatomy.JOINT_RECESS: "recess",
    anatomy.ANTERIOR_CAPSULE: "capsule",
    anatomy.FEMORAL_HEAD: "head",
    anatomy.FEMORAL_NECK: "neck",
    anatomy.ACETABULUM: "acetabulum",
    anatomy.LABRUM: "labrum",
    anatomy.FEMORAL_NERVE: "nerve",
    anatomy.FEMORAL_VEIN: "vein",
    anatomy.FEMORAL_ARTERY: "artery",
}
"""In the order they are drawn: what must not be hidden comes last."""


def mark_anatomy(
    marks: Marks,
    segmentation: Segmentation,
    structures: dict[str, StructureFinding],
    taken: list[Box],
    *,
    shown: Collection[int] = tuple(SHORT_NAMES),
    named: bool = True,
) -> None:
    """Marks the structures that are present; the needle has marks of its own.

    Args:
        marks: of the frame; added to.
        segmentation, structures: of the frame.
        taken: boxes no name may cover; the names' own are added.
        shown: ids of the structures that are marked.
        named: with their names.
    """
    present = [
        class_id
        for class_id in SHORT_NAMES
        if class_id in shown and structures[anatomy.STRUCTURES[class_id].name].present
    ]
    labels_HW = occupied_labels(segmentation.labels_HW, segmentation.grid)
    corner, opposite = marks.place(marks.plane.from_cells([(0, 0), (1, 1)]))
    lines = {
        class_id: [corner + cells * (opposite - corner) for cells in pieces]
        for class_id, pieces in _lines(labels_HW, present, marks.plane).items()
    }
    for class_id, pieces in lines.items():
        bone = class_id in anatomy.BONES
        for piece in pieces:
            marks.stroke(piece, anatomy.STRUCTURES[class_id].colour, marks.layout.px(2 if bone else 1), closed=not bone)
    for class_id, pieces in reversed(lines.items()):
        if pieces and named:
            _mark_name(marks, class_id, max(pieces, key=len), taken)


def _lines(labels_HW: Labels, class_ids: Sequence[int], plane: ScanPlane) -> dict[int, list[Points]]:
    """What is drawn of each structure, in cells: of bone the cortex, since a band's lower edge is none; else outlines.

    Lines are found on the network's grid and scaled up: that is all there is to know.
    """
    lines: dict[int, list[Points]] = {class_id: [] for class_id in class_ids}
    outlines, owners = [], []
    for class_id in class_ids:
        mask_HW = labels_HW == class_id
        left, top, width, height = cv2.boundingRect(mask_HW.view(np.uint8))
        if class_id in anatomy.BONES:
            lines[class_id].extend(np.add(cells, (0, top)) for cells in _cortex(mask_HW[top : top + height]))
            continue
        part_HW = mask_HW[top : top + height, left : left + width].astype(np.uint8)
        contours, _ = cv2.findContours(part_HW, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE, offset=(left, top))
        for contour in contours:
            if cv2.contourArea(contour) * plane.cell_area_mm2 >= _MIN_AREA_MM2:
                outlines.append(contour[:, 0])
                owners.append(class_id)
    for class_id, line in zip(owners, _smoothed(outlines), strict=True):
        lines[class_id].append(line)
    return lines


def _cortex(mask_HW: npt.NDArray[np.bool_]) -> Iterator[Points]:
    """The upper edge of a band, in one piece as long as it goes on from column to column."""
    columns, rows = _uppermost(mask_HW)
    breaks = np.flatnonzero((np.diff(columns) > 1) | (np.abs(np.diff(rows)) > _MAX_STEP_CELLS)) + 1
    for piece_x, piece_y in zip(np.split(columns, breaks), np.split(rows, breaks), strict=True):
        if len(piece_x) >= _MIN_CELLS:
            reach = len(_SMOOTHING) // 2
            padded = np.concatenate([piece_y[:1].repeat(reach), piece_y, piece_y[-1:].repeat(reach)])
            yield np.stack([piece_x, np.convolve(padded, _SMOOTHING, mode="valid")], axis=1)


def _uppermost(mask_HW: npt.NDArray[np.bool_]) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float64]]:
    """The columns that hold a cell, and the upper edge of the first cell in each."""
    height, width = mask_HW.shape
    cells = mask_HW.ravel()
    below_another = np.flatnonzero(cells[width:] > cells[:-width]) + width
    tops = np.concatenate([np.flatnonzero(cells[:width]), below_another])
    first = np.full(width, height)
    # From below: of several in a column the last one that is written stays, the uppermost.
    first[tops[::-1] % width] = tops[::-1] // width
    columns = np.flatnonzero(first < height)
    return columns, first[columns] - 0.5


def _smoothed(outlines: Sequence[npt.NDArray[np.int32]]) -> list[Points]:
    """Closed outlines [n, 2] without the grid's stairs; all at once, for a call costs more than its sums."""
    if not outlines:
        return []
    reach = len(_SMOOTHING) // 2
    around = np.concatenate([part for cells in outlines for part in (cells[-reach:], cells, cells[:reach])])
    smooth = np.stack([np.convolve(around[:, axis], _SMOOTHING, mode="valid") for axis in (0, 1)], axis=1)
    lengths = [len(cells) for cells in outlines]
    begins = np.cumsum([0, *lengths[:-1]]) + 2 * reach * np.arange(len(outlines))
    return [smooth[begin : begin + length] for begin, length in zip(begins, lengths, strict=True)]


def _mark_name(marks: Marks, class_id: int, line: Points, taken: list[Box]) -> None:
    """Writes a name at the first place by its structure that is free; a name that fits nowhere is left out."""
    layout = marks.layout
    name, font = SHORT_NAMES[class_id], Font(0.42 * layout.ui)
    width, height = text_size(name, font)
    size = (width + 4, height + 6)
    for x, y in _places(line, size, layout.px(4), below=class_id in anatomy.BONES):
        box = Box(round(x), round(y), *size)
        if layout.picture.holds(box) and not any(box.overlaps(other) for other in taken):
            marks.write(name, (box.x + 2, box.y + height + 2), font, anatomy.STRUCTURES[class_id].colour)
            taken.append(box)
            return


def _places(line: Points, size: tuple[int, int], gap: int, *, below: bool) -> Iterator[tuple[float, float]]:
    """Corners for a box of `size`, best first: inside a roomy structure, else along its line, ever farther off.

    Bone is named in its shadow, where nothing is to be seen; everything else above its upper edge.
    """
    width, height = size
    line_x, line_y = np.ascontiguousarray(line.T)
    left, right, top, bottom = line_x.min(), line_x.max(), line_y.min(), line_y.max()
    has_room = right - left > 1.3 * width and bottom - top > 2 * height
    if not below and has_room and _area(line) > _COMPACT * (right - left) * (bottom - top):
        yield (left + right - width) / 2, (top + bottom - height) / 2
    for reach in (gap, 3 * gap, 8 * gap):
        for share in _ALONG:
            x = left + share * (right - left)
            near_y = line_y[np.abs(line_x - x) <= max(width / 2, 2.0)]
            if len(near_y):
                yield x - width / 2, near_y.max() + reach if below else near_y.min() - height - reach
        yield right + reach, (top + bottom - height) / 2
        yield left - width - reach, (top + bottom - height) / 2
        yield (left + right - width) / 2, bottom + reach


def _area(outline: Points) -> float:
    return cv2.contourArea(outline.astype(np.float32))
