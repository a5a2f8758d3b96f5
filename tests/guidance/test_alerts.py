"""The table of alerts: what each rule says, and how alerts are raised and cleared."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from hipseg.guidance.alert_log import AlertLog
from hipseg.guidance.alerts import ActiveAlert, AlertEvent, AlertMonitor, AlertState
from hipseg.guidance.clearances import Distances
from hipseg.guidance.config import AlertsConfig, Priority
from hipseg.guidance.injection import Injection, Spread
from hipseg.guidance.rules import NEEDLE_ALERTS, RULES, SAFE, Signals, read_rules
from hipseg.guidance.tracking import NeedleState

CONFIG = AlertsConfig()
CALM = Signals(
    needle=NeedleState.TRACKED,
    distances=Distances(20.0, 30.0, 30.0, 30.0, 20.0, 30.0, 0.5),
    tip_sigma_mm=0.4,
    path_to_entry_mm=math.inf,
    tip_to_head_mm=20.0,
    tip_to_labrum_mm=20.0,
    heading_error_deg=1.0,
    angle_deg=40.0,
    last_vessel_clearance_mm=30.0,
    scale_known=True,
    view_recognised=True,
    vessels_seen=True,
)
UNKNOWN = replace(
    CALM,
    needle=None,
    distances=Distances(),
    tip_sigma_mm=None,
    path_to_entry_mm=None,
    tip_to_head_mm=None,
    tip_to_labrum_mm=None,
    heading_error_deg=None,
    angle_deg=None,
)


def near(**distances: float | None) -> Signals:
    return replace(CALM, distances=replace(CALM.distances, **distances))  # type: ignore[arg-type]


def placed(outside_joint_mm: float | None) -> Signals:
    return replace(CALM, injection=Injection(placed=True, outside_joint_mm=outside_joint_mm))


def spreading(spread: Spread | None) -> Signals:
    return replace(CALM, injection=Injection(spread=spread))


D, S, B, U = "dangerous", "safe", "between", "unknown"
TRUTH = [
    ("vessel_contact", CALM, B),  # a path may graze a vessel in the next frame: never safe at once
    ("vessel_contact", near(tip_to_artery=1.9), D),
    ("vessel_contact", near(tip_to_vein=1.9), D),
    ("vessel_contact", near(tip_to_vein=-1.0, tip_to_artery=None), D),
    ("vessel_contact", near(tip_to_artery=2.5), B),
    ("vessel_contact", replace(CALM, path_to_entry_mm=9.9), D),
    ("vessel_contact", replace(CALM, path_to_entry_mm=10.1), B),
    ("vessel_contact", UNKNOWN, U),
    ("vessel_proximity", near(tip_to_artery=4.9), D),
    ("vessel_proximity", near(tip_to_vein=6.4), B),
    ("vessel_proximity", near(tip_to_vein=6.5), S),
    ("vessel_proximity", near(tip_to_vein=None, tip_to_artery=None), U),
    ("nerve_proximity", near(tip_to_nerve=3.9), D),
    ("nerve_proximity", near(tip_to_nerve=5.4), B),
    ("nerve_proximity", near(tip_to_nerve=5.5), S),
    ("nerve_proximity", near(tip_to_nerve=None), U),
    ("tip_lost", replace(CALM, needle=NeedleState.LOST), D),
    ("tip_lost", replace(CALM, needle=NeedleState.COASTING), S),
    ("tip_lost", UNKNOWN, U),
    ("tip_uncertain", replace(CALM, tip_sigma_mm=1.6), D),
    ("tip_uncertain", replace(CALM, tip_sigma_mm=1.4), B),
    ("tip_uncertain", replace(CALM, tip_sigma_mm=1.2), S),
    ("tip_uncertain", replace(CALM, needle=NeedleState.LOST, tip_sigma_mm=None), D),
    ("tip_uncertain", UNKNOWN, U),
    ("off_target", near(path_miss_target=3.1), D),
    ("off_target", near(path_miss_target=2.8), B),
    ("off_target", CALM, S),
    ("off_target", replace(CALM, heading_error_deg=5.1), D),
    ("off_target", replace(near(tip_to_target=5.5), heading_error_deg=30.0), D),
    ("off_target", replace(near(tip_to_target=4.0), heading_error_deg=30.0), S),
    ("off_target", UNKNOWN, U),
    ("steep_angle", replace(CALM, angle_deg=61.0), D),
    ("steep_angle", replace(CALM, angle_deg=58.0), B),
    ("steep_angle", replace(CALM, angle_deg=57.0), S),
    ("steep_angle", UNKNOWN, U),
    ("cartilage_labrum", replace(CALM, tip_to_head_mm=2.4), D),
    ("cartilage_labrum", replace(CALM, tip_to_head_mm=2.8), B),
    ("cartilage_labrum", replace(CALM, tip_to_labrum_mm=1.4), D),
    ("cartilage_labrum", replace(CALM, tip_to_labrum_mm=None), S),
    ("cartilage_labrum", UNKNOWN, U),
    ("withdrawn", placed(0.6), D),
    ("withdrawn", placed(0.4), B),
    ("withdrawn", placed(-1.0), S),
    ("withdrawn", placed(None), U),
    ("withdrawn", replace(CALM, injection=Injection(outside_joint_mm=9.0)), S),  # never placed: nothing to leave
    ("extra_articular_spread", spreading(Spread.EXTRA_ARTICULAR), D),
    ("extra_articular_spread", spreading(Spread.INTRA_ARTICULAR), S),
    ("extra_articular_spread", spreading(Spread.NONE), S),
    ("extra_articular_spread", spreading(None), U),
    ("no_scale", replace(CALM, scale_known=False), D),
    ("no_scale", CALM, S),
    ("unrecognised_view", replace(CALM, view_recognised=False), D),
    ("unrecognised_view", CALM, S),
    ("unrecognised_view", replace(CALM, view_recognised=None), S),
    ("vessels_not_assessed", replace(CALM, vessels_seen=False), D),
    ("vessels_not_assessed", CALM, S),
]


@pytest.mark.parametrize(("alert_id", "signals", "expected"), TRUTH)
def test_truth_table(alert_id: str, signals: Signals, expected: str) -> None:
    reading = RULES[alert_id](signals, CONFIG)
    if reading is None:
        assert expected is U
    else:
        assert {(True, False): D, (False, True): S, (False, False): B}[reading.dangerous, reading.safe] == expected


def test_every_alert_has_its_dangerous_row() -> None:
    assert {row[0] for row in TRUTH if row[2] is D} == set(RULES)


def test_without_a_needle_nothing_is_near() -> None:
    readings = read_rules(replace(UNKNOWN, needle=NeedleState.ABSENT), CONFIG)
    for alert_id in ("vessel_contact", "nerve_proximity", "steep_angle", "tip_lost"):
        assert readings[alert_id] == SAFE


def test_beside_a_line_that_may_be_a_needle_nobody_knows_what_is_near() -> None:
    readings = read_rules(replace(UNKNOWN, needle=NeedleState.ABSENT, unproven=True), CONFIG)
    assert {alert_id for alert_id, reading in readings.items() if reading is None} == NEEDLE_ALERTS
    assert readings["tip_lost"] == SAFE


def test_a_tip_lost_near_a_vessel_is_urgent() -> None:
    lost = replace(CALM, needle=NeedleState.LOST)
    far, near_vessel = (RULES["tip_lost"](replace(lost, last_vessel_clearance_mm=mm), CONFIG) for mm in (5.1, 4.9))
    assert far is not None
    assert far.priority is None
    assert near_vessel is not None
    assert near_vessel.priority is Priority.high


def play(frames: list[Signals], *, still: bool = False, frame_s: float = 1 / 30) -> list[tuple[int, str, str]]:
    """(frame, id, event) of everything that happens."""
    monitor = AlertMonitor(CONFIG, still=still)
    steps = [monitor.step(signals, k * frame_s) for k, signals in enumerate(frames)]
    return [(k, event.alert.id, event.event) for k, (_, events) in enumerate(steps) for event in events]


CLOSE, BETWEEN = near(tip_to_nerve=3.0), near(tip_to_nerve=5.0)


def test_one_frame_raises_nothing_two_do() -> None:
    assert play([CLOSE, CALM, CLOSE, CALM]) == []
    assert play([CALM, CLOSE, CLOSE]) == [(2, "nerve_proximity", "raised")]


def test_a_still_image_raises_at_once() -> None:
    assert play([CLOSE], still=True) == [(0, "nerve_proximity", "raised")]


def test_cleared_at_once_past_the_wider_threshold() -> None:
    assert play([CLOSE] * 2 + [CALM])[-1] == (2, "nerve_proximity", "cleared")


def test_cleared_only_after_twelve_frames_between_the_thresholds() -> None:
    assert play([CLOSE] * 2 + [BETWEEN] * 20)[-1] == (13, "nerve_proximity", "cleared")
    assert len(play([CLOSE] * 2 + ([BETWEEN] * 11 + [CLOSE]) * 3)) == 1


def test_jitter_about_the_raising_threshold_is_one_event() -> None:
    jitter = [near(tip_to_nerve=4.0 + 0.3 * (-1) ** k) for k in range(60)]
    assert len(play([CLOSE] * 2 + jitter)) == 1


def test_doubt_must_last_300_ms() -> None:
    unsure = replace(CALM, tip_sigma_mm=2.0)
    assert play([unsure] * 9) == []
    assert play([unsure] * 10) == [(9, "tip_uncertain", "raised")]


def test_unknown_holds_an_alert_for_a_while_and_raises_none() -> None:
    events = play([CLOSE] * 2 + [UNKNOWN] * 80)
    assert events[0] == (1, "nerve_proximity", "raised")
    cleared = next(frame for frame, alert_id, event in events if (alert_id, event) == ("nerve_proximity", "cleared"))
    assert cleared == pytest.approx(1 + 2.0 * 30, abs=2)
    assert play([UNKNOWN] * 30) == []


def test_a_standing_alert_shows_the_number_of_its_frame_or_none() -> None:
    monitor = AlertMonitor(CONFIG)
    seen = []
    for index, signals in enumerate([CLOSE, CLOSE, BETWEEN, UNKNOWN, BETWEEN]):
        active, _ = monitor.step(signals, index / 30)
        seen.append([alert.value for alert in active if alert.id == "nerve_proximity"])
    assert seen == [[], [3.0], [5.0], [None], [5.0]]


def test_a_gap_does_not_count_towards_raising() -> None:
    assert play([CLOSE, UNKNOWN, CLOSE]) == []


def test_a_lost_tip_becomes_urgent_without_being_cleared_first() -> None:
    lost = replace(UNKNOWN, needle=NeedleState.LOST, last_vessel_clearance_mm=20.0)
    events = play([lost, lost, replace(lost, last_vessel_clearance_mm=3.0), lost])
    assert events == [(0, "tip_lost", "raised"), (2, "tip_lost", "raised")]


def test_the_most_urgent_alert_comes_first() -> None:
    monitor = AlertMonitor(CONFIG)
    signals = replace(near(tip_to_artery=1.0, tip_to_nerve=3.0), scale_known=False)
    monitor.step(signals, 0.0)
    active, _ = monitor.step(signals, 0.03)
    assert [alert.priority.value for alert in active] == ["high", "medium", "medium", "low"]
    assert isinstance(active[0], ActiveAlert)
    assert active[0].id == "vessel_contact"
    assert active[0].value == 1.0
    assert active[0].threshold == 2.0


def test_time_running_backwards_does_not_hold_an_alert_for_ever() -> None:
    monitor = AlertMonitor(CONFIG)
    for time_s in (10.0, 10.1):
        monitor.step(CLOSE, time_s)
    active, _ = monitor.step(UNKNOWN, 3.0)
    assert "nerve_proximity" not in {alert.id for alert in active}


def test_clearing_takes_its_time_however_fast_frames_come() -> None:
    fast = play([CLOSE] * 2 + [BETWEEN] * 100, frame_s=1 / 100)
    cleared_s = (fast[-1][0] - 2) / 100
    assert cleared_s == pytest.approx(CONFIG.nerve_proximity.clear_s, abs=0.011)


def test_what_is_not_known_is_neither_clear_nor_active() -> None:
    monitor = AlertMonitor(CONFIG)
    assert set(monitor.states.values()) == {AlertState.UNKNOWN}
    monitor.step(UNKNOWN, 0.0)
    assert monitor.states["vessel_contact"] is AlertState.UNKNOWN
    assert monitor.states["no_scale"] is AlertState.CLEAR
    for time_s in (0.1, 0.2):
        monitor.step(CLOSE, time_s)
    assert monitor.states["nerve_proximity"] is AlertState.ACTIVE
    monitor.step(UNKNOWN, 0.3)
    assert monitor.states["nerve_proximity"] is AlertState.ACTIVE


NERVE = ActiveAlert("nerve_proximity", Priority.medium, "Nerve near", 3.0, 4.0)


def test_an_alert_that_passed_unnoticed_stays_on_the_list() -> None:
    log = AlertLog()
    log.see([AlertEvent(NERVE, "raised")], 1.0)
    assert log.sounding is Priority.medium
    log.see([AlertEvent(NERVE, "cleared")], 2.0)
    assert log.sounding is None
    assert [(entry.raised_s, entry.cleared_s) for entry in log.latched] == [(1.0, 2.0)]
    log.acknowledge("nerve_proximity")
    assert log.latched == ()
    assert len(log.entries) == 1


def test_acknowledging_silences_the_sound_and_never_the_state() -> None:
    log = AlertLog()
    log.see([AlertEvent(NERVE, "raised")], 1.0)
    log.acknowledge()
    assert log.sounding is None
    assert log.latched[0].stands
    log.see([AlertEvent(replace(NERVE, priority=Priority.high), "raised")], 1.5)
    assert log.sounding is Priority.high
    assert len(log.entries) == 1
