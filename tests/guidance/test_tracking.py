"""The needle's states on the source's clock."""

from __future__ import annotations

import numpy as np
import pytest
from drawn_scenes import DrawnScene
from hypothesis import given, settings
from hypothesis import strategies as st

from hipseg.frame import ScanRegion, Spacing
from hipseg.guidance.config import TrackingConfig
from hipseg.guidance.geometry import Line, ScanPlane
from hipseg.guidance.needle import NeedleSighting, Tip
from hipseg.guidance.shaft import Shaft
from hipseg.guidance.tracking import NeedleState, NeedleTracker
from hipseg.runtime.grid import Grid

FRAME_S = 1 / 30
DIRECTION = np.array([-0.8, 0.6])
PLANE = ScanPlane.of(Grid(480, 640, 256), Spacing(0.1, 0.1, "user"), DrawnScene().region)
TRACKED, COASTING, LOST, ABSENT = NeedleState.TRACKED, NeedleState.COASTING, NeedleState.LOST, NeedleState.ABSENT


def seen(tip: tuple[float, float] | np.ndarray, *, tip_visible: bool = True, length: float = 20.0) -> NeedleSighting:
    point = np.asarray(tip, dtype=float)
    shaft = Shaft(Line(point, DIRECTION), point - length * DIRECTION, point, 0.9)
    return NeedleSighting(shaft, Tip(point, 0.4) if tip_visible else None)


def run(tracker: NeedleTracker, sightings: list[NeedleSighting | None], start_s: float = 0.0) -> list[NeedleState]:
    return [tracker.step(one, start_s + k * FRAME_S, PLANE).state for k, one in enumerate(sightings)]


def test_nothing_seen_is_absent() -> None:
    assert run(NeedleTracker(TrackingConfig()), [None] * 3) == [ABSENT] * 3


def test_a_tip_out_of_sight_coasts_for_300_ms_and_is_lost_then() -> None:
    states = run(NeedleTracker(TrackingConfig()), [seen((40, 25))] + [None] * 12)
    assert states == [TRACKED] + [COASTING] * 9 + [LOST] * 3


def test_a_lost_tip_is_found_again_wherever_it_is() -> None:
    states = run(NeedleTracker(TrackingConfig()), [seen((40, 25))] + [None] * 12 + [seen((15, 40))])
    assert states[-1] is TRACKED


def test_a_shaft_without_its_tip_is_not_tracked_but_shown() -> None:
    tracker = NeedleTracker(TrackingConfig())
    run(tracker, [seen((40, 25))])
    needle = tracker.step(seen((41, 24), tip_visible=False), 1.0, PLANE)
    assert needle.state is LOST
    assert needle.tip_mm is None
    assert needle.shaft is not None


def test_a_needle_not_seen_for_long_is_absent_again() -> None:
    tracker = NeedleTracker(TrackingConfig())
    run(tracker, [seen((40, 25))])
    assert [tracker.step(None, time_s, PLANE).state for time_s in (1.0, 4.9, 5.1)] == [LOST, LOST, ABSENT]


def test_a_needle_drawn_out_is_absent_at_once() -> None:
    states = run(NeedleTracker(TrackingConfig()), [seen((60, 5), length=6.0)] + [None] * 11)
    assert states[-1] is ABSENT
    assert LOST not in states


def test_a_jump_no_hand_makes_is_not_believed_until_the_old_tip_is_lost() -> None:
    states = run(NeedleTracker(TrackingConfig()), [seen((40, 25))] * 3 + [seen((10, 40))] * 12)
    assert states == [TRACKED] * 3 + [COASTING] * 9 + [TRACKED] * 3


@settings(max_examples=25)
@given(gaps=st.lists(st.floats(0.01, 0.2), min_size=12, max_size=30), speed=st.floats(1, 20))
def test_speed_follows_irregular_timestamps_and_the_tip_does_not_lag(gaps: list[float], speed: float) -> None:
    tracker, time_s, start = NeedleTracker(TrackingConfig()), 0.0, np.array([60.0, 5.0])
    for gap in gaps:
        time_s += gap
        tip = start + speed * time_s * DIRECTION
        needle = tracker.step(seen(tip), time_s, PLANE)
    assert needle.tip_mm == pytest.approx(tip)
    assert needle.velocity_mm_s is not None
    assert np.hypot(*needle.velocity_mm_s) == pytest.approx(speed, rel=1e-6)


def test_coasting_carries_the_tip_on_and_doubt_grows() -> None:
    tracker = NeedleTracker(TrackingConfig())
    run(tracker, [seen(np.array([50.0, 12.0]) + 10 * k * FRAME_S * DIRECTION) for k in range(4)])
    needle = tracker.step(None, 3 * FRAME_S + 0.2, PLANE)
    assert needle.tip_mm == pytest.approx(np.array([50.0, 12.0]) + 10 * (3 * FRAME_S + 0.2) * DIRECTION)
    assert needle.sigma_mm == pytest.approx(0.4 + 0.2 * 5)


@pytest.mark.parametrize("clock", ["backwards", "standing"])
def test_a_broken_clock_gives_no_speed_and_no_crash(clock: str) -> None:
    tracker = NeedleTracker(TrackingConfig())
    times = [1.0, 0.5] if clock == "backwards" else [1.0, 1.0]
    needles = [tracker.step(seen((40, 25)), time_s, PLANE) for time_s in times]
    assert needles[-1].state is TRACKED
    assert needles[-1].velocity_mm_s is None


def test_a_changed_scale_starts_a_new_track() -> None:
    tracker = NeedleTracker(TrackingConfig())
    run(tracker, [seen((40, 25))] * 3)
    deeper = ScanPlane.of(Grid(480, 640, 256), Spacing(0.2, 0.2, "user"), ScanRegion(0, 0, 640, 480, "full"))
    assert tracker.step(None, 0.2, deeper).state is ABSENT
