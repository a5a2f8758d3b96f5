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


def listed(sighting: NeedleSighting | None) -> list[NeedleSighting]:
    return [] if sighting is None else [sighting]


def run(tracker: NeedleTracker, sightings: list[NeedleSighting | None], start_s: float = 0.0) -> list[NeedleState]:
    return [tracker.step(listed(one), start_s + k * FRAME_S, PLANE).state for k, one in enumerate(sightings)]


def believing() -> NeedleTracker:
    """A tracker that takes every line for a needle, moved or not."""
    return NeedleTracker(TrackingConfig(require_motion=False))


def test_nothing_seen_is_absent() -> None:
    assert run(believing(), [None] * 3) == [ABSENT] * 3


def test_a_tip_out_of_sight_coasts_for_300_ms_and_is_lost_then() -> None:
    states = run(believing(), [seen((40, 25))] + [None] * 12)
    assert states == [TRACKED] + [COASTING] * 9 + [LOST] * 3


def test_a_lost_tip_is_found_again_wherever_it_is() -> None:
    states = run(believing(), [seen((40, 25))] + [None] * 12 + [seen((15, 40))])
    assert states[-1] is TRACKED


def test_a_shaft_without_its_tip_is_not_tracked_but_shown() -> None:
    tracker = believing()
    run(tracker, [seen((40, 25))])
    needle = tracker.step([seen((41, 24), tip_visible=False)], 1.0, PLANE)
    assert needle.state is LOST
    assert needle.tip_mm is None
    assert needle.shaft is not None


def test_a_needle_not_seen_for_long_is_absent_again() -> None:
    tracker = believing()
    run(tracker, [seen((40, 25))])
    assert [tracker.step([], time_s, PLANE).state for time_s in (1.0, 4.9, 5.1)] == [LOST, LOST, ABSENT]


def test_a_needle_drawn_out_is_absent_at_once() -> None:
    states = run(believing(), [seen((60, 5), length=6.0)] + [None] * 11)
    assert states[-1] is ABSENT
    assert LOST not in states


def test_a_jump_no_hand_makes_is_not_believed_until_the_old_tip_is_lost() -> None:
    states = run(believing(), [seen((40, 25))] * 3 + [seen((10, 40))] * 12)
    assert states == [TRACKED] * 3 + [COASTING] * 9 + [TRACKED] * 3


@settings(max_examples=25)
@given(gaps=st.lists(st.floats(0.01, 0.2), min_size=12, max_size=30), speed=st.floats(1, 20))
def test_speed_follows_irregular_timestamps_and_the_tip_does_not_lag(gaps: list[float], speed: float) -> None:
    tracker, time_s, start = believing(), 0.0, np.array([60.0, 5.0])
    for gap in gaps:
        time_s += gap
        tip = start + speed * time_s * DIRECTION
        needle = tracker.step([seen(tip)], time_s, PLANE)
    assert needle.tip_mm == pytest.approx(tip, abs=0.01)
    assert needle.velocity_mm_s is not None
    assert np.hypot(*needle.velocity_mm_s) == pytest.approx(speed, rel=0.01)


def test_coasting_carries_the_tip_on_and_doubt_grows() -> None:
    tracker = believing()
    run(tracker, [seen(np.array([50.0, 12.0]) + 10 * k * FRAME_S * DIRECTION) for k in range(4)])
    needle = tracker.step([], 3 * FRAME_S + 0.2, PLANE)
    assert needle.tip_mm == pytest.approx(np.array([50.0, 12.0]) + 10 * (3 * FRAME_S + 0.2) * DIRECTION, abs=0.01)
    assert needle.sigma_mm == pytest.approx(0.4 + 0.2 * 5)


@pytest.mark.parametrize("clock", ["backwards", "standing"])
def test_a_broken_clock_gives_no_speed_and_no_crash(clock: str) -> None:
    tracker = believing()
    times = [1.0, 0.5] if clock == "backwards" else [1.0, 1.0]
    needles = [tracker.step([seen((40, 25))], time_s, PLANE) for time_s in times]
    assert needles[-1].state is TRACKED
    assert needles[-1].velocity_mm_s is None


def test_a_changed_scale_starts_a_new_track() -> None:
    tracker = believing()
    run(tracker, [seen((40, 25))] * 3)
    deeper = ScanPlane.of(Grid(480, 640, 256), Spacing(0.2, 0.2, "user"), ScanRegion(0, 0, 640, 480, "full"))
    assert tracker.step([], 0.2, deeper).state is ABSENT


def proving() -> NeedleTracker:
    return NeedleTracker(TrackingConfig())


def advancing(speed: float, seconds: float, rate_hz: float = 30, jitter: float = 0.0) -> list[tuple[float, np.ndarray]]:
    """Times and tips of a needle that goes forward, its tip read with so much noise along it."""
    rng = np.random.default_rng(5)
    times = np.arange(round(seconds * rate_hz)) / rate_hz
    noise = rng.normal(0, jitter, len(times)) if jitter else np.zeros(len(times))
    return [(t, np.array([60.0, 5.0]) + (speed * t + e) * DIRECTION) for t, e in zip(times, noise, strict=True)]


def test_a_needle_that_was_out_of_the_plane_need_not_move_again_to_be_known() -> None:
    tracker, moves = proving(), advancing(8.0, 1.0)
    for time_s, tip in moves:
        before = tracker.step([seen(tip)], time_s, PLANE)
    assert before.state is TRACKED
    assert tracker.step([], 7.5, PLANE).state is ABSENT
    assert tracker.step([seen(moves[-1][1])], 7.6, PLANE).state is TRACKED
    assert tracker.step([seen((60, 40))], 7.7, PLANE).state is COASTING  # another line is not


def test_where_a_needle_was_drawn_out_a_line_has_to_prove_itself() -> None:
    tracker = proving()
    way = list(advancing(8.0, 1.0))
    for (time_s, _), (_, tip) in zip(way, reversed(way), strict=True):
        tracker.step([seen(tip, length=6.0)], time_s, PLANE)
    assert tracker.step([], 1.5, PLANE).state is ABSENT
    assert tracker.step([seen(tip, length=6.0)], 1.6, PLANE).state is ABSENT


def test_a_deep_needle_whose_plane_is_left_is_lost_not_drawn_out() -> None:
    tracker = believing()
    rests = [seen((30, 30), length=length) for length in (20.0, 10.0, 5.0, 2.6)]
    assert run(tracker, rests) == [TRACKED] * 4
    assert [tracker.step([], time_s, PLANE).state for time_s in (0.3, 0.6, 4.0)] == [COASTING, LOST, LOST]


def test_a_needle_that_leaves_the_picture_below_is_lost_not_drawn_out() -> None:
    states = run(believing(), [seen((20, 49))] + [None] * 12)  # the picture ends at 47.9 mm
    assert states == [TRACKED] + [COASTING] * 9 + [LOST] * 3


def test_what_never_moves_is_no_needle_however_long_it_is_seen() -> None:
    tracker = proving()
    needles = [tracker.step([seen((40, 25))], k * FRAME_S, PLANE) for k in range(300)]
    assert {needle.state for needle in needles} == {ABSENT}
    assert needles[-1].tip_mm is None
    assert needles[-1].unproven is not None


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("flicker", ["jitter", "two ends", "walk within a mm"])
def test_a_line_whose_end_flickers_has_not_moved(flicker: str, seed: int) -> None:
    rng, tracker = np.random.default_rng(seed), proving()
    ends = {
        "jitter": rng.normal(0, 1.0, 300),
        "two ends": 5.0 * rng.integers(0, 2, 20).repeat(15),
        "walk within a mm": np.clip(np.cumsum(rng.normal(0, 0.1, 300)), -0.4, 0.4),
    }[flicker]
    states = run(tracker, [seen(np.array([40.0, 25.0]) + end * DIRECTION) for end in ends])
    assert set(states) == {ABSENT}


def test_a_line_that_moves_sideways_or_with_the_tissue_has_not_moved() -> None:
    across = np.array([DIRECTION[1], -DIRECTION[0]])
    tracker = proving()
    assert set(run(tracker, [seen((40, 25) + 0.05 * k * across) for k in range(60)])) == {ABSENT}
    tracker, shift = proving(), 0.1 * DIRECTION
    states = [tracker.step([seen((40, 25) + k * shift)], k * FRAME_S, PLANE, shift * (k > 0)).state for k in range(90)]
    assert set(states) == {ABSENT}


@pytest.mark.parametrize(
    ("speed", "jitter", "within_s"), [(20, 0.0, 0.2), (5, 0.2, 0.6), (1, 0.2, 2.4), (-5, 0.2, 0.6)]
)
def test_a_needle_proves_itself_by_its_motion_and_stays_one_while_it_pauses(
    speed: float, jitter: float, within_s: float
) -> None:
    tracker, states = proving(), []
    moving = advancing(speed, within_s, jitter=jitter)
    for time_s, tip in moving:
        states.append(tracker.step([seen(tip)], time_s, PLANE).state)
    assert states[-1] is TRACKED
    pause = [tracker.step([seen(moving[-1][1])], 3 + k * FRAME_S, PLANE).state for k in range(300)]
    assert set(pause) == {TRACKED}


def test_the_needle_that_moves_is_followed_beside_a_better_seen_line_that_does_not() -> None:
    tracker = proving()
    fascia = NeedleSighting(
        Shaft(Line(np.array([30.0, 35.0]), np.array([1.0, 0.1])), np.array([5.0, 32.5]), np.array([30.0, 35.0]), 0.99),
        Tip(np.array([30.0, 35.0]), 0.3),
    )
    for time_s, tip in advancing(5, 2.0, jitter=0.2):
        needle = tracker.step([fascia, seen(tip)], time_s, PLANE)
    assert needle.state is TRACKED
    assert needle.tip_mm == pytest.approx(tip, abs=0.5)
    for k in range(5):
        needle = tracker.step([fascia], 2.0 + 0.1 * k, PLANE)
        assert needle.tip_mm is None or np.hypot(*(needle.tip_mm - (30, 35))) > 10
    assert needle.state is LOST


@pytest.mark.parametrize("rate_hz", [20, 30, 60])
def test_a_hand_that_starts_and_stops_is_followed_within_a_frame(rate_hz: float) -> None:
    """Rest, 5 mm/s, rest: the lag is never more than the way of one frame."""
    tracker = believing()
    position, lags = 0.0, []
    for k in range(round(3 * rate_hz)):
        moving = rate_hz <= k < 2 * rate_hz
        position += 5 / rate_hz * moving
        tip = np.array([60.0, 5.0]) + position * DIRECTION
        needle = tracker.step([seen(tip)], k / rate_hz, PLANE)
        assert needle.tip_mm is not None
        lags.append(abs(float((tip - needle.tip_mm) @ DIRECTION)))
    assert max(lags) <= 5 / rate_hz


def test_jitter_of_the_tip_is_smoothed() -> None:
    tracker, errors, raw = believing(), [], []
    truth = np.array([60.0, 5.0])
    for time_s, tip in advancing(0.0, 4.0, jitter=0.3):
        needle = tracker.step([seen(tip)], time_s, PLANE)
        assert needle.tip_mm is not None
        errors.append(float((needle.tip_mm - truth) @ DIRECTION))
        raw.append(float((tip - truth) @ DIRECTION))
    assert np.std(errors[20:]) < 0.85 * np.std(raw[20:])


def test_a_needle_turned_between_two_frames_is_the_same_needle() -> None:
    tracker = proving()
    for time_s, tip in advancing(10, 0.5):
        tracker.step([seen(tip)], time_s, PLANE)
    way = np.array([-0.6, 0.8])
    turned = NeedleSighting(Shaft(Line(tip, way), tip - 20 * way, tip, 0.9), Tip(tip, 0.4))
    assert tracker.step([turned], 0.53, PLANE).state is TRACKED


def test_a_clip_without_a_needle_that_begins_again_knows_no_needle() -> None:
    """Time that runs backwards is another clip: what was proven before is not proven there."""
    tracker = proving()
    for time_s, tip in advancing(10, 0.5):
        tracker.step([seen(tip)], 10 + time_s, PLANE)
    assert tracker.step([seen(tip)], 1.0, PLANE).state is ABSENT
