"""Words and numbers around the image: alerts above, distances beside it, a ruler, a footer below."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np

from hipseg import DISCLAIMER
from hipseg.display import palette
from hipseg.display.drawing import Box, Canvas, Font, fill, text_size, write
from hipseg.display.layout import Layout
from hipseg.display.slate import Slate
from hipseg.frame import Frame
from hipseg.guidance.alerts import ActiveAlert
from hipseg.guidance.config import Priority
from hipseg.guidance.engine import Guidance, ViewState
from hipseg.guidance.injection import Spread
from hipseg.guidance.technical import ALERT_OF
from hipseg.guidance.tracking import NeedleState, TrackedNeedle

_NOT_KNOWN = "–"
_ROW_PITCH = 20
"""Of the panel's small rows, for a 640x480 frame."""

_AT_VESSEL_MM = 3.0
"""A contact from farther off is one of the path, not of the tip."""

_WITHOUT_NUMBER = {"tip_lost", "off_target", "withdrawn", *ALERT_OF.values()}

_VIEW_WORDS = {
    ViewState.RECOGNISED: ("Hip view", palette.TEXT),
    ViewState.UNCERTAIN: ("View uncertain", palette.TEXT),
    ViewState.UNRECOGNISED: ("View not recognised", palette.TEXT),
}
_NEEDLE_WORDS = {
    NeedleState.ABSENT: "no needle",
    NeedleState.TRACKED: "tip tracked",
    NeedleState.COASTING: "tip not seen",
    NeedleState.LOST: "tip lost",
}


_SPREAD_WORDS = {
    None: _NOT_KNOWN,
    Spread.NONE: "none seen",
    Spread.INTRA_ARTICULAR: "in the joint",
    Spread.EXTRA_ARTICULAR: "outside the joint",
}


def ground(layout: Layout) -> Canvas:
    """The empty canvas of a layout."""
    canvas: Canvas = np.full((layout.height, layout.width, 3), palette.GROUND, dtype=np.uint8)
    fill(canvas, layout.footer, palette.GROUND_RAISED)
    return canvas


def draw_alerts(slate: Slate, alerts: Sequence[ActiveAlert], layout: Layout) -> None:
    """One chip an alert, most urgent first; those that do not fit are counted, never dropped unseen."""
    chips = [(alert.priority, _words(alert)) for alert in _without_the_implied(alerts)]
    if not slate.wants(layout.alerts, chips):
        return
    left, room = layout.px(8), layout.width - layout.px(48)
    if not chips:
        write(slate.canvas, "No alerts", (left, layout.px(26)), Font(0.5 * layout.ui), palette.TEXT_QUIET)
    for shown, (priority, text) in enumerate(chips):
        font = Font(0.58 * layout.ui, layout.px(2)) if priority is Priority.high else Font(0.52 * layout.ui)
        width = text_size(text, font)[0] + layout.px(16)
        if left + width > room and shown:
            write(slate.canvas, f"+{len(chips) - shown}", (left, layout.px(26)), Font(0.55 * layout.ui), palette.TEXT)
            return
        box = Box(left, layout.px(6), min(width, layout.width - left), layout.px(28))
        fill(slate.canvas, box, palette.ALARM[priority])
        write(slate.canvas, text, (left + layout.px(8), layout.px(26)), font, palette.ALARM_TEXT[priority])
        left += width + layout.px(6)


def _words(alert: ActiveAlert) -> str:
    return f"{palette.ALARM_MARK[alert.priority]} {alert.message}{_value(alert)}"


def _without_the_implied(alerts: Sequence[ActiveAlert]) -> list[ActiveAlert]:
    """A vessel touched is a vessel near: one chip says it."""
    touched = any(alert.id == "vessel_contact" for alert in alerts)
    return [alert for alert in alerts if not (touched and alert.id == "vessel_proximity")]


def _value(alert: ActiveAlert) -> str:
    if alert.value is None or alert.id in _WITHOUT_NUMBER:
        return ""
    if alert.id == "steep_angle":
        return f" {alert.value:.0f}°"
    if alert.id == "vessel_contact" and alert.value > _AT_VESSEL_MM:
        return f" {alert.value:.1f} mm ahead"
    return f" {alert.value:.1f} mm" if alert.value >= 0 else ": inside"


def draw_panel(slate: Slate, guidance: Guidance, layout: Layout, *, quiet: bool = False) -> None:
    """The two distances that matter largest, then what else is known, unless quiet is wanted."""
    panel, top = layout.panel, layout.panel.y + layout.px(4)
    large = [("Tip to target", _length(guidance.distances.tip_to_target)), _nearest_vessel(guidance)]
    for name, length in large:
        box = Box(panel.x, top, panel.width, layout.px(68))
        if slate.wants(box, (name, length)):
            _draw_large(slate.canvas, name, length, box, layout)
        top += box.height
    rows = [] if quiet else [*_rows(guidance)]
    pitch = layout.px(_ROW_PITCH)
    room = (panel.y + panel.height - layout.px(6) - top) // pitch
    for number in range(room):
        name, value = rows[number] if number < len(rows) else ("", "")
        box = Box(panel.x, top + number * pitch + layout.px(6), panel.width, pitch)
        if slate.wants(box, (name, value)):
            box.of(slate.canvas)[...] = _row(name, value, layout)


def _draw_large(canvas: Canvas, name: str, length: str, box: Box, layout: Layout) -> None:
    """A name, and below it the length large, its unit small."""
    left, baseline = box.x + layout.px(12), box.y + layout.px(56)
    write(canvas, name, (left, box.y + layout.px(18)), Font(0.46 * layout.ui), palette.TEXT_QUIET)
    font = Font(1.25 * layout.ui, layout.px(2))
    number, _, unit = length.partition(" ")
    write(canvas, number, (left, baseline), font, palette.TEXT_QUIET if number == _NOT_KNOWN else palette.TEXT)
    unit_left = left + text_size(number, font)[0] + layout.px(8)
    write(canvas, unit, (unit_left, baseline), Font(0.55 * layout.ui), palette.TEXT_QUIET)


def _nearest_vessel(guidance: Guidance) -> tuple[str, str]:
    found = {"artery": guidance.distances.tip_to_artery, "vein": guidance.distances.tip_to_vein}
    known = {name: value for name, value in found.items() if value is not None}
    if not known:
        return "Tip to vessel", _length(None)
    nearest = min(known, key=lambda name: known[name])
    return f"Tip to {nearest}", _length(known[nearest])


def _rows(guidance: Guidance) -> Iterator[tuple[str, str]]:
    distances, needle = guidance.distances, guidance.needle
    scale_known = guidance.plane.scale_known
    yield "Needle", _needle_words(needle)
    yield "Angle to skin", _NOT_KNOWN if guidance.angle_deg is None else f"{guidance.angle_deg:.0f}°"
    yield "Tip within", _length(2 * needle.sigma_mm if needle and needle.sigma_mm and scale_known else None, sign="± ")
    yield "Path misses target", _length(distances.path_miss_target)
    yield "Path to vessel", _length(distances.path_to_vessel)
    yield "Tip to nerve", _length(distances.tip_to_nerve)
    yield "Tip to bone", _length(distances.tip_to_bone)
    yield "Injectate", _SPREAD_WORDS[guidance.injection.spread]
    yield from _way(guidance)
    yield "", ""
    yield "Neck to capsule", _length(guidance.measurements.neck_capsule_distance_mm)
    yield "Capsule thickness", _length(guidance.measurements.capsule_thickness_mm)
    recess = guidance.measurements.recess_area_mm2
    yield "Recess area", _NOT_KNOWN if recess is None else f"{recess:.0f} mm²"


def _needle_words(needle: TrackedNeedle | None) -> str:
    """What is drawn is not called absent, and what may be a needle is not denied."""
    if needle is None:
        return "guidance off"
    if needle.state is not NeedleState.ABSENT:
        return _NEEDLE_WORDS[needle.state]
    if needle.shaft is not None:
        return "tip not seen"
    return _NEEDLE_WORDS[NeedleState.ABSENT] if needle.unproven is None else "line that rests"


def _way(guidance: Guidance) -> Iterator[tuple[str, str]]:
    """The suggested way, while no needle is on another."""
    way, needle = guidance.suggestion, guidance.needle
    if way is None or needle is None or needle.state is not NeedleState.ABSENT:
        return
    if way.angle_deg is None or way.length_mm is None:
        yield "Suggested way", "none clear"
        return
    yield "Suggested way", f"{way.angle_deg:.0f}°, {way.length_mm:.0f} mm"
    if way.reachable is False:
        yield "Chosen needle", "too short"


def _length(value: float | None, sign: str = "") -> str:
    if value is None:
        return _NOT_KNOWN
    return f"{sign}{value:.1f} mm" if value >= 0 else "inside"


@lru_cache(maxsize=256)
def _row(name: str, value: str, layout: Layout) -> Canvas:
    """A name on the left, its value on the right. Values come back: a needle at rest is measured the same again."""
    row: Canvas = np.full((layout.px(_ROW_PITCH), layout.panel.width, 3), palette.GROUND, np.uint8)
    font, baseline = Font(0.44 * layout.ui), layout.px(14)
    write(row, name, (layout.px(12), baseline), font, palette.TEXT_QUIET)
    right = layout.panel.width - layout.px(10)
    colour = palette.TEXT_QUIET if value == _NOT_KNOWN else palette.TEXT
    write(row, value, (right - text_size(value, font)[0], baseline), font, colour)
    return row


def draw_footer(slate: Slate, frame: Frame, guidance: Guidance, layout: Layout, pace: str = "") -> None:
    """View state, frame, time and pace on the left, what this is not on the right."""
    footer, canvas = layout.footer, slate.canvas
    font, baseline = Font(0.4 * layout.ui), footer.y + layout.px(16)
    view, colour = _VIEW_WORDS[guidance.view.state]
    score = "" if guidance.view.score is None else f" {guidance.view.score:.2f}"
    parts = [(f"{view}{score}", colour), (f"frame {frame.index}   {frame.time_s:.2f} s{pace}", palette.TEXT_QUIET)]
    if not slate.wants(footer, parts):
        return
    left = layout.px(8)
    for text, tone in parts:
        write(canvas, text, (left, baseline), font, tone)
        left += text_size(text, font)[0] + layout.px(18)
    width = text_size(DISCLAIMER, font)[0]
    right = layout.width - layout.px(8)
    if right - width > left:
        write(canvas, DISCLAIMER, (right - width, baseline), font, palette.TEXT)
    else:
        write(canvas, "Research software", (left, baseline), font, palette.TEXT)


def draw_ruler(slate: Slate, guidance: Guidance, layout: Layout) -> None:
    """Depth below the top of the scan region, a tick every 5 mm and a number every 10; nothing without scale."""
    if not slate.wants(layout.ruler, guidance.plane) or not guidance.plane.scale_known:
        return
    ruler, font, canvas = layout.ruler, Font(0.38 * layout.ui), slate.canvas
    right = ruler.x + ruler.width
    for depth_mm, y in _ticks(guidance, layout):
        major = depth_mm % 10 == 0
        length = layout.px(8 if major else 4)
        fill(canvas, Box(right - length, y, length, layout.px(1)), palette.TEXT_QUIET)
        if major:
            text = f"{depth_mm}" if depth_mm else "mm"
            width, height = text_size(text, font)
            baseline = min(max(y + height // 2, ruler.y + height), ruler.y + ruler.height)
            write(canvas, text, (right - length - layout.px(3) - width, baseline), font, palette.TEXT_QUIET)


def _ticks(guidance: Guidance, layout: Layout) -> Iterator[tuple[int, int]]:
    """(depth in mm, canvas row), far enough apart to be told from each other."""
    plane = guidance.plane
    step = next((s for s in (5, 10, 50, 100, 500) if s / plane.row_mm * layout.zoom >= layout.px(7)), 1000)
    for depth_mm in range(0, int(plane.size_mm[1]) + 1, step):
        row = round(float(layout.on_picture(plane.to_frame_px((0.0, depth_mm)))[1]))
        if 0 <= row < layout.image.height:
            yield depth_mm, layout.image.y + row
