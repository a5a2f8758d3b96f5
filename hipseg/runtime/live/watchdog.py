"""What may be wrong with a live picture, and since when: a state machine without clock, thread or alarm of its own.

It is told what happens and when, in seconds of one monotonic clock, and says which conditions stand. A condition is
raised the moment its limit is passed and cleared only when it is cured: by several sound frames in a row, not by the
first one.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum

from hipseg.runtime.live.limits import LiveLimits

_MILLI = 1e3
_MEMORY_CURED = 1.5
"""Times the limit must be free again before a shortage is over."""


class Condition(Enum):
    """What is wrong, in the words of records."""

    STALE = "stale"
    FROZEN = "frozen"
    LOW_RATE = "low_rate"
    SOURCE_LOST = "source_lost"
    STAGE_HUNG = "stage_hung"
    STAGE_FAILED = "stage_failed"
    MODEL_FAULT = "model_fault"
    MEMORY_LOW = "memory_low"
    CLOCK_JUMP = "clock_jump"


WITHDRAWING = frozenset(Condition) - {Condition.LOW_RATE, Condition.MEMORY_LOW}
"""Conditions under which no guidance may be shown."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A condition that stands.

    Attributes:
        condition: what it is.
        value, threshold: of the number behind it (milliseconds, frames a second, percent); None without one.
    """

    condition: Condition
    value: float | None = None
    threshold: float | None = None


class Watchdog:
    """Watches one live run. Every method takes the present moment; moments must not run backwards (they are clamped).

    Args:
        limits: validated.
        start_s: when the watch begins. A source that never sends is stale from there on.
    """

    def __init__(self, limits: LiveLimits, start_s: float) -> None:
        self._limits = limits
        self._now_s = self._start_s = self._taken_s = self._changed_s = start_s
        self._stage_since_s: float | None = None
        self._free_percent: float | None = None
        self._shown_s: deque[float] = deque()
        self._sound_frames: dict[Condition, int] = {}
        self._by_level: set[Condition] = set()
        self._passed: set[Condition] = set()

    def frame_in(self, now_s: float, *, changed: bool = True, jumped: bool = False) -> None:
        """The source gave a frame.

        Args:
            now_s: the present moment.
            changed: its image is not the one of before.
            jumped: its time stamp does not follow from the one of before.
        """
        self.tick(now_s)
        self._judge(Condition.CLOCK_JUMP, sound=not jumped)
        if changed:
            self._changed_s = self._now_s
            self._judge(Condition.FROZEN, sound=True)
        elif self._now_s - self._changed_s > self._limits.frozen_after_ms / _MILLI:
            self._judge(Condition.FROZEN, sound=False)
        self._judge(Condition.SOURCE_LOST, sound=True)

    def frame_done(self, now_s: float, taken_s: float) -> None:
        """All stages are through with a frame that came in at `taken_s`."""
        self.tick(now_s)
        self._stage_since_s = None
        is_fresh = self._now_s - taken_s <= self._stale_after_s
        self._taken_s = max(self._taken_s, min(taken_s, self._now_s))
        self._shown_s.append(self._now_s)
        self._judge(Condition.STALE, sound=is_fresh)
        for condition in (Condition.STAGE_HUNG, Condition.STAGE_FAILED, Condition.MODEL_FAULT):
            self._judge(condition, sound=True)
        self.tick(now_s)

    def stage_begun(self, now_s: float) -> None:
        """A stage starts to work on a frame."""
        self.tick(now_s)
        self._stage_since_s = self._now_s

    def stage_failed(self, now_s: float, *, is_model: bool = False) -> None:
        """A stage raised; `is_model` when the model is at fault. The frame is given up."""
        self.tick(now_s)
        self._stage_since_s = None
        self._judge(Condition.MODEL_FAULT if is_model else Condition.STAGE_FAILED, sound=False)

    def source_lost(self, now_s: float) -> None:
        """The source broke off."""
        self.tick(now_s)
        self._judge(Condition.SOURCE_LOST, sound=False)

    def memory_is(self, now_s: float, free_percent: float | None) -> None:
        """How much of the memory is free; None when nobody knows."""
        self._free_percent = free_percent
        self.tick(now_s)

    def tick(self, now_s: float) -> None:
        """Time passes. A process that was stopped (a lid that was closed) finds itself in a later time."""
        if not 0 <= now_s - self._now_s <= self._limits.clock_tolerance_s:
            self._judge(Condition.CLOCK_JUMP, sound=False)
        self._now_s = max(self._now_s, now_s)
        if self.age_s > self._stale_after_s:
            self._judge(Condition.STALE, sound=False)
        if self.stage_s > self._limits.stage_limit_ms / _MILLI:
            self._judge(Condition.STAGE_HUNG, sound=False)
        self._judge_rate()
        self._judge_memory()

    @property
    def age_s(self) -> float:
        """Of the newest image that went through all stages."""
        return self._now_s - self._taken_s

    @property
    def stage_s(self) -> float:
        """For how long the present stage has been working; 0 while none is."""
        return 0.0 if self._stage_since_s is None else self._now_s - self._stage_since_s

    @property
    def rate_hz(self) -> float:
        """Frames that went through, a second, over the last `low_rate_after_s`."""
        return len(self._shown_s) / self._limits.low_rate_after_s

    @property
    def is_withdrawn(self) -> bool:
        """Whether guidance must not be shown."""
        return any(condition in WITHDRAWING for condition in self._sound_frames)

    @property
    def conditions(self) -> frozenset[Condition]:
        """Those that stand."""
        return frozenset(self._by_level) | self._sound_frames.keys()

    def findings(self) -> tuple[Finding, ...]:
        """What stands, with its numbers, in the order of `Condition`."""
        limits, standing = self._limits, self.conditions
        numbers: dict[Condition, tuple[float | None, float]] = {
            Condition.STALE: (_MILLI * self.age_s, limits.stale_after_ms),
            Condition.FROZEN: (_MILLI * (self._now_s - self._changed_s), limits.frozen_after_ms),
            Condition.LOW_RATE: (self.rate_hz, limits.low_rate_hz),
            Condition.STAGE_HUNG: (_MILLI * self.stage_s, limits.stage_limit_ms),
            Condition.MEMORY_LOW: (self._free_percent, limits.memory_low_percent),
        }
        return tuple(Finding(one, *numbers.get(one, (None, None))) for one in Condition if one in standing)

    def take_findings(self) -> tuple[Finding, ...]:
        """What stands, and what came and went since this was last asked: a short fault is told once, too."""
        standing = {finding.condition: finding for finding in self.findings()}
        told = tuple(standing.get(one, Finding(one)) for one in Condition if one in standing or one in self._passed)
        self._passed.clear()
        return told

    @property
    def _stale_after_s(self) -> float:
        return self._limits.stale_after_ms / _MILLI

    def _judge(self, condition: Condition, *, sound: bool) -> None:
        """Raises a condition at once, and clears it after enough sound frames in a row."""
        if not sound:
            self._sound_frames[condition] = 0
        elif condition in self._sound_frames:
            self._sound_frames[condition] += 1
            if self._sound_frames[condition] >= self._limits.cured_after_frames:
                del self._sound_frames[condition]
                self._passed.add(condition)

    def _judge_rate(self) -> None:
        window_s = self._limits.low_rate_after_s
        while self._shown_s and self._shown_s[0] <= self._now_s - window_s:
            self._shown_s.popleft()
        if self._now_s - self._start_s >= window_s:
            clear_hz = max(self._limits.low_rate_clear_hz, self._limits.low_rate_hz)
            self._set_level(Condition.LOW_RATE, self.rate_hz < self._limits.low_rate_hz, self.rate_hz >= clear_hz)

    def _judge_memory(self) -> None:
        free, limit = self._free_percent, self._limits.memory_low_percent
        if free is not None:
            self._set_level(Condition.MEMORY_LOW, free < limit, free >= _MEMORY_CURED * limit)

    def _set_level(self, condition: Condition, raised: bool, cured: bool) -> None:
        if raised:
            self._by_level.add(condition)
        elif cured and condition in self._by_level:
            self._by_level.discard(condition)
            self._passed.add(condition)
