"""The lines of frames.jsonl and alerts.jsonl. Names are frozen; numbers are rounded to fixed decimals, so that two
runs write the same bytes; what is not known is None (null), never 0.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from hipseg.frame import Spacing
from hipseg.guidance.alerts import AlertEvent
from hipseg.guidance.engine import Guidance
from hipseg.guidance.flow import FlowRegion
from hipseg.guidance.geometry import Points, ScanPlane
from hipseg.guidance.injection import Injection
from hipseg.guidance.structures import StructureFinding
from hipseg.guidance.tracking import TrackedNeedle

_TIME_DECIMALS, _SPACING_DECIMALS, _SCORE_DECIMALS, _PIXEL_DECIMALS, _MM_DECIMALS = 6, 6, 4, 2, 2


def frame_record(guidance: Guidance) -> dict[str, Any]:
    """A frame's line of frames.jsonl, `latency_ms` left to who measures it. Pixels are the source frame's."""
    return {
        "frame": guidance.frame,
        "time_s": _rounded(guidance.time_s, _TIME_DECIMALS),
        "spacing_mm": _spacing(guidance.spacing),
        "view": {"state": guidance.view.state.value, "score": _rounded(guidance.view.score, _SCORE_DECIMALS)},
        "structures": {name: _structure(finding) for name, finding in guidance.structures.items()},
        "needle": _needle(guidance),
        "target": {"px": _pixels(guidance.target.point_mm if guidance.target else None, guidance.plane)},
        "distances_mm": _lengths(guidance.distances),
        "measurements": _lengths(guidance.measurements),
        "alerts": [alert.id for alert in guidance.alerts],
        "alerts_unknown": list(guidance.unknown_alerts),
        "sigmas": {
            "distances_mm": _lengths(guidance.distances_sigma),
            "measurements": _lengths(guidance.measurements_sigma),
        },
        "path": _path(guidance),
        "suggestion": _suggestion(guidance),
        "recess": _lengths(guidance.recess),
        "effusion": guidance.effusion,
        "injection": _injection(guidance.injection),
        "doppler": {"note": guidance.doppler, "flow": [_flow(region, guidance.plane) for region in guidance.flow]},
        "wrong_side": guidance.wrong_side,
    }


def alert_records(guidance: Guidance) -> list[dict[str, Any]]:
    """A frame's lines of alerts.jsonl."""
    return [alert_record(event, guidance.frame, guidance.time_s) for event in guidance.events]


def alert_record(event: AlertEvent, frame: int | None, time_s: float) -> dict[str, Any]:
    """A line of alerts.jsonl.

    Args:
        event: what became of the alert.
        frame: number of the frame it belongs to; of a technical alert, of the last one before it, if there was one.
        time_s: when, by the time of the frames.
    """
    return {
        "id": event.alert.id,
        "priority": event.alert.priority.value,
        "event": event.event,
        "frame": frame,
        "time_s": _rounded(time_s, _TIME_DECIMALS),
        "value": _rounded(event.alert.value, _MM_DECIMALS),
        "threshold": _rounded(event.alert.threshold, _MM_DECIMALS),
        "message": event.alert.message,
    }


def _spacing(spacing: Spacing | None) -> list[float | None] | None:
    if spacing is None:
        return None
    return [_rounded(spacing.row_mm, _SPACING_DECIMALS), _rounded(spacing.column_mm, _SPACING_DECIMALS)]


def _structure(finding: StructureFinding) -> dict[str, Any]:
    return {
        "present": finding.present,
        "area_mm2": _rounded(finding.area_mm2, _MM_DECIMALS),
        "confidence": _rounded(finding.confidence, _SCORE_DECIMALS),
    }


def _needle(guidance: Guidance) -> dict[str, Any]:
    needle, plane = guidance.needle, guidance.plane
    return {
        "state": needle.state.value if needle else None,
        "tip_px": _pixels(needle.tip_mm if needle else None, plane),
        "entry_px": _pixels(needle.entry_mm if needle else None, plane),
        "tip_sigma_mm": _length(needle.sigma_mm if needle else None, plane),
        "angle_deg": _rounded(guidance.angle_deg, _MM_DECIMALS),
        "speed_mm_s": _length(_speed(needle), plane),
    }


def _path(guidance: Guidance) -> dict[str, Any] | None:
    """End of the projected path, and how wide its doubt is at the tip and there."""
    path = guidance.path
    if path is None or not guidance.plane.scale_known or not len(path.axis_mm):
        return None
    return {
        "end_px": _pixels(path.axis_mm[-1], guidance.plane),
        "sigma_mm": [_rounded(float(path.sigma_mm[at]), _MM_DECIMALS) for at in (0, -1)],
    }


def _suggestion(guidance: Guidance) -> dict[str, Any] | None:
    way = guidance.suggestion
    if way is None or not guidance.plane.scale_known:
        return None
    return {
        "entry_px": _pixels(way.entry_mm, guidance.plane),
        "angle_deg": _rounded(way.angle_deg, _MM_DECIMALS),
        "length_mm": _rounded(way.length_mm, _MM_DECIMALS),
        "margin_mm": _rounded(way.margin_mm, _MM_DECIMALS),
        "unseen_mm": _rounded(way.unseen_mm, _MM_DECIMALS),
        "reachable": way.reachable,
        "refused": way.refused,
        "blocked_by": list(way.blocked_by),
    }


def _injection(injection: Injection) -> dict[str, Any]:
    return {
        "placed": injection.placed,
        "spread": None if injection.spread is None else injection.spread.value,
        "outside_joint_mm": _rounded(injection.outside_joint_mm, _MM_DECIMALS),
        "fluid_mm2": _rounded(injection.fluid_mm2, _MM_DECIMALS),
    }


def _flow(region: FlowRegion, plane: ScanPlane) -> dict[str, Any]:
    """Where flow lies now, by the middle of its outline."""
    return {
        "px": _pixels(region.outline_mm.mean(axis=0), plane),
        "area_mm2": _rounded(region.area_mm2, _MM_DECIMALS),
        "age_s": _rounded(region.age_s, _MM_DECIMALS),
        "sigma_mm": _rounded(region.sigma_mm, _MM_DECIMALS),
        "on_path": region.on_path,
    }


def _speed(needle: TrackedNeedle | None) -> float | None:
    if needle is None or needle.tip_mm is None or needle.velocity_mm_s is None:
        return None
    return math.hypot(*needle.velocity_mm_s)


def _pixels(point_mm: Points | None, plane: ScanPlane) -> list[float | None] | None:
    if point_mm is None or not all(map(math.isfinite, point_mm)):
        return None
    return [_rounded(coordinate, _PIXEL_DECIMALS) for coordinate in plane.to_frame_px(point_mm)]


def _length(value_mm: float | None, plane: ScanPlane) -> float | None:
    return _rounded(value_mm, _MM_DECIMALS) if plane.scale_known else None


def _lengths(values: Any) -> dict[str, float | None]:
    return {name: _rounded(value, _MM_DECIMALS) for name, value in dataclasses.asdict(values).items()}


def _rounded(value: float | None, decimals: int) -> float | None:
    """A plain float with fixed decimals and no negative zero; None for what is not a finite number."""
    if value is None or not math.isfinite(value):
        return None
    return round(float(value), decimals) + 0.0
