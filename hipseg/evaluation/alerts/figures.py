"""Figures over all procedures, with intervals by resampling patients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from hipseg.evaluation.alerts.judge import JUDGED, Danger, Verdict
from hipseg.evaluation.alerts.play import PlayedCase
from hipseg.evaluation.bootstrap import patient_interval, quantile_interval, share_interval
from hipseg.guidance.config import Priority

Floats = npt.NDArray[np.float64]
_UNSAFE_MM = 2.0


def figures_of(played: Sequence[PlayedCase], verdicts: Sequence[Verdict], eye: str) -> dict[str, Any]:
    """Everything of one eye, as JSON knows it; a figure is {"value", "low", "high", "n"}."""
    minutes = np.array([_minutes(case) for case in played])
    return {
        "procedures": len(played),
        "minutes": round(float(minutes.sum()), 3),
        "alerts": {alert: _alert(alert, verdicts) for alert in JUDGED},
        "false_alarms_per_minute": _rate([len(verdict.false_alarms) for verdict in verdicts], minutes),
        "false_high_alarms_per_minute": _rate([_high(verdict) for verdict in verdicts], minutes),
        "chatter_per_minute": _rate([verdict.chatter for verdict in verdicts], minutes),
        "injections_told_apart": _share_of([list(verdict.told_apart) for verdict in verdicts]),
        "unknown_share": {alert: _unknown(played, eye, alert) for alert in JUDGED},
        "needle": _needle(played, eye),
        "tip_error_mm": _quantiles([case.traces[eye].tip_error_mm for case in played], (0.5, 0.95)),
        "clearance_error_mm": {name: _clearance(played, eye, name) for name in _CLEARANCE_NAMES},
    }


_CLEARANCE_NAMES = ("tip_to_artery", "tip_to_vein", "tip_to_nerve")


def _alert(alert: str, verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """Sensitivity over dangers, and how early or late the alert came."""
    of_case = [[danger for danger in verdict.dangers if danger.alert == alert] for verdict in verdicts]
    return {
        "sensitivity": _share_of([[danger.found for danger in dangers] for dangers in of_case]),
        "silent": _share_of([[not (one.found or one.told_unknown) for one in dangers] for dangers in of_case]),
        "lead_s": _quantiles([_known(dangers, lambda one: one.lead_s) for dangers in of_case], (0.05, 0.5)),
        "delay_s": _quantiles([_known(dangers, lambda one: one.delay_s) for dangers in of_case], (0.5, 0.95)),
    }


def _known(dangers: Sequence[Danger], value: Callable[[Danger], float | None]) -> list[float]:
    return [number for danger in dangers if (number := value(danger)) is not None]


def _share_of(hits: Sequence[Sequence[bool]]) -> dict[str, Any]:
    """Of all, with the interval over the patients that have any."""
    counted = [case for case in hits if case]
    right = np.array([sum(case) for case in counted], np.float64)
    total = np.array([len(case) for case in counted], np.float64)
    value = float(right.sum() / total.sum()) if total.sum() else None
    return _figure(value, share_interval(right, total) if len(counted) else None, int(total.sum()))


def _rate(counts: Sequence[int], minutes: Floats) -> dict[str, Any]:
    events = np.array(counts, np.float64)
    interval = patient_interval(lambda weights: (weights @ events) / np.maximum(weights @ minutes, 1e-9), len(events))
    return _figure(float(events.sum() / max(minutes.sum(), 1e-9)), interval, int(events.sum()))


def _quantiles(values: Sequence[Sequence[float]], levels: Sequence[float]) -> dict[str, Any]:
    """Of all values, by level; patients are those that have any."""
    counted = [case for case in values if len(case)]
    if not counted:
        return {f"p{100 * level:.0f}": _figure(None, None, 0) for level in levels}
    pooled = np.concatenate([np.asarray(case, np.float64) for case in counted])
    owners = np.repeat(np.arange(len(counted)), [len(case) for case in counted]).astype(np.intp)
    return {
        f"p{100 * level:.0f}": _figure(
            float(np.quantile(pooled, level)), quantile_interval(pooled, owners, level), len(pooled)
        )
        for level in levels
    }


def _clearance(played: Sequence[PlayedCase], eye: str, name: str) -> dict[str, Any]:
    errors = [case.traces[eye].clearance_error_mm.get(name, []) for case in played]
    unsafe = _share_of([[error_mm > _UNSAFE_MM for error_mm in case] for case in errors])
    return {**_quantiles(errors, (0.05, 0.5, 0.95)), "overestimated_by_2_mm": unsafe}


def _unknown(played: Sequence[PlayedCase], eye: str, alert: str) -> dict[str, Any]:
    stories = [case.traces[eye].story for case in played]
    hits = np.array([story.unknown.get(alert, 0) for story in stories], np.float64)
    totals = np.array([story.frame_count for story in stories], np.float64)
    return _figure(float(hits.sum() / totals.sum()), share_interval(hits, totals), int(totals.sum()))


def _needle(played: Sequence[PlayedCase], eye: str) -> dict[str, Any]:
    """Share of each state, apart for frames with a needle and without."""
    found: dict[str, Any] = {}
    for group, wanted in (("with_needle", True), ("without_needle", False)):
        states = [_states(case, eye, with_needle=wanted) for case in played]
        names = ("tracked", "coasting", "lost", "absent", "withdrawn")
        found[group] = {name: _share_of([[state == name for state in case] for case in states]) for name in names}
    return found


def _states(case: PlayedCase, eye: str, *, with_needle: bool) -> list[str]:
    pairs = zip(case.traces[eye].story.needle, case.truths, strict=True)
    return [state for state, truth in pairs if (truth["needle"] is not None) == with_needle]


def _high(verdict: Verdict) -> int:
    return sum(entry.alert.priority is Priority.high for entry in verdict.false_alarms)


def _minutes(case: PlayedCase) -> float:
    return (case.time_s[-1] - case.time_s[0]) / 60 if len(case.truths) > 1 else 0.0


def _figure(value: float | None, interval: tuple[float, float] | None, count: int) -> dict[str, Any]:
    low, high = interval if interval is not None else (None, None)
    return {"value": _rounded(value), "low": _rounded(low), "high": _rounded(high), "n": count}


def _rounded(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else round(float(value), 4)
