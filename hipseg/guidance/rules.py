"""What each alert says of a frame: one pure rule each.

A rule turns a frame's signals into a reading: dangerous, safe, or in between. `None` is unknown, which is never safe.
To add one: a row in `AlertsConfig`, a rule in `RULES`, its message, a line in the truth table of its test.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from hipseg.guidance.alert_config import AlertLimits, AlertsConfig, Priority
from hipseg.guidance.clearances import Distances
from hipseg.guidance.injection import Injection, Spread
from hipseg.guidance.tracking import NeedleState


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
        vessels_seen: in this frame or any before, as a structure or by Doppler.
        injection: placement and spread.
        unproven: something like a needle is seen of which nobody knows whether it is one.
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
    injection: Injection = field(default_factory=Injection)
    unproven: bool = False


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
    """The tip is seen, but not well enough; or no longer, because the shaft leaves the plane."""
    if signals.needle is NeedleState.LOST:
        return Reading(True, False, None, config.tip_uncertain.raise_at)
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


def withdrawn(signals: Signals, config: AlertsConfig) -> Reading | None:
    """The tip has left the joint in which it had been placed."""
    if not signals.injection.placed:
        return SAFE
    return above(signals.injection.outside_joint_mm, config.withdrawn.raise_at, config.withdrawn.clear_at)


def extra_articular_spread(signals: Signals, _config: AlertsConfig) -> Reading | None:
    """Fluid appears beside the tip and the recess does not widen."""
    spread = signals.injection.spread
    return None if spread is None else when(spread is Spread.EXTRA_ARTICULAR)


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
        withdrawn,
        extra_articular_spread,
        no_scale,
        unrecognised_view,
        vessels_not_assessed,
    )
}
"""By id, as they stand in records."""

NEEDLE_ALERTS = frozenset(RULES) - {"no_scale", "unrecognised_view", "vessels_not_assessed", "tip_lost"}
"""Alerts that end with the needle: without one there is nothing to be near; with what may be one, nobody knows."""

MESSAGES: dict[str, str] = {
    "vessel_contact": "Vessel contact",
    "vessel_proximity": "Vessel near",
    "nerve_proximity": "Nerve near",
    "tip_lost": "Tip not visible",
    "tip_uncertain": "Tip uncertain",
    "off_target": "Off target",
    "steep_angle": "Steep needle",
    "cartilage_labrum": "Cartilage or labrum near",
    "withdrawn": "Needle has left the joint",
    "extra_articular_spread": "Fluid outside the joint",
    "no_scale": "No scale: distances off",
    "unrecognised_view": "View not recognised: guidance off",
    "vessels_not_assessed": "Vessels not assessed",
}
"""What a clinician reads."""


def read_rules(signals: Signals, config: AlertsConfig) -> dict[str, Reading | None]:
    """Every rule's reading of a frame, by id."""
    readings = {alert_id: rule(signals, config) for alert_id, rule in RULES.items()}
    if signals.needle is NeedleState.ABSENT:
        readings |= dict.fromkeys(NEEDLE_ALERTS, None if signals.unproven else SAFE)
    return readings
