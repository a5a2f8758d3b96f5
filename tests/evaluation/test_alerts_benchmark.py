"""Judging of alerts on procedures of known answer, and the benchmark from scenario to page."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hipseg.cli.main import execute
from hipseg.evaluation.alerts.figures import figures_of
from hipseg.evaluation.alerts.judge import judge, stretches
from hipseg.evaluation.alerts.kept import kept_case
from hipseg.evaluation.alerts.play import AlertJob, PlayedCase, Trace, play_case
from hipseg.guidance.alerts import ActiveAlert, AlertEvent
from hipseg.guidance.config import Priority

FRAME_S = 0.05
NEAR = ActiveAlert("vessel_proximity", Priority.medium, "Vessel near", 4.5, 5.0)
STEEP = ActiveAlert("steep_angle", Priority.low, "Steep needle", 61.0, 60.0)


def truth(index: int, artery_mm: float) -> dict[str, Any]:
    needle = {"tip_to_artery_mm": artery_mm, "tip_to_vein_mm": None, "angle_deg": 40.0}
    return {
        "time_s": FRAME_S * index,
        "needle": needle,
        "dangers": ["vessel_proximity"] if artery_mm <= 5 else [],
        "injection": {"joint_ml": 0.0, "tissue_ml": 0.0, "flowing": False},
    }


def played(events: list[tuple[float, AlertEvent]]) -> PlayedCase:
    """Ten seconds: the tip comes from 15 mm to the artery, touches it at 7.5 s, and rests there."""
    truths = [truth(index, max(15.0 - 2 * FRAME_S * index, 0.0)) for index in range(201)]
    trace = Trace()
    trace.story.time_s = [one["time_s"] for one in truths]
    trace.story.spread = ["none"] * len(truths)
    trace.story.needle = ["tracked"] * len(truths)
    for time_s, event in events:
        trace.story.log.see([event], time_s)
    return PlayedCase(0, "drawn", "P1", truths, {"eye": trace})


def test_an_alert_in_time_is_found_and_leads() -> None:
    verdict = judge(played([(5.1, AlertEvent(NEAR, "raised"))]), "eye")
    danger = verdict.dangers[0]
    assert danger.found
    assert danger.lead_s == pytest.approx(7.5 - 5.1)
    assert danger.delay_s == pytest.approx(0.1)
    assert verdict.false_alarms == ()


def test_a_danger_without_alert_is_a_miss_and_an_alert_without_danger_is_false() -> None:
    verdict = judge(played([(2.0, AlertEvent(STEEP, "raised"))]), "eye")
    assert [danger.found for danger in verdict.dangers] == [False]
    assert [entry.alert.id for entry in verdict.false_alarms] == ["steep_angle"]


def test_an_alert_just_outside_of_its_threshold_is_not_false() -> None:
    early = judge(played([(4.6, AlertEvent(NEAR, "raised"))]), "eye")
    assert early.dangers[0].found
    assert early.false_alarms == ()


@pytest.mark.parametrize(
    ("entry_mm", "ahead_mm", "is_false"), [(None, 0.8, False), (11.5, 1.2, False), (25.0, 4.0, True), (None, 6.0, True)]
)
def test_a_vessel_far_ahead_on_the_path_does_not_excuse_an_alert(
    entry_mm: float | None, ahead_mm: float, *, is_false: bool
) -> None:
    contact = ActiveAlert("vessel_contact", Priority.high, "Vessel contact", 8.0, 10.0)
    case = played([(1.0, AlertEvent(contact, "raised"))])
    for one in case.truths:
        one["needle"]["path"] = {"to_vessel_entry_mm": entry_mm, "to_vessel_ahead_mm": ahead_mm}
    assert bool(judge(case, "eye").false_alarms) == is_false


def test_an_alert_that_comes_and_goes_chatters() -> None:
    events = [(t, AlertEvent(NEAR, kind)) for t, kind in ((5.0, "raised"), (6.0, "cleared"), (6.5, "raised"))]  # type: ignore[arg-type]
    verdict = judge(played(events), "eye")
    assert verdict.chatter == 1
    figures = figures_of([played(events)], [verdict], "eye")
    assert figures["chatter_per_minute"]["value"] == pytest.approx(6.0)
    assert figures["alerts"]["vessel_proximity"]["sensitivity"] == {"value": 1.0, "low": None, "high": None, "n": 1}


def test_short_breaks_do_not_part_a_danger() -> None:
    on = [False, True, False, True, False] + [False] * 12 + [True]
    assert stretches([0.1 * k for k in range(len(on))], on) == [pytest.approx((0.1, 0.3)), pytest.approx((1.7, 1.7))]


def test_from_scenario_to_page(tmp_path: Path) -> None:
    arguments = ["--scenario", "no_needle", "--cases", "1", "--frames", "3", "--workers", "1"]
    assert execute(["benchmark", "alerts", "--out", str(tmp_path / "a"), *arguments]) == 0
    record = json.loads((tmp_path / "a" / "alerts.json").read_text())
    assert record["scenarios"] == {"no_needle": 1}
    assert record["eyes"]["truth"]["needle"]["without_needle"]["absent"]["value"] == 1.0
    assert "Not for clinical decisions" in (tmp_path / "a" / "alerts.html").read_text()


def test_what_was_played_is_not_played_again_unless_something_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = AlertJob(("no_needle",), ("truth",), seed=1, num_frames=2)
    first = kept_case(job, tmp_path, 0)
    assert first.traces["truth"].story.frame_count == 2
    played: list[int] = []

    def play_and_count(job: AlertJob, case: int) -> dict[str, Any]:
        played.append(case)
        return play_case(job, case)

    monkeypatch.setattr("hipseg.evaluation.alerts.kept.play_case", play_and_count)
    assert kept_case(job, tmp_path, 0).truths == first.truths
    assert not played
    other = replace(job, seed=2)
    assert kept_case(other, tmp_path, 0).truths != first.truths
    path = tmp_path / "0000.json.gz"
    path.write_bytes(path.read_bytes()[:-20])  # as if the machine had stopped in the midst of it
    kept_case(other, tmp_path, 0)
    assert played == [0, 0]
