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
from hipseg.runtime.live.limits import LiveLimits


class Priority(Enum):
    """How urgent an alert is, in the words of IEC 60601-1-8."""

    high = "high"
    medium = "medium"
    low = "low"


class Approach(Enum):
    """How the probe lies: along the neck, across the head, or found from what is seen."""

    auto = "auto"
    longitudinal = "longitudinal"
    transverse = "transverse"


class CapsuleFace(Enum):
    """To which face of the capsule the neck-capsule distance is taken: definitions disagree."""

    superficial = "superficial"
    deep = "deep"


def ranged(default: Any, low: float, high: float) -> Any:
    """A field that must lie in [low, high]."""
    return field(default=default, metadata={"range": (low, high)})


@dataclass
class ViewConfig:
    """View score below which guidance is withdrawn, and from which the view is known. None: as the model says."""

    unrecognised_below: float | None = ranged(None, 0, 1)
    recognised_from: float | None = ranged(None, 0, 1)


@dataclass
class StructureConfig:
    """Pieces of a structure smaller than this are taken for noise."""

    min_area_mm2: float = ranged(1.0, 0, 100)


@dataclass
class NeedleConfig:
    """When needle-like cells count as a needle, and how far its tip is trusted.

    Attributes:
        min_probability: cells below it say nothing about the needle.
        min_length_mm: shorter finds are no needle.
        min_elongation: length over width of a needle, at least.
        min_coverage: share of the shaft that is seen, at least; the rest are gaps.
        max_gap_mm: a longer gap ends the shaft.
        inlier_mm: cells further from the line belong to something else.
        min_tip_visibility: the tip landmark counts as seen from here.
        end_sigma_mm: doubt about where the mask of a shaft ends.
        max_sigma_mm: a tip in more doubt than this is not seen.
    """

    min_probability: float = ranged(0.3, 0.01, 0.99)
    min_length_mm: float = ranged(5.0, 0.5, 100)
    min_elongation: float = ranged(4.0, 1, 100)
    min_coverage: float = ranged(0.5, 0, 1)
    max_gap_mm: float = ranged(8.0, 0, 100)
    inlier_mm: float = ranged(1.2, 0.1, 10)
    min_tip_visibility: float = ranged(0.5, 0, 1)
    end_sigma_mm: float = ranged(0.5, 0.01, 10)
    max_sigma_mm: float = ranged(5.0, 0.1, 100)


@dataclass
class TrackingConfig:
    """How long a tip that is not seen is carried on, and what jump is believed.

    Attributes:
        coasting_s: a tip not seen for longer is lost.
        absent_after_s: a needle not seen at all for longer is gone.
        max_speed_mm_s: no hand is faster; a jump beyond it is not believed until the old tip is lost.
        gate_mm: jump that is always believed, besides three sigma.
        drift_mm_s: how fast doubt grows while coasting.
        velocity_time_s: time constant of the velocity estimate.
        withdrawn_mm: a needle last seen with no more than this in the image has been drawn out, not lost.
    """

    coasting_s: float = ranged(0.3, 0, 2)
    absent_after_s: float = ranged(5.0, 0.1, 600)
    max_speed_mm_s: float = ranged(60.0, 1, 1000)
    gate_mm: float = ranged(4.0, 0.1, 50)
    drift_mm_s: float = ranged(5.0, 0, 1000)
    velocity_time_s: float = ranged(0.15, 0, 5)
    withdrawn_mm: float = ranged(7.0, 0, 50)


@dataclass
class TargetConfig:
    """Where the injection should go.

    Attributes:
        approach: see `Approach`.
        span_mm: acceptable length along the neck, centred on the target.
        max_gap_mm: capsule and cortex further apart than this do not bound a recess.
        max_junction_sigma_mm: a junction landmark less certain than this is not used.
        min_junction_visibility: nor one less visible than this.
        main_vessel_mm2: a vessel of this area is the femoral artery or vein, not a branch.
        transverse_slope_deg: slope of the head's surface, on the side away from the vessels, where the target of a
            transverse approach lies; 0 is the apex. No published value.
    """

    approach: Approach = Approach.auto
    span_mm: float = ranged(10.0, 1, 50)
    max_gap_mm: float = ranged(15.0, 1, 50)
    max_junction_sigma_mm: float = ranged(3.0, 0.1, 50)
    min_junction_visibility: float = ranged(0.5, 0, 1)
    main_vessel_mm2: float = ranged(15.0, 1, 200)
    transverse_slope_deg: float = ranged(18.0, 0, 60)


@dataclass
class MeasurementConfig:
    """How the joint is measured.

    Attributes:
        neck_capsule_to: see `CapsuleFace`.
        neck_length_mm: the distance is taken where it is widest, along this much of the neck from the junction.
        path_mm: length of the projected path whose clearance from the vessels is reported.
    """

    neck_capsule_to: CapsuleFace = CapsuleFace.superficial
    neck_length_mm: float = ranged(20.0, 1, 100)
    path_mm: float = ranged(30.0, 1, 150)


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
    measurements: MeasurementConfig = field(default_factory=MeasurementConfig)
    alerts: AlertsConfig = field(default_factory=AlertsConfig)
    live: LiveLimits = field(default_factory=LiveLimits)


def validate(config: GuidanceConfig) -> None:
    """Refuses numbers outside their range and thresholds that contradict each other.

    Raises:
        UsageError: names the key, the value and what was expected.
    """
    for key, value, (low, high) in _ranged_values(config, "guidance"):
        if value is not None and not (math.isfinite(value) and low <= value <= high):
            raise UsageError(f"{value} is out of range", where=key, expected=f"a number from {low:g} to {high:g}")
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
