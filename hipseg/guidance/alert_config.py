"""The table of alerts as data: how urgent each is, at what it is raised and cleared, and after how long.

No published millimetre threshold exists for this procedure: the defaults are proposals of this project.
"""

# ruff: noqa: RUF009  (`_row` makes fields: the table reads as one)

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from typing import Any

from hipseg.guidance.measuring_config import ranged


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
        raise_frames: dangerous frames in a row before it is raised ...
        raise_s: ... and for how long, in source time.
        clear_frames: frames in a row that are not dangerous before it is cleared ...
        clear_s: ... and for how long, in source time.
    """

    priority: Priority = Priority.low
    raise_frames: int = ranged(2, 1, 1000)
    raise_s: float = ranged(0.0, 0, 60)
    clear_frames: int = ranged(12, 1, 1000)
    clear_s: float = ranged(0.35, 0, 60)


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


WATCH_FOR_LARGE = frozenset({"tip_uncertain", "off_target", "steep_angle", "withdrawn"})
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
        near_target_mm: nearer to the target than this a heading means nothing: half of the span that is acceptable.
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
    withdrawn: AlertLimits = _row(AlertLimits, Priority.medium, raise_s=0.1, raise_at=0.5, clear_at=0.2)
    extra_articular_spread: AlertTiming = _row(AlertTiming, Priority.medium)
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
    near_target_mm: float = ranged(5.0, 0, 100)
    unknown_hold_s: float = ranged(2.0, 0, 60)

    def timing(self, alert_id: str) -> AlertTiming:
        """The row of an alert."""
        row = getattr(self, alert_id)
        assert isinstance(row, AlertTiming)
        return row
