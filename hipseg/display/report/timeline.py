"""A session over time as one vector drawing: distances, states as strips, alerts as bars."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from hipseg.display.palette import ALARM, TRACKS
from hipseg.display.report.story import SessionStory, Values
from hipseg.guidance.alert_log import LoggedAlert

_WIDTH, _LEFT, _RIGHT, _TOP = 960, 184, 16, 12
_PLOT_HEIGHT, _ROW, _GAP = 210, 20, 16
_MOST_POINTS = 1200
_HIGHEST_MM = 60.0
_STATE_FILL = {
    "tracked": "#3b7d5a", "coasting": "#9cc3a8", "lost": "#7a4b8c", "absent": "#e3e3e3", "withdrawn": "#ffffff",
    "recognised": "#3b7d5a", "uncertain": "#9cc3a8", "unrecognised": "#7a4b8c",
    "intra_articular": "#3b7d5a", "extra_articular": "#7a4b8c", "none": "#e3e3e3", "unknown": "#ffffff",
}  # fmt: skip
"""None is an alarm colour; white, with a border, is what is not known."""
_DARK = {"tracked", "lost", "recognised", "unrecognised", "intra_articular", "extra_articular"}


@dataclass(frozen=True, slots=True)
class _Axis:
    """Source time to x."""

    begin_s: float
    end_s: float

    def x(self, time_s: float) -> float:
        share = (time_s - self.begin_s) / max(self.end_s - self.begin_s, 1e-9)
        return _LEFT + min(max(share, 0.0), 1.0) * (_WIDTH - _LEFT - _RIGHT)


def draw_timeline(story: SessionStory) -> str:
    """An `<svg>` element of a session with at least one frame."""
    axis = _Axis(min(story.time_s), max(story.time_s))
    parts = [*_plot(story, axis, _TOP)]
    top = _TOP + _PLOT_HEIGHT + _GAP + 18
    for name, states in (("Needle", story.needle), ("View", story.view), ("Injectate", story.spread)):
        parts += _strip(name, states, story.time_s, axis, top)
        top += _ROW + 4
    top += _GAP
    for alert_id, entries in _by_alert(story.log.entries):
        parts += _bars(alert_id, entries, axis, top)
        top += _ROW
    return _element(top + 8, parts)


def _element(height: float, parts: Iterable[str]) -> str:
    style = "font-family:'DejaVu Sans',Arial,sans-serif;font-size:11px"
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height:.0f}" role="img" style="{style}">'
    return "\n".join([head, "<title>Distances, states and alerts over time</title>", *parts, "</svg>"])


def _plot(story: SessionStory, axis: _Axis, top: float) -> Iterator[str]:
    """Distances of the tip; a line breaks where its distance is not known."""
    tracks = {name: story.track(name) for name in TRACKS}
    known = np.concatenate([values[np.isfinite(values)] for values in tracks.values()])
    highest = float(np.clip(known.max(initial=10.0), 10.0, _HIGHEST_MM))
    bottom = top + _PLOT_HEIGHT
    for value_mm in range(0, int(highest) + 1, 5 if highest <= 30 else 10):
        y = bottom - value_mm / highest * _PLOT_HEIGHT
        yield _line(_LEFT, y, _WIDTH - _RIGHT, y, "#dddddd")
        yield _text(_LEFT - 6, y + 4, f"{value_mm} mm" if value_mm else "0", anchor="end")
    for second in _ticks(axis):
        yield _line(axis.x(second), top, axis.x(second), bottom, "#eeeeee")
        yield _text(axis.x(second), bottom + 14, f"{second:g} s", anchor="middle")
    for row, (name, values) in enumerate(tracks.items()):
        title, colour, dash = TRACKS[name]
        yield from _track(np.array(story.time_s), np.clip(values, 0, highest) / highest, axis, bottom, colour, dash)
        yield _line(4, top + 14 + 18 * row, 30, top + 14 + 18 * row, colour, dash, 2.2)
        yield _text(36, top + 18 + 18 * row, title)


def _track(time_s: Values, shares: Values, axis: _Axis, bottom: float, colour: str, dash: str) -> Iterator[str]:
    """Polylines of one distance, the nearest of each bin where there are more frames than a drawing can show."""
    bins = np.array_split(np.arange(len(time_s)), min(_MOST_POINTS, len(time_s)))
    points: list[str] = []
    for chosen in bins:
        known = chosen[np.isfinite(shares[chosen])]
        if len(known):
            nearest = known[np.argmin(shares[known])]
            points.append(f"{axis.x(float(time_s[nearest])):.1f},{bottom - shares[nearest] * _PLOT_HEIGHT:.1f}")
        if points and (not len(known) or chosen is bins[-1]):
            look = f'fill="none" stroke="{colour}" stroke-width="1.8" {_dash(dash)}'
            yield f'<polyline points="{" ".join(points)}" {look}/>'
            points = []


def _strip(name: str, states: Sequence[str], time_s: Sequence[float], axis: _Axis, top: float) -> Iterator[str]:
    """A state over time, named where there is room."""
    yield _text(4, top + 14, name)
    for state, begin, end in _runs(states):
        x, right = axis.x(time_s[begin]), axis.x(time_s[min(end, len(time_s) - 1)])
        width, words = max(right - x, 1.0), state.replace("_", "-")
        yield _box(x, top, width, _STATE_FILL.get(state, "#ffffff"), "#888888", f"{name}: {words}")
        if width > 7 * len(words):
            yield _text(x + 4, top + 14, words, fill="#ffffff" if state in _DARK else "#222222")


def _bars(alert_id: str, entries: Sequence[LoggedAlert], axis: _Axis, top: float) -> Iterator[str]:
    """When an alert stood; the marks of its priority say the same as the colour."""
    yield _text(4, top + 14, alert_id.replace("_", " "))
    yield _line(_LEFT, top + _ROW / 2, _WIDTH - _RIGHT, top + _ROW / 2, "#dddddd")
    for entry in entries:
        end_s = axis.end_s if entry.cleared_s is None else entry.cleared_s
        x, width = axis.x(entry.raised_s), max(axis.x(end_s) - axis.x(entry.raised_s), 2.5)
        words = f"{entry.alert.message} ({entry.alert.priority.value}), {entry.raised_s:.2f} to {end_s:.2f} s"
        red, green, blue = ALARM[entry.alert.priority]
        yield _box(x, top + 2, width, f"rgb({red},{green},{blue})", "#222222", words, _ROW - 5)


def _by_alert(entries: Iterable[LoggedAlert]) -> list[tuple[str, list[LoggedAlert]]]:
    rows: dict[str, list[LoggedAlert]] = {}
    for entry in entries:
        rows.setdefault(entry.alert.id, []).append(entry)
    return list(rows.items())


def _runs(states: Sequence[str]) -> Iterator[tuple[str, int, int]]:
    """(state, first frame, first frame of the next)."""
    begin = 0
    for index in range(1, len(states) + 1):
        if index == len(states) or states[index] != states[begin]:
            yield states[begin], begin, index
            begin = index


def _ticks(axis: _Axis) -> list[float]:
    """Round seconds, about ten of them."""
    span = max(axis.end_s - axis.begin_s, 1e-9)
    step = next((s for s in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 60, 120, 300, 600) if span / s <= 12), 3600.0)
    first = np.ceil(axis.begin_s / step - 1e-9) * step
    return [round(float(second), 3) + 0.0 for second in np.arange(first, axis.end_s + 1e-9, step)]


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, dash: str = "", width: float = 1.0) -> str:
    place = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
    return f'<line {place} stroke="{colour}" stroke-width="{width}" {_dash(dash)}/>'


def _box(x: float, y: float, width: float, fill: str, edge: str, words: str, height: float = _ROW) -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'
    return f'<rect {place} fill="{fill}" stroke="{edge}" stroke-width="0.6"><title>{escape(words)}</title></rect>'


def _text(x: float, y: float, words: str, *, anchor: str = "start", fill: str = "#222222") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{fill}">{escape(words)}</text>'


def _dash(pattern: str) -> str:
    return f'stroke-dasharray="{pattern}"' if pattern else ""
