"""Needle, tip with its doubt, projected path and target, on the image."""

from __future__ import annotations

import numpy as np

from hipseg.display import palette
from hipseg.display.drawing import Box, Font, Points, text_size
from hipseg.display.marks import Marks
from hipseg.guidance.engine import Guidance
from hipseg.guidance.tracking import NeedleState, TrackedNeedle

_PATH_MM = 30.0
_MIN_TIP_RADIUS, _TARGET_RADIUS = 4.0, 7.0
_ARMS = np.array([[(0.6 * x, 0.6 * y), (1.8 * x, 1.8 * y)] for x, y in ((1, 0), (-1, 0), (0, 1), (0, -1))])
"""Of the target's cross, in radii: begin and end of each."""


def reserve(marks: Marks, guidance: Guidance) -> list[Box]:
    """Boxes about tip, shaft, path and target that nothing else may cover."""
    points = [] if guidance.target is None else [guidance.target.point_mm[None]]
    if guidance.needle is not None and guidance.needle.tip_mm is not None:
        points.append(_tip_and_shaft(guidance.needle.tip_mm, guidance.needle.entry_mm))
    if guidance.path is not None:
        points.append(guidance.path.axis_mm[:: max(len(guidance.path.axis_mm) // 10, 1)])
    if not points:
        return []
    reach = marks.layout.px(12)
    corners = np.rint(marks.place(np.concatenate(points)) - reach).astype(int)
    return [Box(x, y, 2 * reach, 2 * reach) for x, y in corners.tolist()]


def _tip_and_shaft(tip_mm: Points, entry_mm: Points | None) -> Points:
    shares = np.linspace(0, 1, 1 if entry_mm is None else 11)
    return tip_mm + shares[:, None] * ((tip_mm if entry_mm is None else entry_mm) - tip_mm)


def mark_target(marks: Marks, guidance: Guidance) -> None:
    """A cross with an open middle: the place itself stays visible."""
    if guidance.target is None:
        return
    centre = marks.place(guidance.target.point_mm)
    radius, thickness = marks.layout.px(_TARGET_RADIUS), marks.layout.px(1)
    marks.ellipse(centre, (radius, radius), palette.TARGET, thickness)
    for direction in _ARMS:
        marks.stroke(centre + radius * direction, palette.TARGET, thickness, raised=True)


def mark_flow(marks: Marks, guidance: Guidance) -> None:
    """Where colour Doppler has shown flow, solid while it does, with its age in seconds when it was before."""
    layout, font = marks.layout, Font(0.38 * marks.layout.ui)
    for region in guidance.flow:
        outline = marks.place(region.outline_mm)
        marks.stroke(outline, palette.FLOW, layout.px(2 if region.on_path else 1), closed=True)
        words = "flow" if region.age_s <= 0 else f"flow {region.age_s:.0f} s ago"
        left, top = outline.min(axis=0)
        left = min(max(round(left), 0), layout.picture.width - text_size(words, font)[0])
        marks.write(words, (left, max(round(top) - layout.px(3), layout.px(12))), font, palette.FLOW)


def mark_suggestion(marks: Marks, guidance: Guidance) -> None:
    """The suggested way, while there is no needle to follow it."""
    way, needle = guidance.suggestion, guidance.needle
    is_free = needle is not None and needle.state is NeedleState.ABSENT
    if way is None or way.entry_mm is None or guidance.target is None or not is_free:
        return
    entry, target = marks.place(way.entry_mm), marks.place(guidance.target.point_mm)
    marks.dashes(entry, target, palette.TARGET, marks.layout.px(1), dash_px=marks.layout.px(8))


def mark_needle(marks: Marks, guidance: Guidance, *, with_cone: bool = True) -> None:
    """The seen shaft solid, what is only projected dashed with the edges of its doubt, the tip as its ellipse."""
    needle, px = guidance.needle, marks.layout.px
    if needle is None:
        return
    if needle.shaft is not None:
        ends = np.stack([needle.shaft.shallow_mm, needle.shaft.end_mm if needle.tip_mm is None else needle.tip_mm])
        marks.stroke(marks.place(ends), palette.NEEDLE, px(1), raised=True)
    if needle.tip_mm is None or needle.line is None:
        return
    tip = marks.place(needle.tip_mm)
    ahead = marks.place(needle.tip_mm + _PATH_MM * needle.line.direction)
    marks.dashes(tip, ahead, palette.NEEDLE, px(1), dash_px=px(5))
    if with_cone and guidance.path is not None and len(guidance.path.axis_mm) > 1:
        for side_mm in guidance.path.sides_mm():
            near, far = marks.place(side_mm[[0, -1]])
            marks.dashes(near, far, palette.CONE, px(1), dash_px=px(3))
    if needle.entry_mm is not None and needle.shaft is not None:
        entry, first_seen = marks.place(needle.entry_mm), marks.place(needle.shaft.shallow_mm)
        marks.dashes(entry, first_seen, palette.NEEDLE, px(1), dash_px=px(3))
    _mark_tip(marks, needle, tip)


def _mark_tip(marks: Marks, needle: TrackedNeedle, tip: Points) -> None:
    layout = marks.layout
    px_of_mm = layout.zoom / marks.plane.pixel_mm
    along_mm, across_mm = (
        needle.sigma_along_mm or needle.sigma_mm or 0.0,
        needle.sigma_across_mm or needle.sigma_mm or 0.0,
    )
    along, across = (max(sigma_mm * px_of_mm, layout.px(_MIN_TIP_RADIUS)) for sigma_mm in (along_mm, across_mm))
    assert needle.line is not None
    way = marks.place(needle.line.at([0.0, 1.0]))
    angle_deg = float(np.degrees(np.arctan2(*(way[1] - way[0])[::-1])))
    marks.ellipse(tip, (along, across), palette.NEEDLE, layout.px(1), angle_deg=angle_deg)
    if needle.state is NeedleState.TRACKED:
        marks.ellipse(tip, (layout.px(1), layout.px(1)), palette.NEEDLE, layout.px(1))
        return
    font = Font(0.42 * layout.ui)
    width, height = text_size("tip not seen", font)
    left = min(round(tip[0]) + layout.px(12), layout.picture.width - width)
    marks.write("tip not seen", (left, round(tip[1]) + height // 2), font, palette.NEEDLE)
