"""Outlines of the structures, in anatomy's colours, with a name each."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import cv2
import numpy as np
import numpy.typing as npt

from hipseg import anatomy
from hipseg.display.drawing import Box, Canvas, Font, Points, stroke, text_size, write_over_image
from hipseg.display.layout import Layout
from hipseg.guidance.geometry import ScanPlane, occupied_labels
from hipseg.guidance.structures import StructureFinding
from hipseg.runtime.segmentation import Segmentation

_MIN_CELLS, _MIN_AREA_MM2 = 8, 1.0
_MAX_STEP_CELLS = 6
_ALONG = (0.5, 0.35, 0.65, 0.2, 0.8)
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


def draw_anatomy(
    picture: Canvas,
    segmentation: Segmentation,
    structures: dict[str, StructureFinding],
    plane: ScanPlane,
    layout: Layout,
    taken: list[Box],
    *,
    shown: Collection[int] = tuple(SHORT_NAMES),
    named: bool = True,
) -> None:
    """Draws the structures that are present; the needle has marks of its own.

    Args:
        picture: drawn on.
        segmentation, structures, plane: of the frame.
        layout: of the canvas.
        taken: boxes no name may cover; the names' own are added.
        shown: ids of the structures that are drawn.
        named: with their names.
    """
    labels_HW = occupied_labels(segmentation.labels_HW, segmentation.grid)
    corner, opposite = layout.on_picture(plane.to_frame_px(plane.from_cells([(0, 0), (1, 1)])))
    lines = {
        class_id: [corner + cells * (opposite - corner) for cells in _lines(labels_HW == class_id, class_id, plane)]
        for class_id in SHORT_NAMES
        if class_id in shown and structures[anatomy.STRUCTURES[class_id].name].present
    }
    for class_id, pieces in lines.items():
        bone = class_id in anatomy.BONES
        for piece in pieces:
            colour = anatomy.STRUCTURES[class_id].colour
            stroke(picture, piece, colour, layout.px(2 if bone else 1), closed=not bone)
    for class_id, pieces in reversed(lines.items()):
        if pieces and named:
            _write_name(picture, class_id, max(pieces, key=len), layout, taken)


def _lines(mask_HW: npt.NDArray[np.bool_], class_id: int, plane: ScanPlane) -> Iterator[Points]:
    """What is drawn of a structure, in cells: of bone the cortex, since the band's lower edge is none; else outlines.

    Lines are found on the network's grid and scaled up: that is all there is to know.
    """
    if class_id in anatomy.BONES:
        yield from _cortex(mask_HW)
        return
    contours, _ = cv2.findContours(mask_HW.view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    for contour in contours:
        if cv2.contourArea(contour) * plane.cell_area_mm2 >= _MIN_AREA_MM2:
            yield _smoothed(contour[:, 0, :].astype(np.float64))


def _cortex(mask_HW: npt.NDArray[np.bool_]) -> Iterator[Points]:
    """The upper edge of a band, in one piece as long as it goes on from column to column."""
    columns = np.flatnonzero(mask_HW.any(axis=0))
    rows = mask_HW[:, columns].argmax(axis=0) - 0.5
    breaks = np.flatnonzero((np.diff(columns) > 1) | (np.abs(np.diff(rows)) > _MAX_STEP_CELLS)) + 1
    for piece_x, piece_y in zip(np.split(columns, breaks), np.split(rows, breaks), strict=True):
        if len(piece_x) >= _MIN_CELLS:
            padded = np.pad(piece_y, len(_SMOOTHING) // 2, mode="edge")
            yield np.stack([piece_x, np.convolve(padded, _SMOOTHING, mode="valid")], axis=1)


def _smoothed(cells: Points) -> Points:
    """A closed outline without the grid's stairs."""
    reach = len(_SMOOTHING) // 2
    around = np.concatenate([cells[-reach:], cells, cells[:reach]])
    return np.stack([np.convolve(around[:, axis], _SMOOTHING, mode="valid") for axis in (0, 1)], axis=1)


def _write_name(picture: Canvas, class_id: int, line: Points, layout: Layout, taken: list[Box]) -> None:
    """Writes a name at the first place by its structure that is free; a name that fits nowhere is left out."""
    name, font = SHORT_NAMES[class_id], Font(0.42 * layout.ui)
    width, height = text_size(name, font)
    size = (width + 4, height + 6)
    for x, y in _places(line, size, layout.px(4), below=class_id in anatomy.BONES):
        box = Box(round(x), round(y), *size)
        if layout.picture.holds(box) and not any(box.overlaps(other) for other in taken):
            write_over_image(picture, name, (box.x + 2, box.y + height + 2), font, anatomy.STRUCTURES[class_id].colour)
            taken.append(box)
            return


def _places(line: Points, size: tuple[int, int], gap: int, *, below: bool) -> Iterator[tuple[float, float]]:
    """Corners for a box of `size`, best first: inside a roomy structure, else along its line, ever farther off.

    Bone is named in its shadow, where nothing is to be seen; everything else above its upper edge.
    """
    width, height = size
    left, top = line.min(axis=0)
    right, bottom = line.max(axis=0)
    if not below and right - left > 1.3 * width and bottom - top > 2 * height and _is_compact(line):
        yield (left + right - width) / 2, (top + bottom - height) / 2
    for reach in (gap, 3 * gap, 8 * gap):
        for share in _ALONG:
            x = left + share * (right - left)
            near = line[np.abs(line[:, 0] - x) <= max(width / 2, 2.0)]
            if len(near):
                yield x - width / 2, near[:, 1].max() + reach if below else near[:, 1].min() - height - reach
        yield right + reach, (top + bottom - height) / 2
        yield left - width - reach, (top + bottom - height) / 2
        yield (left + right - width) / 2, bottom + reach


def _is_compact(outline: Points) -> bool:
    """Whether a structure fills its box well enough to hold its own name: a vessel does, a capsule does not."""
    area = cv2.contourArea(outline.astype(np.float32))
    width, height = np.ptp(outline, axis=0)
    return bool(area > 0.6 * width * height)
