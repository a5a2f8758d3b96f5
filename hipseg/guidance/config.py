"""Every number guidance decides by, with its default and the range that makes sense.

No published millimetre threshold exists for this procedure: the defaults are proposals of this project, to be
argued with, and live in configuration (`guidance.alerts.vessel_contact.raise_at=2.5`).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from hipseg.errors import UsageError
from hipseg.guidance.alert_config import (
    WATCH_FOR_LARGE,
    AlertLimits,
    AlertsConfig,
    AlertTiming,
    Priority,
    TechnicalAlert,
)
from hipseg.guidance.injection_config import InjectionConfig
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
    "InjectionConfig",
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
    injection: InjectionConfig = field(default_factory=InjectionConfig)
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
