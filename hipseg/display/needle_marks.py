"""Needle, tip with its doubt, projected path and target, on the image."""

from __future__ import annotations

import numpy as np

from hipseg.display import palette
from hipseg.display.drawing import Box, Canvas, Font, Points, dashes, ring, stroke, text_size, write_over_image
from hipseg.display.layout import Layout
from hipseg.guidance.engine import Guidance
from hipseg.guidance.geometry import ScanPlane
from hipseg.guidance.tracking import NeedleState, TrackedNeedle

_PATH_MM = 30.0
_MIN_TIP_RADIUS, _TARGET_RADIUS = 4.0, 7.0


def reserve(guidance: Guidance, layout: Layout) -> list[Box]:
    """Boxes about tip and target that nothing else may cover."""
    points = []
    if guidance.target is not None:
        points.append(guidance.target.point_mm)
    if guidance.needle is not None and guidance.needle.tip_mm is not None:
        points.append(guidance.needle.tip_mm)
        points.extend(_along_shaft(guidance.needle))
    reach = layout.px(12)
    corners = [_on_picture(point, guidance.plane, layout) - reach for point in points]
    return [Box(round(x), round(y), 2 * reach, 2 * reach) for x, y in corners]


def _along_shaft(needle: TrackedNeedle) -> list[Points]:
    if needle.entry_mm is None or needle.tip_mm is None:
        return []
    return [needle.tip_mm + share * (needle.entry_mm - needle.tip_mm) for share in np.linspace(0.1, 1, 10)]


def draw_target(picture: Canvas, guidance: Guidance, layout: Layout) -> None:
    """A cross with an open middle: the place itself stays visible."""
    if guidance.target is None:
        return
    centre = _on_picture(guidance.target.point_mm, guidance.plane, layout)
    radius, thickness = layout.px(_TARGET_RADIUS), layout.px(1)
    ring(picture, centre, radius, palette.TARGET, thickness)
    for direction in np.array([(1, 0), (-1, 0), (0, 1), (0, -1)], dtype=np.float64):
        arm = centre + np.outer((0.6 * radius, 1.8 * radius), direction)
        stroke(picture, arm, palette.TARGET, thickness)


def draw_needle(picture: Canvas, guidance: Guidance, layout: Layout) -> None:
    """The seen shaft solid, what is only projected dashed, the tip as a circle of one sigma."""
    needle, plane = guidance.needle, guidance.plane
    if needle is None:
        return
    if needle.shaft is not None:
        ends = np.stack([needle.shaft.shallow_mm, needle.shaft.end_mm if needle.tip_mm is None else needle.tip_mm])
        stroke(picture, _on_picture(ends, plane, layout), palette.NEEDLE, layout.px(1))
    if needle.tip_mm is None or needle.line is None:
        return
    tip = _on_picture(needle.tip_mm, plane, layout)
    ahead = _on_picture(needle.tip_mm + _PATH_MM * needle.line.direction, plane, layout)
    dashes(picture, tip, ahead, palette.NEEDLE, layout.px(1), dash_px=layout.px(5))
    if needle.entry_mm is not None and needle.shaft is not None:
        entry = _on_picture(needle.entry_mm, plane, layout)
        first_seen = _on_picture(needle.shaft.shallow_mm, plane, layout)
        dashes(picture, entry, first_seen, palette.NEEDLE, layout.px(1), dash_px=layout.px(3))
    _draw_tip(picture, needle, tip, plane, layout)


def _draw_tip(picture: Canvas, needle: TrackedNeedle, tip: Points, plane: ScanPlane, layout: Layout) -> None:
    sigma_px = (needle.sigma_mm or 0.0) / plane.pixel_mm * layout.zoom
    ring(picture, tip, max(sigma_px, layout.px(_MIN_TIP_RADIUS)), palette.NEEDLE, layout.px(1))
    if needle.state is NeedleState.TRACKED:
        ring(picture, tip, layout.px(1), palette.NEEDLE, layout.px(1))
        return
    font = Font(0.42 * layout.ui)
    width, height = text_size("tip not seen", font)
    left = min(round(tip[0]) + layout.px(12), layout.picture.width - width)
    write_over_image(picture, "tip not seen", (left, round(tip[1]) + height // 2), font, palette.NEEDLE)


def _on_picture(points_mm: Points, plane: ScanPlane, layout: Layout) -> Points:
    return layout.on_picture(plane.to_frame_px(points_mm))
