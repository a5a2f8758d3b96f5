"""The parts of the live stream that know no thread and no clock: slot, pauses, time, change."""

from __future__ import annotations

import itertools
import math
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hipseg.runtime.live.backoff import Backoff
from hipseg.runtime.live.clock import SourceClock
from hipseg.runtime.live.freeze import ChangeDetector
from hipseg.runtime.live.slot import LatestSlot


def test_the_slot_holds_the_newest_and_counts_what_it_drops() -> None:
    slot: LatestSlot[int] = LatestSlot()
    for item in range(5):
        slot.put(item)
    assert (slot.take(0), slot.dropped) == (4, 4)
    assert slot.take(0) is None


def test_a_closed_slot_gives_its_last_item() -> None:
    slot: LatestSlot[int] = LatestSlot()
    slot.put(7)
    slot.close()
    assert not slot.is_over
    assert (slot.take(), slot.take()) == (7, None)
    assert slot.is_over


def test_a_waiting_taker_is_woken() -> None:
    slot: LatestSlot[int] = LatestSlot()
    threading.Timer(0.05, slot.put, (3,)).start()
    assert slot.take(5) == 3
    threading.Timer(0.05, slot.close).start()
    assert slot.take(5) is None


def test_pauses_double_up_to_the_longest_and_end() -> None:
    backoff, since_s, pauses = Backoff(0.25, 4, 20), 0.0, []
    while (pause_s := backoff.next_pause_s(since_s)) is not None:
        pauses.append(pause_s)
        since_s += pause_s
    assert pauses == [0.25, 0.5, 1, 2, 4, 4, 4, 4, 0.25]
    assert since_s == 20


def test_very_many_attempts_do_not_overflow() -> None:
    backoff = Backoff(0.01, 0.01, math.inf)
    assert {backoff.next_pause_s(0) for _ in range(2000)} == {0.01}


def times_of(stamps_s: list[float], step_s: float = 0.04) -> list[tuple[float, bool]]:
    clock = SourceClock(tolerance_s=1.0)
    return [tuple(clock.time_of(stamp_s, 1000 + k * step_s)) for k, stamp_s in enumerate(stamps_s)]  # type: ignore[misc]


def test_a_sources_own_times_are_kept() -> None:
    assert times_of([5.0, 5.03, 5.08]) == [(0.0, False), (pytest.approx(0.03), False), (pytest.approx(0.08), False)]


@pytest.mark.parametrize("odd", [4.0, -1e9, 3605.04, math.nan, math.inf])
def test_a_leap_of_the_sources_clock_is_bridged_by_ours(odd: float) -> None:
    times = times_of([5.0, 5.04, odd, odd + 0.04, odd + 0.08])
    assert times[2] == (pytest.approx(0.08), True)
    assert times[4][0] == pytest.approx(0.16)
    if math.isfinite(odd):
        assert times[4] == (pytest.approx(0.16), False)


def test_a_coarse_clock_that_stands_still_is_no_leap() -> None:
    assert times_of([5.0, 5.0, 5.0]) == [(0.0, False), (pytest.approx(0.04), False), (pytest.approx(0.08), False)]


@given(st.lists(st.tuples(st.floats(), st.floats(0, 10)), min_size=2, max_size=30))
def test_time_always_goes_on(frames: list[tuple[float, float]]) -> None:
    clock, taken_s, times = SourceClock(1.0), 0.0, []
    for stamp_s, pause_s in frames:
        taken_s += pause_s
        times.append(clock.time_of(stamp_s, taken_s).time_s)
    assert all(later > earlier for earlier, later in itertools.pairwise(times))
    assert times[-1] <= 2.0 * len(frames) + taken_s


def detector() -> ChangeDetector:
    return ChangeDetector(level=3, share=1e-5)


def test_noise_of_compression_is_no_change_a_moving_needle_is() -> None:
    rng = np.random.default_rng(1)
    image = rng.integers(20, 200, (480, 640)).astype(np.uint8)
    watch = detector()
    assert watch.has_changed(image)
    for _ in range(5):
        assert not watch.has_changed((image + rng.integers(-3, 4, image.shape)).astype(np.uint8))
    moved = image.copy()
    moved[100:103, 200:220] = 255
    assert watch.has_changed(moved)


def test_slow_motion_adds_up() -> None:
    watch = detector()
    changes = [watch.has_changed(np.full((40, 40), 100 + k, np.uint8)) for k in range(9)]
    assert changes == [True, False, False, False, True, False, False, False, True]


def test_another_size_is_a_change() -> None:
    watch = detector()
    assert watch.has_changed(np.zeros((40, 40), np.uint8))
    assert watch.has_changed(np.zeros((40, 41), np.uint8))
