"""Scenario files: those of the repository are sound; mistyped, unphysical, contradictory ones are refused by name."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from hipseg.cli.main import execute
from hipseg.errors import SourceError, UsageError
from hipseg.simulation import load_scenario, scenario_names
from hipseg.simulation.script.actions import ACTIONS
from hipseg.simulation.script.files import scenario_of

SOUND: dict[str, Any] = {
    "summary": "The needle goes in, advances, injects, and comes out.",
    "view": "transverse",
    "duration_s": 12,
    "needle": {"aim": "target", "gauge": 22},
    "actions": [
        {"insert": {"at_s": 1, "for_s": 1}},
        {"advance": {"at_s": 2, "for_s": 3}},
        {"inject": {"at_s": 6, "for_s": 3, "volume_ml": 5}},
        {"withdraw": {"at_s": 10, "for_s": 1}},
    ],
}


def refusal(**changes: Any) -> str:
    """What is said about the sound script with some keys changed; a key of None is taken out."""
    content = {**copy.deepcopy(SOUND), **changes}
    with pytest.raises(UsageError) as refused:
        scenario_of({key: value for key, value in content.items() if value is not None}, "mine")
    return str(refused.value)


def with_actions(*actions: dict[str, Any]) -> dict[str, Any]:
    return {"actions": [*copy.deepcopy(SOUND["actions"][:2]), *actions]}


def test_the_repository_has_at_least_twenty_and_all_are_sound() -> None:
    scenarios = [load_scenario(name) for name in scenario_names()]
    assert len(scenarios) >= 20
    assert {scenario.view for scenario in scenarios} == {"longitudinal", "transverse"}
    for scenario in scenarios:
        assert 5 <= scenario.duration_s <= 60
        assert 15 <= scenario.frame_rate_hz <= 60
        assert scenario.summary.endswith(".")
    played = {type(action) for scenario in scenarios for action in scenario.actions}
    assert played == set(ACTIONS.values())


def test_a_sound_script_is_taken_as_it_is() -> None:
    scenario = scenario_of(SOUND, "mine")
    assert scenario.num_frames == 240
    assert [action.end_s for action in scenario.actions] == [2, 5, 9, 11]


@pytest.mark.parametrize(
    ("changes", "hints"),
    [
        ({"durations_s": 3}, ["durations_s", "duration_s"]),
        ({"duration_s": None}, ["duration_s", "missing"]),
        ({"view": "coronal"}, ["view", "transverse"]),
        ({"duration_s": 90}, ["duration_s", "60"]),
        ({"duration_s": float("nan")}, ["duration_s"]),
        ({"duration_s": "long"}, ["duration_s", "a number"]),
        ({"duration_s": True}, ["duration_s"]),
        ({"frame_rate_hz": 5}, ["frame_rate_hz", "15"]),
        ({"summary": ["a"]}, ["summary", "text"]),
        ({"needle": {"aim": "arteri"}}, ["aim", "artery"]),
        ({"needle": {"gauge": 19}}, ["gauge", "20"]),
        ({"needle": {"angle_deg": [40, 30]}}, ["angle_deg", "lower bound first"]),
        ({"needle": {"angle_deg": [40, 95]}}, ["angle_deg", "75"]),
        ({"needle": "long"}, ["needle", "keys"]),
        ({"population": {"habitus": [0, 3]}}, ["habitus", "1"]),
        ({"population": {"habitat": [0, 1]}}, ["habitat", "habitus"]),
        ({"shows": ["artery", "liver"]}, ["liver", "shows"]),
        ({"actions": {"insert": 1}}, ["actions", "list"]),
        ({"actions": [{"insrt": {"at_s": 1}}]}, ["insrt", "insert"]),
        ({"actions": ["insert"]}, ["action 1"]),
        (with_actions({"inject": {"at_s": 6, "for_s": 2, "volume_ml": 300}}), ["volume_ml", "30"]),
        (with_actions({"inject": {"at_s": 6, "for_s": 2, "volume": 3}}), ["volume", "volume_ml"]),
        (with_actions({"inject": {"at_s": 6, "for_s": 2}}), ["volume_ml", "missing"]),
        (with_actions({"retract": {"at_s": -6, "for_s": 2, "by_mm": 3}}), ["at_s"]),
        (with_actions({"drop_frames": {"at_s": 6, "for_s": 1, "keep_one_in": 2.5}}), ["keep_one_in", "whole"]),
    ],
)
def test_what_is_mistyped_or_unphysical_is_named(changes: dict[str, Any], hints: list[str]) -> None:
    message = refusal(**changes)
    assert "mine" in message or "simulation" in message
    for hint in hints:
        assert hint in message, message


@pytest.mark.parametrize(
    ("changes", "hint"),
    [
        ({"actions": [{"inject": {"at_s": 0, "for_s": 2, "volume_ml": 3}}, *SOUND["actions"][:2]]}, "not in"),
        ({"actions": [{"insert": {"at_s": 1}}, {"inject": {"at_s": 1, "for_s": 2, "volume_ml": 3}}]}, "before the"),
        ({"actions": [{"withdraw": {"at_s": 1, "for_s": 1}}]}, "not in"),
        (
            with_actions({"withdraw": {"at_s": 6, "for_s": 1}}, {"retract": {"at_s": 8, "for_s": 1, "by_mm": 2}}),
            "not in",
        ),
        (with_actions({"insert": {"at_s": 6, "for_s": 1}}), "already in"),
        ({"actions": [{"insert": {"at_s": 1}}, {"retract": {"at_s": 3, "for_s": 1, "by_mm": 2}}]}, "not been advanced"),
        (with_actions({"freeze": {"at_s": 11, "for_s": 3}}), "after the clip's 12 s"),
        (with_actions({"retract": {"at_s": 4, "for_s": 1, "by_mm": 2}}), "before advance ends"),
        (
            with_actions({"veer": {"at_s": 6, "for_s": 2, "offset_mm": 2}}, {"withdraw": {"at_s": 7, "for_s": 1}}),
            "while",
        ),
        (with_actions({"freeze": {"at_s": 6, "for_s": 2}}, {"drop_frames": {"at_s": 7, "for_s": 2}}), "frozen"),
        (
            with_actions(
                {"inject": {"at_s": 6, "for_s": 2, "volume_ml": 30}},
                {"inject": {"at_s": 9, "for_s": 2, "volume_ml": 30}},
            ),
            "at most 40 ml",
        ),
        ({"needle": None}, "there is no needle"),
        ({"actions": []}, "never inserted"),
    ],
)
def test_a_script_that_contradicts_itself_is_refused(changes: dict[str, Any], hint: str) -> None:
    assert hint in refusal(**changes)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", UsageError),
        (b"[1, 2]", UsageError),
        (b"summary: [unclosed", UsageError),
        (b"\xff\xfe\x00bin", SourceError),
        (b"summary: " + b"x" * 200_000, SourceError),
        (b"a: &a [*a, *a]", UsageError),
        (b"!!python/object/apply:os.system ['true']", UsageError),
        (b"[" * 5000, UsageError),
    ],
)
def test_a_broken_file_is_refused_in_one_line(content: bytes, fault: type[Exception], tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(content)
    with pytest.raises(fault) as refused:
        load_scenario(str(path))
    assert "mine" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_the_command_refuses_before_it_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = tmp_path / "mine.yaml"
    script.write_text(
        "summary: In one go.\nview: transverse\nduration_s: 5\nactions: [{inject: {at_s: 1, for_s: 1, volume_ml: 2}}]\n"
    )
    assert execute(["simulate", f"out={tmp_path}/out", "format=png", f"scenario={script}"]) == 2
    message = capsys.readouterr().err
    assert "inject at 1 s" in message
    assert len(message.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_a_scenario_of_another_view_than_the_populations_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [f"out={tmp_path}/out", "format=png", "scenario=artery_in_path", "simulation=longitudinal"]
    assert execute(["simulate", *arguments]) == 2
    assert "artery_in_path" in capsys.readouterr().err
