"""Alerts of a procedure against its dangers.

A danger is a stretch of time in which the truth's own rule for an alert holds. It is found when the alert stands at
any moment of it, from a little before. Lead time is how long before the critical moment (the nearest approach, or the
first touch) an alert on a distance was raised. An alert is false when nothing near its danger is true: within a
second, with thresholds wider by a millimetre.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from hipseg.evaluation.alerts.play import PlayedCase, Trace
from hipseg.guidance.alert_log import LoggedAlert

Truth = dict[str, Any]

JUDGED = (
    "vessel_contact", "vessel_proximity", "nerve_proximity", "tip_lost", "tip_uncertain", "off_target", "steep_angle",
    "cartilage_labrum", "withdrawn", "extra_articular_spread", "unrecognised_view", "vessels_not_assessed",
)  # fmt: skip
"""Alerts of guidance; the technical ones need a live source."""

_BRIEF_S, _GAP_S, _EARLY_S, _LATE_S, _CHATTER_S = 0.3, 0.5, 2.0, 0.5, 2.0
_MARGIN_MM, _MARGIN_DEG = 1.0, 2.0
_CONTACT_PATH_MM = 10.0
_TOLD_WITHIN_S = 2.0


@dataclass(frozen=True, slots=True)
class Danger:
    """One danger of a procedure, as one eye met it.

    Attributes:
        alert, begin_s, end_s: which, and when.
        found: the alert stood.
        told_unknown: it did not, but for most of the time it was told to be unknown: nothing was called safe.
        lead_s: before the critical moment; None for an alert that is not on a distance, or was not raised.
        delay_s: from the danger's begin to the raising, negative before it; None if it was not raised.
    """

    alert: str
    begin_s: float
    end_s: float
    found: bool
    lead_s: float | None
    delay_s: float | None
    told_unknown: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """One procedure as one eye met it.

    Attributes:
        dangers: that lasted long enough to be raised.
        false_alarms: raised without one.
        chatter: how often an alert came back within two seconds of being cleared.
        told_apart: for each injection, whether its place was told rightly within two seconds of flow.
    """

    dangers: tuple[Danger, ...]
    false_alarms: tuple[LoggedAlert, ...]
    chatter: int
    told_apart: tuple[bool, ...]


def judge(played: PlayedCase, eye: str) -> Verdict:
    """Judges what one eye saw."""
    trace = played.traces[eye]
    entries = [entry for entry in trace.story.log.entries if entry.alert.id in JUDGED]
    dangers = [
        _met(alert, begin_s, end_s, played, trace)
        for alert in JUDGED
        for begin_s, end_s in stretches(played.time_s, [alert in truth["dangers"] for truth in played.truths])
        if end_s - begin_s >= _BRIEF_S
    ]
    false = [entry for entry in entries if not _is_plausible(entry, played)]
    return Verdict(tuple(dangers), tuple(false), _chatter(entries), tuple(_told_apart(played, trace)))


def stretches(time_s: list[float], on: list[bool]) -> list[tuple[float, float]]:
    """(begin, end) of the times at which something holds; short breaks do not part them."""
    found: list[tuple[float, float]] = []
    for now_s, holds in zip(time_s, on, strict=True):
        if holds:
            joined = bool(found) and now_s - found[-1][1] <= _GAP_S
            found[-1:] = [(found[-1][0], now_s)] if joined else [*found[-1:], (now_s, now_s)]
    return found


def _met(alert: str, begin_s: float, end_s: float, played: PlayedCase, trace: Trace) -> Danger:
    standing = [
        entry
        for entry in trace.story.log.entries
        if entry.alert.id == alert
        and entry.raised_s <= end_s + _LATE_S
        and (entry.cleared_s is None or entry.cleared_s >= begin_s)
    ]
    if not standing:
        return Danger(alert, begin_s, end_s, False, None, None, _told_unknown(alert, begin_s, end_s, played, trace))
    raised_s = standing[0].raised_s
    critical_s = _critical_s(alert, begin_s, end_s, played)
    lead_s = None if critical_s is None else critical_s - raised_s
    return Danger(alert, begin_s, end_s, True, lead_s, max(raised_s - begin_s, -_EARLY_S))


def _told_unknown(alert: str, begin_s: float, end_s: float, played: PlayedCase, trace: Trace) -> bool:
    told = [
        alert in unknown
        for now_s, unknown in zip(played.time_s, trace.unknown, strict=False)
        if begin_s <= now_s <= end_s
    ]
    return sum(told) > len(told) / 2


_DISTANCES = {
    "vessel_contact": ("tip_to_artery_mm", "tip_to_vein_mm"),
    "vessel_proximity": ("tip_to_artery_mm", "tip_to_vein_mm"),
    "nerve_proximity": ("tip_to_nerve_mm",),
    "cartilage_labrum": ("tip_to_cartilage_mm", "tip_to_labrum_mm"),
}


def _critical_s(alert: str, begin_s: float, end_s: float, played: PlayedCase) -> float | None:
    """When the tip first touches, or is nearest."""
    if alert not in _DISTANCES:
        return None
    within = [
        (distance_mm, truth["time_s"])
        for truth in played.truths
        if begin_s <= truth["time_s"] <= end_s and (distance_mm := _nearest(truth, _DISTANCES[alert])) is not None
    ]
    touching = [time_s for distance_mm, time_s in within if distance_mm <= 0]
    return min(touching, default=min(within)[1] if within else None)


def _nearest(truth: Truth, keys: tuple[str, ...]) -> float | None:
    needle = truth["needle"] or {}
    return min((needle[key] for key in keys if needle.get(key) is not None), default=None)


def _is_plausible(entry: LoggedAlert, played: PlayedCase) -> bool:
    alert, raised_s = entry.alert.id, entry.raised_s
    around = [truth for truth in played.truths if abs(truth["time_s"] - raised_s) <= 1.0]
    return any(alert in truth["dangers"] or _NEARLY.get(alert, _never)(truth) for truth in around)


def _never(_truth: Truth) -> bool:
    return False


def _within(limit_mm: float, *keys: str) -> Callable[[Truth], bool]:
    def holds(truth: Truth) -> bool:
        distance_mm = _nearest(truth, keys)
        return distance_mm is not None and distance_mm <= limit_mm + _MARGIN_MM

    return holds


def _nearly_contact(truth: Truth) -> bool:
    """The tip or the path's next ten millimetres come to a vessel, or the path enters one a little later."""
    path = (truth["needle"] or {}).get("path", {})
    entry_mm, ahead_mm = path.get("to_vessel_entry_mm"), path.get("to_vessel_ahead_mm")
    enters = entry_mm is not None and entry_mm <= _CONTACT_PATH_MM + 2 * _MARGIN_MM
    passes = ahead_mm is not None and ahead_mm <= _MARGIN_MM
    return enters or passes or _within(2.0, *_DISTANCES["vessel_contact"])(truth)


def _nearly_off(truth: Truth) -> bool:
    path = (truth["needle"] or {}).get("path")
    if path is None or path["miss_target_mm"] is None:
        return False
    return bool(path["miss_target_mm"] > 3 - _MARGIN_MM or path["heading_error_deg"] > 5 - _MARGIN_DEG)


def _unsure(truth: Truth) -> bool:
    needle = truth["needle"]
    return needle is not None and (needle["tip_visibility"] < 0.5 or abs(needle["tip_out_of_plane_mm"]) > 0.5)


_NEARLY: dict[str, Callable[[Truth], bool]] = {
    "vessel_contact": _nearly_contact,
    "vessel_proximity": _within(5.0, *_DISTANCES["vessel_proximity"]),
    "nerve_proximity": _within(4.0, *_DISTANCES["nerve_proximity"]),
    "cartilage_labrum": _within(1.5, *_DISTANCES["cartilage_labrum"]),
    "off_target": _nearly_off,
    "steep_angle": lambda truth: truth["needle"] is not None and truth["needle"]["angle_deg"] > 60 - _MARGIN_DEG,
    "tip_lost": _unsure,
    "tip_uncertain": _unsure,
    "extra_articular_spread": lambda truth: truth["injection"]["tissue_ml"] > 0,
    "vessels_not_assessed": lambda truth: not truth["vessels_shown"],
    "withdrawn": lambda truth: truth["needle"] is not None and "joint_recess" not in truth["needle"]["tip_in"],
}
"""The same dangers with wider thresholds: an alert on one of them is not false."""


def _chatter(entries: list[LoggedAlert]) -> int:
    cleared: dict[str, float] = {}
    count = 0
    for entry in entries:
        count += entry.raised_s - cleared.get(entry.alert.id, -1e9) < _CHATTER_S
        if entry.cleared_s is not None:
            cleared[entry.alert.id] = entry.cleared_s
    return count


def _told_apart(played: PlayedCase, trace: Trace) -> Iterator[bool]:
    """Whether the right verdict, and not the other one, stood within two seconds of each begin of flow."""
    for begin_s, end_s in stretches(played.time_s, [truth["injection"]["flowing"] for truth in played.truths]):
        before, after = _at(played, begin_s), _at(played, end_s)
        astray = after["tissue_ml"] - before["tissue_ml"] > after["joint_ml"] - before["joint_ml"]
        right, wrong = ("extra_articular", "intra_articular") if astray else ("intra_articular", "extra_articular")
        limit_s = begin_s + _TOLD_WITHIN_S
        told = [
            spread
            for spread, now_s in zip(trace.story.spread, played.time_s, strict=True)
            if begin_s <= now_s <= limit_s
        ]
        yield right in told and told[-1] != wrong


def _at(played: PlayedCase, time_s: float) -> Truth:
    return dict(next(truth for truth in played.truths if truth["time_s"] >= time_s)["injection"])
