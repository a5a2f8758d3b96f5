"""Finds letters that are drawn into an ultrasound image, to blank them or to say that one is not sure.

What sets letters apart from tissue: thin strokes, drawn in one grey level with sharp edges, of about the same height,
standing in a row. On a clip they also stand still.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from hipseg.data.reading import ImageHW
from hipseg.frame import ScanRegion

_LEVELS = range(48, 256, 12)  # letters stand out above one of these, whatever tissue is behind them
_HEIGHTS_PX = (5, 64)
_WIDEST = 1.8  # of a letter, as a multiple of its height
_FILLED = (0.12, 0.85)
_STEEP, _STEEP_SHARE = 45, 0.65
# Chosen on 150 scans of the shared data without text, and 200 rows of text drawn into them in six fonts of 9-40 px.
_CONTRAST, _PLAIN, _PLAIN_SHARE, _THICKEST = 40, 0.75, 0.5, 0.45
_FEWEST_IN_A_ROW, _FEWEST_DRAWN_IN_A_ROW, _FEWEST_TO_DOUBT = 3, 2, 3
_LARGEST_GAP, _SMALLEST_OVERLAP, _LARGEST_HEIGHT_RATIO = 1.2, 0.7, 1.4
_MARGIN = 0.35  # of a letter's height, blanked around a row


class Box(NamedTuple):
    """A part of an image, pixels."""

    x: int
    y: int
    width: int
    height: int


class Mark(NamedTuple):
    """Something bright with sharp edges and of a letter's shape.

    Attributes:
        box: around it.
        is_drawn: thin strokes of one grey level, as hardly any tissue is.
    """

    box: Box
    is_drawn: bool


@dataclass(frozen=True, slots=True)
class Lettering:
    """What looks like text.

    Attributes:
        rows: boxes around rows of letters, inside the region or so near that the next letter may be.
        has_text: whether a letter of a row lies inside the region.
        num_doubtful: marks that look drawn and stand in no row.
    """

    rows: list[Box]
    has_text: bool
    num_doubtful: int

    @property
    def is_doubtful(self) -> bool:
        """Whether a person has to look."""
        return self.num_doubtful >= _FEWEST_TO_DOUBT


def find_lettering(image_HW: ImageHW, region: ScanRegion) -> Lettering:
    """Looks for letters inside a region and on its border; boxes are in pixels of the whole image.

    Args:
        image_HW: brightest channel, uint8; of a clip the darkest of several frames, where letters stay bright.
        region: the part that is kept.
    """
    window = _with_surroundings(region, image_HW.shape)
    scan_HW = np.ascontiguousarray(image_HW[window.slices])
    step_HW = np.asarray(cv2.morphologyEx(scan_HW, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)), np.uint8)
    inner = Box(region.x - window.x, region.y - window.y, region.width, region.height)
    rows: list[Box] = []
    has_text, num_doubtful = False, 0
    for level in _LEVELS:
        marks = _marks(scan_HW, step_HW, level)
        in_rows = [row for row in _rows(marks) if _reaches(row, inner)]
        rows += [_around(row, scan_HW.shape, window) for row in in_rows]
        settled = {mark for row in in_rows for mark in row}
        has_text |= any(_overlap(mark.box, inner) for mark in settled)
        num_drawn = sum(mark.is_drawn and mark not in settled and _overlap(mark.box, inner) for mark in marks)
        num_doubtful = max(num_doubtful, num_drawn)
    return Lettering(rows, has_text, num_doubtful)


def _with_surroundings(region: ScanRegion, shape: tuple[int, ...]) -> ScanRegion:
    """The region and what is so near that letters there may reach into it."""
    around = 4 * _HEIGHTS_PX[1]
    left, top = max(region.x - around, 0), max(region.y - around, 0)
    right = min(region.x + region.width + around, shape[1])
    bottom = min(region.y + region.height + around, shape[0])
    return ScanRegion(left, top, right - left, bottom - top, region.origin)


def _reaches(row: Sequence[Mark], inner: Box) -> bool:
    """Whether a letter lies inside, or so near to it that the next one may."""
    return any(_overlap(_grown(mark.box, round(_LARGEST_GAP * mark.box.height)), inner) for mark in row)


def _grown(box: Box, sideways: int) -> Box:
    return Box(box.x - sideways, box.y, box.width + 2 * sideways, box.height)


def _overlap(one: Box, other: Box) -> bool:
    shared_x = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
    shared_y = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
    return shared_x > 0 and shared_y > 0


def _marks(scan_HW: ImageHW, step_HW: ImageHW, level: int) -> list[Mark]:
    """Connected marks above a grey level that could each be a letter."""
    bright = (scan_HW > level).astype(np.uint8)
    num, marks, stats, _ = cv2.connectedComponentsWithStats(bright, connectivity=8)
    boxes = np.asarray(stats[1:num], np.int64)
    filled = boxes[:, 4] / (boxes[:, 2] * boxes[:, 3])
    plausible = (boxes[:, 3] >= _HEIGHTS_PX[0]) & (boxes[:, 3] <= _HEIGHTS_PX[1])
    plausible &= (boxes[:, 2] <= _WIDEST * boxes[:, 3]) & (filled >= _FILLED[0])
    plausible &= (filled <= _FILLED[1]) | (boxes[:, 2] < boxes[:, 3] / 2)
    found = []
    for index in np.flatnonzero(plausible):
        box = Box(*boxes[index, :4].tolist())
        view = np.s_[box.y : box.y + box.height, box.x : box.x + box.width]
        if _is_steep(np.asarray(marks[view]) == index + 1, step_HW[view]):
            near = np.s_[max(box.y - 2, 0) : box.y + box.height + 2, max(box.x - 2, 0) : box.x + box.width + 2]
            found.append(Mark(box, _is_drawn(np.asarray(marks[near]) == index + 1, scan_HW[near], box.height)))
    return found


def _is_steep(mark: npt.NDArray[np.bool_], step: ImageHW) -> bool:
    """Whether a mark's edges are sharp all around, as of something drawn."""
    inner = cv2.erode(mark.astype(np.uint8), np.ones((3, 3), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return float(np.mean(step[mark & (inner == 0)] >= _STEEP)) >= _STEEP_SHARE


def _is_drawn(mark: npt.NDArray[np.bool_], grey: ImageHW, height: int) -> bool:
    """Whether a mark has thin strokes of one grey level that stands out from what surrounds it two pixels away."""
    bits = mark.astype(np.uint8)
    beside = cv2.dilate(bits, np.ones((5, 5), np.uint8)) > cv2.dilate(bits, np.ones((3, 3), np.uint8))
    if not beside.any():
        return False
    ground, ink = float(np.median(grey[beside])), float(np.percentile(grey[mark], 90))
    is_plain = float(np.mean(grey[mark] >= ground + _PLAIN * (ink - ground))) >= _PLAIN_SHARE
    stroke = 2 * float(cv2.distanceTransform(np.pad(bits, 1), cv2.DIST_L2, 3).max())
    return ink - ground >= _CONTRAST and is_plain and stroke <= _THICKEST * height


def _rows(marks: Sequence[Mark]) -> list[list[Mark]]:
    """Marks of one height that follow each other from left to right: at least three, or two that look drawn."""
    rows: list[list[Mark]] = []
    for mark in sorted(marks):
        fitting = [row for row in rows if _follows(row[-1].box, mark.box)]
        if fitting:
            min(fitting, key=lambda row: mark.box.x - row[-1].box.x).append(mark)
        else:
            rows.append([mark])
    return [row for row in rows if _is_a_row(row)]


def _is_a_row(marks: Sequence[Mark]) -> bool:
    return len(marks) >= _FEWEST_IN_A_ROW or sum(mark.is_drawn for mark in marks) >= _FEWEST_DRAWN_IN_A_ROW


def _follows(left: Box, right: Box) -> bool:
    taller, smaller = max(left.height, right.height), min(left.height, right.height)
    overlap = min(left.y + left.height, right.y + right.height) - max(left.y, right.y)
    gap = right.x - (left.x + left.width)
    return (
        gap <= _LARGEST_GAP * taller
        and overlap >= _SMALLEST_OVERLAP * smaller
        and taller <= _LARGEST_HEIGHT_RATIO * smaller + 2
    )


def _around(row: Sequence[Mark], shape: tuple[int, ...], region: ScanRegion) -> Box:
    """A box around a row with room for what hangs below, for accents, and for thin letters before and after it."""
    boxes = [mark.box for mark in row]
    tallest = max(box.height for box in boxes)
    margin_y, margin_x = round(_MARGIN * tallest) + 2, round(2.5 * tallest)
    left = max(min(box.x for box in boxes) - margin_x, 0)
    top = max(min(box.y for box in boxes) - margin_y, 0)
    right = min(max(box.x + box.width for box in boxes) + margin_x, shape[1])
    bottom = min(max(box.y + box.height for box in boxes) + margin_y, shape[0])
    return Box(left + region.x, top + region.y, right - left, bottom - top)
