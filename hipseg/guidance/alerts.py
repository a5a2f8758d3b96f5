"""Alerts as data: one row of configuration and one pure rule each; raising and clearing is the same for all.

A rule turns a frame's signals into a reading: dangerous, safe, or in between. `None` is unknown, which is never
safe: it raises nothing, but an alert that is active stays so for a while.
To add one: a row in `AlertsConfig`, a rule in `RULES`, a line in the truth table of its test.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from hipseg.guidance.config import AlertLimits, AlertsConfig, AlertTiming, Priority
from hipseg.guidance.measurements import Distances
from hipseg.guidance.tracking import NeedleState

_TIME_TOLERANCE_S = 1e-6
"""Source times are sums of frame times: 9 x 33.3 ms may fall a rounding short of 300 ms."""


@dataclass(frozen=True, slots=True)
class Signals:
    """What the rules know of a frame. Lengths in millimetres; None: not known.

    Attributes:
        needle: None when guidance is withdrawn.
        distances: all None without scale, with a lost tip, or when withdrawn.
        tip_sigma_mm: doubt about the tip.
        path_to_entry_mm: along the projected path to where it first enters a vessel; infinite if it never does.
        tip_to_head_mm: to the head's cortex away from the target.
        tip_to_labrum_mm: to the labrum.
        heading_error_deg: between the needle and the way from its tip to the target.
        angle_deg: of the needle to the skin.
        last_vessel_clearance_mm: of the tip, when it was last known.
        scale_known: whether pixels have a size.
        view_recognised: False for a view that is not a hip the model knows; None when not asked for.
        vessels_seen: in this frame or any before.
    """

    needle: NeedleState | None
    distances: Distances
    tip_sigma_mm: float | None
    path_to_entry_mm: float | None
    tip_to_head_mm: float | None
    tip_to_labrum_mm: float | None
    heading_error_deg: float | None
    angle_deg: float | None
    last_vessel_clearance_mm: float | None
    scale_known: bool
    view_recognised: bool | None
    vessels_seen: bool


@dataclass(frozen=True, slots=True)
class Reading:
    """One rule's view of one frame.

    Attributes:
        dangerous: past the raising threshold.
        safe: past the clearing threshold.
        value, threshold: for the record, None for an alert on a state.
        priority: replaces the row's.
    """

    dangerous: bool
    safe: bool
    value: float | None = None
    threshold: float | None = None
    priority: Priority | None = None


SAFE = Reading(dangerous=False, safe=True)
Rule = Callable[[Signals, AlertsConfig], Reading | None]


def below(value: float | None, raise_at: float, clear_at: float) -> Reading | None:
    """A distance: dangerous under `raise_at`, safe from `clear_at` on."""
    return None if value is None else Reading(value < raise_at, value >= clear_at, value, raise_at)


def above(value: float | None, raise_at: float, clear_at: float) -> Reading | None:
    """An angle or a deviation: dangerous over `raise_at`, safe up to `clear_at`."""
    return None if value is None else Reading(value > raise_at, value <= clear_at, value, raise_at)


def when(state: bool | None) -> Reading | None:
    """A state: dangerous while it holds."""
    return None if state is None else Reading(state, not state)


def any_of(*readings: Reading | None) -> Reading | None:
    """Dangerous if one is, safe only if all that are known are, unknown if none is known."""
    known = [reading for reading in readings if reading is not None]
    dangerous = [reading for reading in known if reading.dangerous]
    unsafe = [reading for reading in known if not reading.safe]
    return next(iter(dangerous + unsafe + known), None)


def _nearest(*distances: float | None) -> float | None:
    return min((distance for distance in distances if distance is not None), default=None)


def _of_limits(value: float | None, limits: AlertLimits) -> Reading | None:
    return below(value, limits.raise_at, limits.clear_at)


def vessel_contact(signals: Signals, config: AlertsConfig) -> Reading | None:
    """The tip at a vessel, or the projected path entering one close ahead."""
    tip = _of_limits(_nearest(signals.distances.tip_to_artery, signals.distances.tip_to_vein), config.vessel_contact)
    entry_mm, reach_mm = signals.path_to_entry_mm, config.contact_path_mm
    # A path that grazes a vessel enters it in one frame and not in the next: it is never safe at once.
    path = None if entry_mm is None else Reading(entry_mm < reach_mm, safe=False, value=entry_mm, threshold=reach_mm)
    return any_of(tip, path)


def vessel_proximity(signals: Signals, config: AlertsConfig) -> Reading | None:
    """The tip near a vessel."""
    return _of_limits(_nearest(signals.distances.tip_to_artery, signals.distances.tip_to_vein), config.vessel_proximity)


def nerve_proximity(signals: Signals, config: AlertsConfig) -> Reading | None:
    """The tip near the femoral nerve."""
    return _of_limits(signals.distances.tip_to_nerve, config.nerve_proximity)


def tip_lost(signals: Signals, config: AlertsConfig) -> Reading | None:
    """A needle was seen and its tip no longer is; urgent when it was last seen near a vessel."""
    if signals.needle is None:
        return None
    if signals.needle is not NeedleState.LOST:
        return SAFE
    clearance = signals.last_vessel_clearance_mm
    near_vessel = clearance is not None and clearance < config.high_after_lost_mm
    return Reading(True, False, clearance, config.high_after_lost_mm, Priority.high if near_vessel else None)


def tip_uncertain(signals: Signals, config: AlertsConfig) -> Reading | None:
    """The tip is seen, but not well enough."""
    return above(signals.tip_sigma_mm, config.tip_uncertain.raise_at, config.tip_uncertain.clear_at)


def off_target(signals: Signals, config: AlertsConfig) -> Reading | None:
    """The projected path passes the target by, or heads past it."""
    miss = above(signals.distances.path_miss_target, config.off_target.raise_at, config.off_target.clear_at)
    to_target = signals.distances.tip_to_target
    if to_target is None or to_target < config.near_target_mm:
        return miss
    return any_of(miss, above(signals.heading_error_deg, config.off_target_deg, config.off_target_clear_deg))


def steep_angle(signals: Signals, config: AlertsConfig) -> Reading | None:
    """So steep that the needle is hard to see."""
    return above(signals.angle_deg, config.steep_angle.raise_at, config.steep_angle.clear_at)


def cartilage_labrum(signals: Signals, config: AlertsConfig) -> Reading | None:
    """The tip at the head's cartilage, away from the target, or at the labrum."""
    head = signals.tip_to_head_mm
    cartilage = None if head is None else head - config.cartilage_mm
    return _of_limits(_nearest(cartilage, signals.tip_to_labrum_mm), config.cartilage_labrum)


def no_scale(signals: Signals, _config: AlertsConfig) -> Reading | None:
    """Millimetres can't be told."""
    return when(not signals.scale_known)


def unrecognised_view(signals: Signals, _config: AlertsConfig) -> Reading | None:
    """The image is not a hip view the model knows."""
    return SAFE if signals.view_recognised is None else when(not signals.view_recognised)


def vessels_not_assessed(signals: Signals, _config: AlertsConfig) -> Reading | None:
    """No vessel has been seen yet, so nothing is known of the way around them."""
    return when(not signals.vessels_seen)


RULES: dict[str, Rule] = {
    rule.__name__: rule
    for rule in (
        vessel_contact,
        vessel_proximity,
        nerve_proximity,
        tip_lost,
        tip_uncertain,
        off_target,
        steep_angle,
        cartilage_labrum,
        no_scale,
        unrecognised_view,
        vessels_not_assessed,
    )
}
"""By id, as they stand in records."""

NEEDLE_ALERTS = frozenset(RULES) - {"no_scale", "unrecognised_view", "vessels_not_assessed", "tip_lost"}
"""Alerts that end with the needle: without one there is nothing to be near."""

MESSAGES: dict[str, str] = {
    "vessel_contact": "Vessel contact",
    "vessel_proximity": "Vessel near",
    "nerve_proximity": "Nerve near",
    "tip_lost": "Tip not visible",
    "tip_uncertain": "Tip uncertain",
    "off_target": "Off target",
    "steep_angle": "Steep needle",
    "cartilage_labrum": "Cartilage or labrum near",
    "no_scale": "No scale: distances off",
    "unrecognised_view": "View not recognised: guidance off",
    "vessels_not_assessed": "Vessels not assessed",
}
"""What a clinician reads."""


def read_rules(signals: Signals, config: AlertsConfig) -> dict[str, Reading | None]:
    """Every rule's reading of a frame, by id."""
    readings = {alert_id: rule(signals, config) for alert_id, rule in RULES.items()}
    if signals.needle is NeedleState.ABSENT:
        readings |= dict.fromkeys(NEEDLE_ALERTS, SAFE)
    return readings


@dataclass(frozen=True, slots=True)
class ActiveAlert:
    """An alert that stands in a frame; value and threshold as when it was raised or last read."""

    id: str
    priority: Priority
    message: str
    value: float | None
    threshold: float | None


@dataclass(frozen=True, slots=True)
class AlertEvent:
    """An alert raised, changed to a higher priority (raised again), or cleared."""

    alert: ActiveAlert
    event: Literal["raised", "cleared"]


class AlertMonitor:
    """Raises and clears alerts over time without chatter. One `step` a frame; times are the source's.

    Args:
        config: the table.
        still: a single image, whose alerts can't wait for a second frame.
    """

    def __init__(self, config: AlertsConfig, *, still: bool = False) -> None:
        self._config = config
        self._latches = {
            alert_id: _Latch(alert_id, config.timing(alert_id), config.unknown_hold_s, still) for alert_id in RULES
        }

    def step(self, signals: Signals, time_s: float) -> tuple[tuple[ActiveAlert, ...], tuple[AlertEvent, ...]]:
        """The alerts that stand after a frame, most urgent first, and what changed with it."""
        readings = read_rules(signals, self._config)
        events = [event for key, latch in self._latches.items() if (event := latch.step(readings[key], time_s))]
        active = [latch.active for latch in self._latches.values() if latch.active is not None]
        order = list(Priority)
        return tuple(sorted(active, key=lambda alert: order.index(alert.priority))), tuple(events)


class _Latch:
    """One alert's memory."""

    def __init__(self, alert_id: str, timing: AlertTiming, unknown_hold_s: float, still: bool) -> None:
        self._id, self._timing, self._hold_s = alert_id, timing, unknown_hold_s
        self._raise_frames, self._raise_s = (1, 0.0) if still else (timing.raise_frames, timing.raise_s)
        self.active: ActiveAlert | None = None
        self._streak, self._streak_since_s, self._known_s = 0, 0.0, 0.0

    def step(self, reading: Reading | None, time_s: float) -> AlertEvent | None:
        if reading is None:
            return self._unknown(time_s)
        self._known_s = time_s
        return self._watch(reading, time_s) if self.active is None else self._keep(reading)

    def _unknown(self, time_s: float) -> AlertEvent | None:
        if self.active is None:
            self._streak = 0
            return None
        return self._cleared(None) if not 0 <= time_s - self._known_s <= self._hold_s else None

    def _watch(self, reading: Reading, time_s: float) -> AlertEvent | None:
        if not reading.dangerous:
            self._streak = 0
            return None
        if self._streak == 0:
            self._streak_since_s = time_s
        self._streak += 1
        lasted = time_s - self._streak_since_s >= self._raise_s - _TIME_TOLERANCE_S
        return self._raised(reading) if self._streak >= self._raise_frames and lasted else None

    def _keep(self, reading: Reading) -> AlertEvent | None:
        assert self.active is not None
        if reading.dangerous:
            self._streak = 0
            more_urgent = reading.priority is Priority.high and self.active.priority is not Priority.high
            if more_urgent:
                return self._raised(reading)
            self.active = self._alert(reading, self.active.priority)
            return None
        self._streak += 1
        return self._cleared(reading) if reading.safe or self._streak >= self._timing.clear_frames else None

    def _raised(self, reading: Reading) -> AlertEvent:
        self._streak = 0
        self.active = self._alert(reading, reading.priority or self._timing.priority)
        return AlertEvent(self.active, "raised")

    def _cleared(self, reading: Reading | None) -> AlertEvent:
        assert self.active is not None
        cleared = self._alert(reading or Reading(False, False, None, self.active.threshold), self.active.priority)
        self.active, self._streak = None, 0
        return AlertEvent(cleared, "cleared")

    def _alert(self, reading: Reading, priority: Priority) -> ActiveAlert:
        return ActiveAlert(self._id, priority, MESSAGES[self._id], reading.value, reading.threshold)
