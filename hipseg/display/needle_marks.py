"""Needle, tip with its doubt, projected path and target, on the image."""

from __future__ import annotations

import numpy as np

from hipseg.display import palette
from hipseg.display.drawing import (
    Box,
    Canvas,
    Font,
    Points,
    dashes,
    ellipse,
    ring,
    stroke,
    text_size,
    write_over_image,
)
from hipseg.display.layout import Layout
from hipseg.guidance.engine import Guidance
from hipseg.guidance.geometry import ScanPlane
from hipseg.guidance.tracking import NeedleState, TrackedNeedle

_PATH_MM = 30.0
_MIN_TIP_RADIUS, _TARGET_RADIUS = 4.0, 7.0


def reserve(guidance: Guidance, layout: Layout) -> list[Box]:
    """Boxes about tip, shaft, path and target that nothing else may cover."""
    points = [] if guidance.target is None else [guidance.target.point_mm[None]]
    if guidance.needle is not None and guidance.needle.tip_mm is not None:
        points.append(_tip_and_shaft(guidance.needle.tip_mm, guidance.needle.entry_mm))
    if guidance.path is not None:
        points.append(guidance.path.axis_mm[:: max(len(guidance.path.axis_mm) // 10, 1)])
    if not points:
        return []
    reach = layout.px(12)
    corners = _on_picture(np.concatenate(points), guidance.plane, layout) - reach
    return [Box(round(x), round(y), 2 * reach, 2 * reach) for x, y in corners.tolist()]


def _tip_and_shaft(tip_mm: Points, entry_mm: Points | None) -> Points:
    shares = np.linspace(0, 1, 1 if entry_mm is None else 11)
    return tip_mm + shares[:, None] * ((tip_mm if entry_mm is None else entry_mm) - tip_mm)


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


def draw_flow(picture: Canvas, guidance: Guidance, layout: Layout) -> None:
    """Where colour Doppler has shown flow, solid while it does, with its age in seconds when it was before."""
    font = Font(0.38 * layout.ui)
    for region in guidance.flow:
        outline = _on_picture(region.outline_mm, guidance.plane, layout)
        stroke(picture, outline, palette.FLOW, layout.px(2 if region.on_path else 1), closed=True)
        words = "flow" if region.age_s <= 0 else f"flow {region.age_s:.0f} s ago"
        left, top = outline.min(axis=0)
        left = min(max(round(left), 0), layout.picture.width - text_size(words, font)[0])
        write_over_image(picture, words, (left, max(round(top) - layout.px(3), layout.px(12))), font, palette.FLOW)


def draw_suggestion(picture: Canvas, guidance: Guidance, layout: Layout) -> None:
    """The suggested way, while there is no needle to follow it."""
    way, needle = guidance.suggestion, guidance.needle
    is_free = needle is not None and needle.state is NeedleState.ABSENT
    if way is None or way.entry_mm is None or guidance.target is None or not is_free:
        return
    entry, target = (_on_picture(point, guidance.plane, layout) for point in (way.entry_mm, guidance.target.point_mm))
    dashes(picture, entry, target, palette.TARGET, layout.px(1), dash_px=layout.px(8))


def draw_needle(picture: Canvas, guidance: Guidance, layout: Layout, *, with_cone: bool = True) -> None:
    """The seen shaft solid, what is only projected dashed with the edges of its doubt, the tip as its ellipse."""
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
    if with_cone and guidance.path is not None and len(guidance.path.axis_mm) > 1:
        for side_mm in guidance.path.sides_mm():
            near, far = _on_picture(side_mm[0], plane, layout), _on_picture(side_mm[-1], plane, layout)
            dashes(picture, near, far, palette.CONE, layout.px(1), dash_px=layout.px(3))
    if needle.entry_mm is not None and needle.shaft is not None:
        entry = _on_picture(needle.entry_mm, plane, layout)
        first_seen = _on_picture(needle.shaft.shallow_mm, plane, layout)
        dashes(picture, entry, first_seen, palette.NEEDLE, layout.px(1), dash_px=layout.px(3))
    _draw_tip(picture, needle, tip, plane, layout)


def _draw_tip(picture: Canvas, needle: TrackedNeedle, tip: Points, plane: ScanPlane, layout: Layout) -> None:
    px_of_mm = layout.zoom / plane.pixel_mm
    along_mm, across_mm = (
        needle.sigma_along_mm or needle.sigma_mm or 0.0,
        needle.sigma_across_mm or needle.sigma_mm or 0.0,
    )
    radii = [max(sigma_mm * px_of_mm, layout.px(_MIN_TIP_RADIUS)) for sigma_mm in (along_mm, across_mm)]
    assert needle.line is not None
    way = _on_picture(needle.line.at([0.0, 1.0]), plane, layout)
    angle_deg = float(np.degrees(np.arctan2(*(way[1] - way[0])[::-1])))
    ellipse(picture, tip, (radii[0], radii[1]), angle_deg, palette.NEEDLE, layout.px(1))
    if needle.state is NeedleState.TRACKED:
        ring(picture, tip, layout.px(1), palette.NEEDLE, layout.px(1))
        return
    font = Font(0.42 * layout.ui)
    width, height = text_size("tip not seen", font)
    left = min(round(tip[0]) + layout.px(12), layout.picture.width - width)
    write_over_image(picture, "tip not seen", (left, round(tip[1]) + height // 2), font, palette.NEEDLE)


def _on_picture(points_mm: Points, plane: ScanPlane, layout: Layout) -> Points:
    return layout.on_picture(plane.to_frame_px(points_mm))
