"""The watchdog: every condition raised within its limit and cleared only when it is cured."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hipseg.runtime.live.limits import LiveLimits
from hipseg.runtime.live.watchdog import WITHDRAWING, Condition, Finding, Watchdog

LIMITS = LiveLimits()
STALE_S = LIMITS.stale_after_ms / 1e3
FRAME_S = 1 / 30


class Run:
    """A watched run whose time is told, not measured."""

    def __init__(self, limits: LiveLimits = LIMITS, start_s: float = 100.0) -> None:
        self.now_s = start_s
        self.dog = Watchdog(limits, start_s)

    def frames(self, number: int, step_s: float = FRAME_S, *, changed: bool = True, done: bool = True) -> Run:
        for _ in range(number):
            self.now_s += step_s
            self.dog.frame_in(self.now_s, changed=changed)
            if done:
                self.dog.stage_begun(self.now_s)
                self.dog.frame_done(self.now_s, self.now_s)
        return self

    def wait(self, seconds: float, tick_s: float = 0.02) -> Run:
        for _ in range(round(seconds / tick_s)):
            self.now_s += tick_s
            self.dog.tick(self.now_s)
        return self


def test_a_steady_feed_has_nothing_wrong() -> None:
    run = Run().frames(300)
    assert run.dog.conditions == frozenset()
    assert not run.dog.is_withdrawn
    assert run.dog.rate_hz == pytest.approx(30, abs=1)


def test_no_image_for_200_ms_is_stale_and_not_earlier() -> None:
    run = Run().frames(10).wait(0.20)
    assert not run.dog.is_withdrawn
    run.wait(0.02)
    assert run.dog.conditions == {Condition.STALE}
    (finding,) = run.dog.findings()
    assert (finding.value, finding.threshold) == (pytest.approx(220), 200)


def test_a_source_that_never_sends_is_stale() -> None:
    assert Condition.STALE in Run().wait(0.3).dog.conditions


def test_staleness_is_cured_by_several_frames_not_by_one() -> None:
    run = Run().frames(10).wait(0.5)
    for number in (1, 2):
        assert run.frames(1).dog.is_withdrawn, number
    assert not run.frames(1).dog.is_withdrawn


def test_one_frame_a_second_never_gets_guidance_back() -> None:
    run = Run().frames(5)
    for _ in range(10):
        run.wait(0.98).frames(1, 0.02)
        assert {Condition.STALE, Condition.LOW_RATE} & run.dog.conditions
        assert run.dog.is_withdrawn
    assert {Condition.STALE, Condition.LOW_RATE} <= run.dog.conditions


def test_frames_that_are_old_when_they_are_done_are_stale() -> None:
    run = Run().frames(5)
    for _ in range(10):
        run.now_s += FRAME_S
        run.dog.frame_done(run.now_s, run.now_s - STALE_S - 0.01)
    assert Condition.STALE in run.dog.conditions


def test_the_same_image_over_and_over_is_frozen() -> None:
    run = Run().frames(30).frames(10, changed=False)
    assert run.dog.conditions == frozenset()
    assert run.frames(4, changed=False).dog.conditions == {Condition.FROZEN}
    assert run.frames(LIMITS.cured_after_frames - 1).dog.is_withdrawn
    assert not run.frames(1).dog.is_withdrawn


def test_a_capture_card_that_doubles_frames_is_not_frozen() -> None:
    run = Run()
    for _ in range(200):
        run.frames(1, 1 / 60).frames(1, 1 / 60, changed=False)
        assert not run.dog.conditions


def test_a_low_frame_rate_warns_and_keeps_guidance() -> None:
    run = Run().frames(60).frames(30, 1 / 10)
    assert run.dog.conditions == {Condition.LOW_RATE}
    assert not run.dog.is_withdrawn
    assert run.frames(60).dog.conditions == frozenset()


def test_a_lost_source_is_cured_by_frames_not_by_time() -> None:
    run = Run().frames(5)
    run.dog.source_lost(run.now_s)
    assert run.wait(60).dog.conditions >= {Condition.SOURCE_LOST, Condition.STALE}
    assert Condition.SOURCE_LOST in run.frames(2).dog.conditions
    assert Condition.SOURCE_LOST not in run.frames(1).dog.conditions


def test_a_stage_that_hangs_is_found_while_it_hangs() -> None:
    run = Run().frames(5)
    run.dog.stage_begun(run.now_s)
    assert Condition.STAGE_HUNG not in run.wait(0.9).dog.conditions
    assert Condition.STAGE_HUNG in run.wait(0.2).dog.conditions
    assert Condition.STAGE_HUNG not in run.frames(3).dog.conditions


@pytest.mark.parametrize(("is_model", "condition"), [(False, Condition.STAGE_FAILED), (True, Condition.MODEL_FAULT)])
def test_a_stage_that_raises(is_model: bool, condition: Condition) -> None:
    run = Run().frames(5)
    run.dog.stage_failed(run.now_s, is_model=is_model)
    assert run.dog.conditions == {condition}
    assert run.frames(2).dog.is_withdrawn
    assert not run.frames(1).dog.is_withdrawn


def test_memory_pressure_warns_and_is_cured_with_room_to_spare() -> None:
    run = Run().frames(5)
    for free_percent, stands in ((6.0, False), (4.9, True), (5.1, True), (7.5, False)):
        run.dog.memory_is(run.now_s, free_percent)
        assert (Condition.MEMORY_LOW in run.dog.conditions) == stands
        assert not run.dog.is_withdrawn
    run.dog.memory_is(run.now_s, None)
    assert not run.dog.conditions


def test_a_clock_that_jumps() -> None:
    run = Run().frames(5)
    run.dog.frame_in(run.now_s + FRAME_S, jumped=True)
    assert run.dog.conditions == {Condition.CLOCK_JUMP}
    run.now_s += FRAME_S
    assert not run.frames(3).dog.conditions


def test_what_came_and_went_since_the_last_look_is_told_once() -> None:
    run = Run().frames(5)
    run.dog.frame_in(run.now_s + 0.01, jumped=True)
    run.frames(LIMITS.cured_after_frames)
    assert run.dog.findings() == ()
    assert run.dog.take_findings() == (Finding(Condition.CLOCK_JUMP),)
    assert run.dog.take_findings() == ()


def test_a_process_that_was_stopped_finds_that_time_has_passed() -> None:
    run = Run().frames(30)
    run.now_s += 3600
    run.dog.tick(run.now_s)
    assert run.dog.conditions >= {Condition.CLOCK_JUMP, Condition.STALE}


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["in", "same", "done", "late", "begun", "failed", "model", "lost", "tick", "jump", "low"]),
        st.floats(0, 0.6),
    ),
    max_size=60,
)


def happen(dog: Watchdog, what: str, now_s: float) -> None:
    match what:
        case "in" | "same" | "jump":
            dog.frame_in(now_s, changed=what != "same", jumped=what == "jump")
        case "done" | "late":
            dog.frame_done(now_s, now_s - (0.5 if what == "late" else 0.02))
        case "failed" | "model":
            dog.stage_failed(now_s, is_model=what == "model")
        case "begun":
            dog.stage_begun(now_s)
        case "lost":
            dog.source_lost(now_s)
        case "low":
            dog.memory_is(now_s, 1.0)
        case _:
            dog.tick(now_s)


@given(EVENTS)
def test_whatever_happens_guidance_stands_only_on_a_current_image(events: list[tuple[str, float]]) -> None:
    now_s, dog = 0.0, Watchdog(LIMITS, 0.0)
    newest_s, trouble_s = 0.0, -math.inf
    sound = LIMITS.cured_after_frames
    for what, pause_s in events:
        now_s += pause_s
        happen(dog, what, now_s)
        if what in ("done", "late"):
            newest_s = max(newest_s, now_s - (0.5 if what == "late" else 0.02))
        if now_s - newest_s > STALE_S:
            assert Condition.STALE in dog.conditions
        if what in ("failed", "model", "lost", "jump"):
            trouble_s, sound = now_s, 0
        elif what in ("in", "done"):
            sound += 1
        if sound < LIMITS.cured_after_frames and trouble_s >= 0:
            assert dog.is_withdrawn
        assert dog.is_withdrawn == bool(dog.conditions & WITHDRAWING)
        assert {finding.condition for finding in dog.findings()} == dog.conditions
        assert {finding.condition for finding in dog.take_findings()} >= dog.conditions


@given(EVENTS)
def test_whatever_happened_a_steady_feed_cures_it(events: list[tuple[str, float]]) -> None:
    now_s, dog = 0.0, Watchdog(LIMITS, 0.0)
    for what, pause_s in events:
        now_s += pause_s
        happen(dog, what, now_s)
    for _ in range(80):
        now_s += FRAME_S
        dog.memory_is(now_s, 50.0)
        dog.frame_in(now_s)
        dog.frame_done(now_s, now_s)
    assert not dog.conditions


@given(EVENTS, st.floats(-10, 0))
def test_a_moment_in_the_past_changes_no_age(events: list[tuple[str, float]], back_s: float) -> None:
    now_s, dog = 0.0, Watchdog(LIMITS, 0.0)
    for what, pause_s in events:
        now_s += pause_s
        happen(dog, what, now_s)
    age_s = dog.age_s
    dog.tick(now_s + back_s)
    assert dog.age_s == age_s
