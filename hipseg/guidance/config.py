"""Every number guidance decides by, with its default and the range that makes sense.

No published millimetre threshold exists for this procedure: the defaults are proposals of this project, to be
argued with, and live in configuration (`guidance.alerts.vessel_contact.raise_at=2.5`).
"""

# ruff: noqa: RUF009  (`_row` makes fields: the table reads as one)

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from typing import Any

from hipseg.errors import UsageError
from hipseg.guidance.measuring_config import (
    OUTER_DIAMETER_MM,
    Approach,
    CapsuleFace,
    FlowConfig,
    MeasurementConfig,
    NeedleConfig,
    ReachConfig,
    RecessConfig,
    Side,
    SmoothingConfig,
    StructureConfig,
    TargetConfig,
    TrackingConfig,
    ViewConfig,
    ranged,
)
from hipseg.runtime.live.limits import LiveLimits

__all__ = [
    "WATCH_FOR_LARGE",
    "AlertLimits",
    "AlertTiming",
    "AlertsConfig",
    "Approach",
    "CapsuleFace",
    "FlowConfig",
    "GuidanceConfig",
    "MeasurementConfig",
    "NeedleConfig",
    "Priority",
    "ReachConfig",
    "RecessConfig",
    "Side",
    "SmoothingConfig",
    "StructureConfig",
    "TargetConfig",
    "TechnicalAlert",
    "TrackingConfig",
    "ViewConfig",
    "ranged",
    "validate",
]


class Priority(Enum):
    """How urgent an alert is, in the words of IEC 60601-1-8."""

    high = "high"
    medium = "medium"
    low = "low"


@dataclass
class AlertTiming:
    """How urgent an alert is and how long its condition must last.

    Attributes:
        priority: of the alert.
        raise_frames: dangerous frames in a row before it is raised.
        raise_s: and for how long, in source time.
        clear_frames: frames in a row that are not dangerous before it is cleared.
    """

    priority: Priority = Priority.low
    raise_frames: int = ranged(2, 1, 1000)
    raise_s: float = ranged(0.0, 0, 60)
    clear_frames: int = ranged(12, 1, 1000)


@dataclass
class AlertLimits(AlertTiming):
    """An alert on a number: millimetres, or degrees for `steep_angle`.

    Attributes:
        raise_at: a value past it is dangerous.
        clear_at: a value past it, on the safe side, clears at once: the wider threshold that prevents chatter.
    """

    raise_at: float = ranged(0.0, 0, 180)
    clear_at: float = ranged(0.0, 0, 180)


@dataclass
class TechnicalAlert:
    """An alert of the watchdog over a live source, whose limits stand under `guidance.live`."""

    priority: Priority = Priority.medium


def _technical(priority: Priority) -> Any:
    return field(default_factory=partial(TechnicalAlert, priority))


def _row(kind: type[AlertTiming], priority: Priority, **limits: Any) -> Any:
    return field(default_factory=partial(kind, priority, **limits))


WATCH_FOR_LARGE = frozenset({"tip_uncertain", "off_target", "steep_angle"})
"""Alerts on values that are dangerous when large; the others are distances, dangerous when small."""


@dataclass
class AlertsConfig:
    """The table of alerts, and the lengths their rules look over.

    Attributes:
        contact_path_mm: length of the projected path that is searched for vessels to warn of contact.
        high_after_lost_mm: a lost tip is high priority when a vessel was nearer than this when it was last seen.
        cartilage_mm: thickness of the cartilage over the head's cortex (1 to 2.5 mm).
        off_target_deg: heading this far off the target is off target too.
        off_target_clear_deg: heading at most this far off is on target again.
        near_target_mm: nearer to the target than this a heading means nothing.
        unknown_hold_s: an active alert whose value is no longer known is held for this long.
    """

    vessel_contact: AlertLimits = _row(AlertLimits, Priority.high, raise_at=2.0, clear_at=3.0)
    vessel_proximity: AlertLimits = _row(AlertLimits, Priority.medium, raise_at=5.0, clear_at=6.5)
    nerve_proximity: AlertLimits = _row(AlertLimits, Priority.medium, raise_at=4.0, clear_at=5.5)
    tip_lost: AlertTiming = _row(AlertTiming, Priority.medium, raise_frames=1)
    tip_uncertain: AlertLimits = _row(AlertLimits, Priority.low, raise_s=0.3, raise_at=1.5, clear_at=1.2)
    off_target: AlertLimits = _row(AlertLimits, Priority.low, raise_frames=3, raise_at=3.0, clear_at=2.5)
    steep_angle: AlertLimits = _row(AlertLimits, Priority.low, raise_frames=3, raise_at=60.0, clear_at=57.0)
    cartilage_labrum: AlertLimits = _row(AlertLimits, Priority.medium, raise_at=1.5, clear_at=2.0)
    no_scale: AlertTiming = _row(AlertTiming, Priority.low, raise_frames=1)
    unrecognised_view: AlertTiming = _row(AlertTiming, Priority.medium, raise_frames=3)
    vessels_not_assessed: AlertTiming = _row(AlertTiming, Priority.low, raise_frames=3)
    stale_frame: TechnicalAlert = _technical(Priority.medium)
    low_frame_rate: TechnicalAlert = _technical(Priority.low)
    source_lost: TechnicalAlert = _technical(Priority.medium)
    processing_fault: TechnicalAlert = _technical(Priority.medium)
    model_fault: TechnicalAlert = _technical(Priority.medium)
    memory_pressure: TechnicalAlert = _technical(Priority.low)
    clock_jump: TechnicalAlert = _technical(Priority.low)
    contact_path_mm: float = ranged(10.0, 0, 100)
    high_after_lost_mm: float = ranged(5.0, 0, 100)
    cartilage_mm: float = ranged(1.0, 0, 5)
    off_target_deg: float = ranged(5.0, 0, 90)
    off_target_clear_deg: float = ranged(3.0, 0, 90)
    near_target_mm: float = ranged(8.0, 0, 100)
    unknown_hold_s: float = ranged(2.0, 0, 60)

    def timing(self, alert_id: str) -> AlertTiming:
        """The row of an alert."""
        row = getattr(self, alert_id)
        assert isinstance(row, AlertTiming)
        return row


@dataclass
class GuidanceConfig:
    """Everything under `guidance.`.

    Attributes:
        view_check: withdraw guidance when the view is not recognised; off for phantoms and other anatomy.
    """

    view_check: bool = True
    view: ViewConfig = field(default_factory=ViewConfig)
    structures: StructureConfig = field(default_factory=StructureConfig)
    needle: NeedleConfig = field(default_factory=NeedleConfig)
    tracking: TrackingConfig = field(default_factory=TrackingConfig)
    target: TargetConfig = field(default_factory=TargetConfig)
    smoothing: SmoothingConfig = field(default_factory=SmoothingConfig)
    reach: ReachConfig = field(default_factory=ReachConfig)
    measurements: MeasurementConfig = field(default_factory=MeasurementConfig)
    recess: RecessConfig = field(default_factory=RecessConfig)
    flow: FlowConfig = field(default_factory=FlowConfig)
    alerts: AlertsConfig = field(default_factory=AlertsConfig)
    live: LiveLimits = field(default_factory=LiveLimits)


def validate(config: GuidanceConfig) -> None:
    """Refuses numbers outside their range and thresholds that contradict each other.

    Raises:
        UsageError: names the key, the value and what was expected.
    """
    for key, value, (low, high) in _ranged_values(config, "guidance"):
        if value is not None and not _is_within(value, low, high):
            raise UsageError(f"{value} is out of range", where=key, expected=f"a number from {low:g} to {high:g}")
    _validate_reach(config.reach)
    for row in dataclasses.fields(config.alerts):
        limits = getattr(config.alerts, row.name)
        if isinstance(limits, AlertLimits):
            _validate_hysteresis(row.name, limits)
    _validate_order("guidance.alerts.off_target_clear_deg", config.alerts.off_target_clear_deg,
                    "off_target_deg", config.alerts.off_target_deg)  # fmt: skip
    if config.view.unrecognised_below is not None and config.view.recognised_from is not None:
        _validate_order("guidance.view.unrecognised_below", config.view.unrecognised_below,
                        "recognised_from", config.view.recognised_from)  # fmt: skip
    _validate_order("guidance.live.low_rate_hz", config.live.low_rate_hz,
                    "low_rate_clear_hz", config.live.low_rate_clear_hz)  # fmt: skip


def _is_within(value: Any, low: float, high: float) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and math.isfinite(value) and low <= value <= high


def _validate_reach(reach: ReachConfig) -> None:
    if reach.gauge not in OUTER_DIAMETER_MM:
        known = ", ".join(map(str, OUTER_DIAMETER_MM))
        raise UsageError(f"no needle of {reach.gauge} G is known", where="guidance.reach.gauge", expected=known)
    _validate_order("guidance.reach.min_angle_deg", reach.min_angle_deg, "preferred_angle_deg",
                    reach.preferred_angle_deg)  # fmt: skip
    _validate_order("guidance.reach.preferred_angle_deg", reach.preferred_angle_deg, "max_angle_deg",
                    reach.max_angle_deg)  # fmt: skip


def _ranged_values(config: Any, prefix: str) -> Iterator[tuple[str, Any, tuple[float, float]]]:
    for entry in dataclasses.fields(config):
        value, key = getattr(config, entry.name), f"{prefix}.{entry.name}"
        if dataclasses.is_dataclass(value):
            yield from _ranged_values(value, key)
        elif "range" in entry.metadata:
            yield key, value, entry.metadata["range"]


def _validate_hysteresis(alert_id: str, limits: AlertLimits) -> None:
    large = alert_id in WATCH_FOR_LARGE
    if limits.clear_at > limits.raise_at if large else limits.clear_at < limits.raise_at:
        raise UsageError(
            f"it clears at {limits.clear_at:g} but is raised at {limits.raise_at:g}",
            where=f"guidance.alerts.{alert_id}",
            expected=f"clear_at {'at most' if large else 'at least'} raise_at",
        )


def _validate_order(key: str, lower: float, other: str, upper: float) -> None:
    if lower > upper:
        raise UsageError(f"{lower:g} is more than {other} {upper:g}", where=key, expected=f"at most {other}")
