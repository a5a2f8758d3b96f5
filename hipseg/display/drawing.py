"""Strokes and text that stay readable on any ultrasound image: every bright mark has a dark edge.

Colours are RGB. Coordinates are x, y in pixels of the canvas, finer than a pixel.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from hipseg.anatomy import Rgb

Canvas = npt.NDArray[np.uint8]
Points = npt.NDArray[np.float64]
FixedPoints = npt.NDArray[np.int32]
"""Positions in sixteenths of a pixel, as OpenCV draws them."""

SHIFT, FAR_PX = 4, 1 << 14
_OPAQUE = 255
_UNSEEN, _FEW_POINTS = 0.3 * (1 << SHIFT), 8
_HAS_UNICODE = int(cv2.__version__.split(".")[0]) >= 5
_ASCII = str.maketrans({"±": "+-", "°": " deg", "–": "-"})
"""OpenCV 4 draws text with vector fonts of ASCII only."""

BLACK: Rgb = (0, 0, 0)
WHITE: Rgb = (255, 255, 255)


class Box(NamedTuple):
    """A rectangle of canvas pixels."""

    x: int
    y: int
    width: int
    height: int

    def overlaps(self, other: Box) -> bool:
        """Whether two boxes share a pixel."""
        across = self.x < other.x + other.width and other.x < self.x + self.width
        return across and self.y < other.y + other.height and other.y < self.y + self.height

    def of(self, canvas: Canvas) -> Canvas:
        """The pixels of a canvas inside, as a view."""
        return canvas[self.y : self.y + self.height, self.x : self.x + self.width]

    def holds(self, other: Box) -> bool:
        """Whether the other box lies inside entirely."""
        across = self.x <= other.x and other.x + other.width <= self.x + self.width
        return across and self.y <= other.y and other.y + other.height <= self.y + self.height


class Font(NamedTuple):
    """Size relative to OpenCV's base size, and stroke."""

    scale: float
    weight: int = 1


@lru_cache(maxsize=2048)
def text_size(text: str, font: Font) -> tuple[int, int]:
    """Width and height of one line, pixels."""
    (width, height), _ = cv2.getTextSize(_plain(text), cv2.FONT_HERSHEY_SIMPLEX, font.scale, font.weight)
    return width, height


def write(canvas: Canvas, text: str, left_baseline: tuple[int, int], font: Font, colour: Rgb) -> None:
    """One line of text on a plain ground."""
    cv2.putText(
        canvas, _plain(text), left_baseline, cv2.FONT_HERSHEY_SIMPLEX, font.scale, colour, font.weight, cv2.LINE_AA
    )


def write_over_image(canvas: Canvas, text: str, left_baseline: tuple[int, int], font: Font, colour: Rgb) -> None:
    """One line of text on an image: dark all around."""
    stamp = _stamp(text, font, colour)
    left, top = left_baseline[0] - stamp.left, left_baseline[1] - stamp.baseline
    height, width = stamp.ink_HW3.shape[:2]
    box = Box(max(left, 0), max(top, 0), width + min(left, 0), height + min(top, 0))
    under = box.of(canvas) if box.width > 0 and box.height > 0 else canvas[:0]
    if not under.size:
        return
    seen = (slice(box.y - top, box.y - top + under.shape[0]), slice(box.x - left, box.x - left + under.shape[1]))
    dimmed = cv2.multiply(under, stamp.clear_HW3[seen], scale=1 / _OPAQUE)
    under[...] = cv2.add(dimmed, stamp.ink_HW3[seen])


class _Stamp(NamedTuple):
    """Text that is drawn often: what it adds to a picture, and how much of the picture stays, in 1/255.

    The baseline begins `left` and `baseline` pixels from its corner.
    """

    ink_HW3: Canvas
    clear_HW3: Canvas
    left: int
    baseline: int


@lru_cache(maxsize=512)
def _stamp(text: str, font: Font, colour: Rgb) -> _Stamp:
    """Drawn on black and on white: the difference tells how much of a ground would be seen through it."""
    width, height = text_size(text, font)
    margin, baseline = height // 2 + 2, height + 2
    on_black, on_white = (np.full((baseline + margin, width + 2 * margin, 3), ground, np.uint8) for ground in (0, 255))
    for canvas in (on_black, on_white):
        for step_x, step_y in ((-1, 0), (1, 0), (0, -1), (0, 1), (1, 1), (-1, 1), (1, -1), (-1, -1)):
            write(canvas, text, (margin + step_x, baseline + step_y), font, BLACK)
        write(canvas, text, (margin, baseline), font, colour)
    return _Stamp(on_black, np.asarray(cv2.subtract(on_white, on_black), np.uint8), margin, baseline)


def fill(canvas: Canvas, box: Box, colour: Rgb) -> None:
    """A plain rectangle."""
    cv2.rectangle(canvas, tuple(box), colour, cv2.FILLED)


def stroke(canvas: Canvas, points: Points, colour: Rgb, thickness: int, *, closed: bool = False) -> None:
    """A polyline [n, 2] with a dark edge."""
    stroke_edged(canvas, polyline(points, closed=closed), colour, thickness, closed=closed)


def stroke_edged(canvas: Canvas, line: FixedPoints, colour: Rgb, thickness: int, *, closed: bool) -> None:
    """A polyline as `polyline` gives it, with a dark edge."""
    cv2.polylines(canvas, [line], closed, BLACK, thickness + 2, cv2.LINE_AA, SHIFT)
    cv2.polylines(canvas, [line], closed, colour, thickness, cv2.LINE_AA, SHIFT)


def polyline(points: Points, *, closed: bool) -> FixedPoints:
    """Points [n, 2] without those that lie on the line between others as well as an eye can tell: each costs time."""
    line = fixed(points)
    if len(line) <= _FEW_POINTS:
        return line
    return np.asarray(cv2.approxPolyDP(line, _UNSEEN, closed), np.int32)


def ring(canvas: Canvas, centre: Points, radius: float, colour: Rgb, thickness: int) -> None:
    """A circle with a dark edge."""
    x, y = fixed(centre)
    fixed_radius = round(min(radius, FAR_PX) * (1 << SHIFT))
    cv2.circle(canvas, (x, y), fixed_radius, BLACK, thickness + 2, cv2.LINE_AA, SHIFT)
    cv2.circle(canvas, (x, y), fixed_radius, colour, thickness, cv2.LINE_AA, SHIFT)


def fixed(points: Points) -> FixedPoints:
    """Positions as OpenCV draws them; what lies far outside is moved nearer."""
    within: Points = np.minimum(np.maximum(points, -FAR_PX), FAR_PX)
    return np.rint(within * (1 << SHIFT)).astype(np.int32)


def _plain(text: str) -> str:
    return text if _HAS_UNICODE else text.translate(_ASCII)
