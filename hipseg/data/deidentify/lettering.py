"""Finds letters that are drawn into an ultrasound image, to blank them or to say that one is not sure.

What sets letters apart from tissue: strokes a few pixels wide, drawn in one grey level with sharp edges, of about the
same height, standing in a row. On a clip they also stand still.
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
_FEWEST_IN_A_ROW, _FEWEST_TO_DOUBT = 3, 7
_LARGEST_GAP, _SMALLEST_OVERLAP, _LARGEST_HEIGHT_RATIO = 1.2, 0.7, 1.4
_MARGIN = 0.35  # of a letter's height, blanked around a row


class Box(NamedTuple):
    """A part of an image, pixels."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Lettering:
    """What looks like text.

    Attributes:
        rows: boxes around rows of letters.
        num_doubtful: single marks that may be letters and stand in no row.
    """

    rows: list[Box]
    num_doubtful: int

    @property
    def is_doubtful(self) -> bool:
        """Whether a person has to look."""
        return self.num_doubtful >= _FEWEST_TO_DOUBT


def find_lettering(image_HW: ImageHW, region: ScanRegion) -> Lettering:
    """Looks for letters inside a region; boxes are in pixels of the whole image.

    Args:
        image_HW: brightest channel, uint8; of a clip the darkest of several frames, where letters stay bright.
        region: the part that is kept.
    """
    scan_HW = np.ascontiguousarray(image_HW[region.slices])
    step_HW = np.asarray(cv2.morphologyEx(scan_HW, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)), np.uint8)
    rows: list[Box] = []
    doubtful: list[Box] = []
    for level in _LEVELS:
        letters = _letters(scan_HW, step_HW, level)
        in_rows = _rows(letters)
        rows += [_around(row, scan_HW.shape, region) for row in in_rows]
        doubtful = max(doubtful, sorted(set(letters) - {letter for row in in_rows for letter in row}), key=len)
    return Lettering(rows, len(doubtful))


def _letters(scan_HW: ImageHW, step_HW: ImageHW, level: int) -> list[Box]:
    """Boxes of connected marks above a grey level that could each be a letter."""
    bright = (scan_HW > level).astype(np.uint8)
    num, marks, stats, _ = cv2.connectedComponentsWithStats(bright, connectivity=8)
    boxes = np.asarray(stats[1:num], np.int64)
    filled = boxes[:, 4] / (boxes[:, 2] * boxes[:, 3])
    plausible = (boxes[:, 3] >= _HEIGHTS_PX[0]) & (boxes[:, 3] <= _HEIGHTS_PX[1])
    plausible &= (boxes[:, 2] <= _WIDEST * boxes[:, 3]) & (filled >= _FILLED[0])
    plausible &= (filled <= _FILLED[1]) | (boxes[:, 2] < boxes[:, 3] / 2)
    found = []
    for index in np.flatnonzero(plausible):
        x, y, width, height, _ = boxes[index].tolist()
        view = np.s_[y : y + height, x : x + width]
        if _is_steep(np.asarray(marks[view]) == index + 1, step_HW[view]):
            found.append(Box(x, y, width, height))
    return found


def _is_steep(mark: npt.NDArray[np.bool_], step: ImageHW) -> bool:
    """Whether a mark's edges are sharp all around, as of something drawn."""
    inner = cv2.erode(mark.astype(np.uint8), np.ones((3, 3), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return float(np.mean(step[mark & (inner == 0)] >= _STEEP)) >= _STEEP_SHARE


def _rows(letters: Sequence[Box]) -> list[list[Box]]:
    """Letters of one height that follow each other from left to right, at least three."""
    rows: list[list[Box]] = []
    for letter in sorted(letters):
        fitting = [row for row in rows if _follows(row[-1], letter)]
        if fitting:
            min(fitting, key=lambda row: letter.x - row[-1].x).append(letter)
        else:
            rows.append([letter])
    return [row for row in rows if len(row) >= _FEWEST_IN_A_ROW]


def _follows(left: Box, right: Box) -> bool:
    taller, smaller = max(left.height, right.height), min(left.height, right.height)
    overlap = min(left.y + left.height, right.y + right.height) - max(left.y, right.y)
    gap = right.x - (left.x + left.width)
    return (
        gap <= _LARGEST_GAP * taller
        and overlap >= _SMALLEST_OVERLAP * smaller
        and taller <= _LARGEST_HEIGHT_RATIO * smaller + 2
    )


def _around(row: Sequence[Box], shape: tuple[int, ...], region: ScanRegion) -> Box:
    """A box around a row with room for what hangs below, for accents, and for thin letters before and after it."""
    tallest = max(letter.height for letter in row)
    margin_y, margin_x = round(_MARGIN * tallest) + 2, round(2.5 * tallest)
    left = max(min(letter.x for letter in row) - margin_x, 0)
    top = max(min(letter.y for letter in row) - margin_y, 0)
    right = min(max(letter.x + letter.width for letter in row) + margin_x, shape[1])
    bottom = min(max(letter.y + letter.height for letter in row) + margin_y, shape[0])
    return Box(left + region.x, top + region.y, right - left, bottom - top)
