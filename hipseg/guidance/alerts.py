"""Alerts over time: raising, clearing and doubt are the same for all; what each one says stands in `rules`.

Unknown raises nothing, but an alert that is active stays so for a while; one that is not is then in a state of its
own, which is neither active nor clear.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import Literal

from hipseg.guidance.alert_config import AlertsConfig, AlertTiming, Priority
from hipseg.guidance.rules import MESSAGES, RULES, Reading, Signals, read_rules

_TIME_TOLERANCE_S = 1e-6
"""Source times are sums of frame times: 9 x 33.3 ms may fall a rounding short of 300 ms."""


class AlertState(Enum):
    """What is known of an alert's danger."""

    CLEAR = "clear"
    ACTIVE = "active"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class ActiveAlert:
    """An alert that stands in a frame.

    Attributes:
        value: of this frame, in the unit of the threshold; None where it is not known, so that no old number is shown.
    """

    id: str
    priority: Priority
    message: str
    value: float | None
    threshold: float | None


@dataclass(frozen=True, slots=True)
class AlertEvent:
    """An alert raised, changed to a higher priority (raised again), cleared, or taken note of by someone."""

    alert: ActiveAlert
    event: Literal["raised", "cleared", "acknowledged"]


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

    @property
    def states(self) -> dict[str, AlertState]:
        """Of every alert after the last frame, by id; all unknown before the first."""
        return {alert_id: latch.state for alert_id, latch in self._latches.items()}


class _Latch:
    """One alert's memory."""

    def __init__(self, alert_id: str, timing: AlertTiming, unknown_hold_s: float, still: bool) -> None:
        self._id, self._timing, self._hold_s = alert_id, timing, unknown_hold_s
        self._raise_frames, self._raise_s = (1, 0.0) if still else (timing.raise_frames, timing.raise_s)
        self.active: ActiveAlert | None = None
        self._streak, self._streak_since_s, self._known_s = 0, 0.0, 0.0
        self._is_known = False

    @property
    def state(self) -> AlertState:
        if self.active is not None:
            return AlertState.ACTIVE
        return AlertState.CLEAR if self._is_known else AlertState.UNKNOWN

    def step(self, reading: Reading | None, time_s: float) -> AlertEvent | None:
        self._is_known = reading is not None
        if reading is None:
            return self._unknown(time_s)
        self._known_s = time_s
        return self._watch(reading, time_s) if self.active is None else self._keep(reading, time_s)

    def _unknown(self, time_s: float) -> AlertEvent | None:
        if self.active is None:
            self._streak = 0
            return None
        if not 0 <= time_s - self._known_s <= self._hold_s:
            return self._cleared(None)
        self.active = replace(self.active, value=None)
        return None

    def _watch(self, reading: Reading, time_s: float) -> AlertEvent | None:
        if not reading.dangerous:
            self._streak = 0
            return None
        lasted = self._goes_on(self._raise_frames, self._raise_s, time_s)
        return self._raised(reading) if lasted else None

    def _goes_on(self, frames: int, for_s: float, time_s: float) -> bool:
        """Counts one more frame of what has begun; whether it has lasted. A clock set back begins anew."""
        if self._streak == 0 or time_s < self._streak_since_s:
            self._streak, self._streak_since_s = 0, time_s
        self._streak += 1
        return self._streak >= frames and time_s - self._streak_since_s >= for_s - _TIME_TOLERANCE_S

    def _keep(self, reading: Reading, time_s: float) -> AlertEvent | None:
        assert self.active is not None
        if reading.dangerous:
            self._streak = 0
            more_urgent = reading.priority is Priority.high and self.active.priority is not Priority.high
            if more_urgent:
                return self._raised(reading)
            self.active = self._alert(reading, self.active.priority)
            return None
        lasted = self._goes_on(self._timing.clear_frames, self._timing.clear_s, time_s)
        if reading.safe or lasted:
            return self._cleared(reading)
        self.active = self._alert(reading, self.active.priority)
        return None

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
