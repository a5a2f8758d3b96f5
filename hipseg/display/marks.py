"""Marks of one frame: gathered first, then drawn together, every bright stroke on a dark edge, words on top.

The dark edges of most strokes are one shade, found by widening them all on a mask: that costs a fourth of drawing
each twice. What matters most, tip and target, is raised: its own dark edge sets it off from other strokes too.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from hipseg.anatomy import Rgb
from hipseg.display.drawing import (
    FAR_PX,
    SHIFT,
    Canvas,
    FixedPoints,
    Font,
    Points,
    fixed,
    polyline,
    stroke_edged,
    write_over_image,
)
from hipseg.display.layout import Layout
from hipseg.frame import ImageHW
from hipseg.guidance.geometry import ScanPlane

_TURN_RAD = np.radians(np.arange(0, 360, 6))
_CIRCLE = np.stack([np.cos(_TURN_RAD), np.sin(_TURN_RAD)], axis=1)
_OPAQUE = 255


class _Pen(NamedTuple):
    colour: Rgb
    thickness: int
    closed: bool


class _Words(NamedTuple):
    text: str
    left_baseline: tuple[int, int]
    font: Font
    colour: Rgb


class Marks:
    """What is to be drawn on the image of one frame, in pixels of the layout's picture.

    Strokes of one pen are drawn together, pens in the order of their first stroke, raised ones above them.

    Args:
        layout: of the canvas.
        plane: of the frame.

    Attributes:
        layout, plane: as given.
    """

    def __init__(self, layout: Layout, plane: ScanPlane) -> None:
        self.layout, self.plane = layout, plane
        self._px_of_mm = layout.zoom / np.array([plane.column_mm, plane.row_mm])
        self._origin = layout.on_picture((plane.region.x, plane.region.y))
        self._strokes: dict[_Pen, list[FixedPoints]] = {}
        self._raised: list[tuple[_Pen, FixedPoints]] = []
        self._words: list[_Words] = []

    def place(self, points_mm: Points) -> Points:
        """Millimetres [..., 2] of the plane to pixels of the picture."""
        points: Points = points_mm * self._px_of_mm + self._origin
        return points

    def stroke(
        self, points: Points, colour: Rgb, thickness: int, *, closed: bool = False, raised: bool = False
    ) -> None:
        """A polyline [n, 2]."""
        line, pen = polyline(points, closed=closed), _Pen(colour, thickness, closed)
        if raised:
            self._raised.append((pen, line))
        else:
            self._strokes.setdefault(pen, []).append(line)

    def dashes(self, start: Points, end: Points, colour: Rgb, thickness: int, *, dash_px: float) -> None:
        """A dashed straight line."""
        length = float(np.hypot(*(end - start)))
        if not dash_px < length < FAR_PX:
            return
        begins = np.arange(0, length, 2 * dash_px)
        shares_N2 = np.stack([begins, np.minimum(begins + dash_px, length)], axis=1) / length
        lines_N22 = fixed(start + shares_N2[..., None] * (end - start))
        self._strokes.setdefault(_Pen(colour, thickness, closed=False), []).extend(lines_N22)

    def ellipse(
        self, centre: Points, radii: tuple[float, float], colour: Rgb, thickness: int, *, angle_deg: float = 0.0
    ) -> None:
        """An ellipse, raised.

        Args:
            centre: of it.
            radii: along its first axis and across.
            colour, thickness: of the stroke.
            angle_deg: of the first axis, from x toward y.
        """
        cosine, sine = np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))
        axes = np.array([(radii[0] * cosine, radii[0] * sine), (-radii[1] * sine, radii[1] * cosine)])
        self.stroke(centre + _CIRCLE @ axes, colour, thickness, closed=True, raised=True)

    def write(self, text: str, left_baseline: tuple[int, int], font: Font, colour: Rgb) -> None:
        """One line of text, dark all around."""
        self._words.append(_Words(text, left_baseline, font, colour))

    def shade(self, memory_2HW: ImageHW) -> ImageHW:
        """How dark the image is to be under and beside the strokes, [H, W]: 255 black, 0 as it is.

        Args:
            memory_2HW: two masks of the picture's size, the second one for the answer. Their content does not matter:
                memory that stays from frame to frame is there already.
        """
        mask_HW, shade_HW = memory_2HW
        mask_HW.fill(0)
        edge = self.layout.px(1)
        for pen, lines in self._strokes.items():
            # The thinnest pen as a line of one pixel, which OpenCV draws many times faster than one of two.
            cv2.polylines(mask_HW, lines, pen.closed, _OPAQUE, max(pen.thickness - edge + 1, 1), cv2.LINE_AA, SHIFT)
        reach = edge + 2 | 1
        return np.asarray(cv2.dilate(mask_HW, np.ones((reach, reach), np.uint8), dst=shade_HW), np.uint8)

    def draw(self, picture: Canvas) -> None:
        """Strokes and words, on a picture that has been shaded."""
        for pen, lines in self._strokes.items():
            cv2.polylines(picture, lines, pen.closed, pen.colour, pen.thickness, cv2.LINE_AA, SHIFT)
        for pen, line in self._raised:
            stroke_edged(picture, line, pen.colour, pen.thickness, closed=pen.closed)
        for words in self._words:
            write_over_image(picture, *words)
