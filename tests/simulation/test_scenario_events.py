"""Events happen at the frames that they say: checked against masks, images and numbers that know nothing of events."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from hipseg import anatomy
from hipseg.simulation import Procedure, SimulatedFrame, SimulationConfig, load_scenario
from hipseg.simulation import frames as simulation_frames
from hipseg.simulation.events import DANGERS, EventWatch

PLAIN = SimulationConfig(curvilinear_share=0.0, furniture_share=0.0, aperture_mm=(38.0, 42.0))
Truth = dict[str, Any]


@pytest.fixture(autouse=True)
def unrendered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Events are of geometry: no echoes are needed, and frames come three times as fast."""
    monkeypatch.setattr(simulation_frames, "render", lambda scene, _: np.full(scene.probe.beam_shape, 60.0, np.float32))


def watched(name: str, from_s: float, to_s: float, seed: int = 1) -> tuple[list[SimulatedFrame], EventWatch]:
    """The frames of a scenario within a time, at 15 frames a second, as a watch sees them."""
    scenario = replace(load_scenario(name), frame_rate_hz=15.0)
    config = PLAIN if "curvilinear" not in name else SimulationConfig()
    procedure = Procedure(scenario, config, np.random.default_rng(seed))
    watch, frames = EventWatch(), []
    for index in np.flatnonzero((procedure.time_s >= from_s) & (procedure.time_s <= to_s)):
        frame = procedure.frame(int(index))
        watch.see(frame.truth, frame.time_s)
        frames.append(frame)
    return frames, watch


def begin_of(name: str, watch: EventWatch) -> int:
    """Index of the first frame of an event, among those watched."""
    found = [event.frame for event in watch.events if event.name == name]
    assert found, f"{name} not among {[event.name for event in watch.events]}"
    return found[0]


def mask(frame: SimulatedFrame, *structures: int) -> np.ndarray:
    """Where whole structures are, [H, W]."""
    return np.any([frame.amodal_HW >> structure & 1 for structure in structures], axis=0)


def pixels_on_path(frame: SimulatedFrame, length_mm: float) -> Iterator[tuple[int, int]]:
    """Rows and columns on the straight line through the shaft's last part, ahead of the tip."""
    needle, spacing_mm = frame.truth["needle"], frame.spacing.row_mm
    tip, entry = np.array(needle["tip_px"]), np.array(needle["entry_px"])
    ahead = (tip - entry) / np.hypot(*(tip - entry))
    for step in np.arange(0.0, length_mm / spacing_mm, 0.5):
        column, row = np.rint(tip + step * ahead).astype(int)
        if 0 <= row < frame.amodal_HW.shape[0] and 0 <= column < frame.amodal_HW.shape[1]:
            yield row, column


def meets_vessel(frame: SimulatedFrame, length_mm: float) -> bool:
    vessels = mask(frame, *anatomy.VESSELS)
    return any(vessels[place] for place in pixels_on_path(frame, length_mm))


@pytest.mark.parametrize("seed", [1, 5])
def test_artery_in_path_when_the_path_enters_the_vessel(seed: int) -> None:
    frames, watch = watched("artery_in_path", 2.2, 6.0, seed)
    begin = begin_of("path_enters_vessel", watch)
    assert meets_vessel(frames[begin], 10.6)
    assert not any(meets_vessel(frame, 9.2) for frame in frames[: max(begin - 1, 0)])
    assert "vessel_contact" in frames[begin].truth["dangers"]
    assert "path_enters_vessel" in frames[begin].truth["events"]
    for frame in frames:
        path = frame.truth["needle"]["path"]
        enters = path["to_vessel_entry_mm"] is not None and path["to_vessel_entry_mm"] <= 10
        assert enters == (path["to_vessel_ahead_mm"] < 0)
        assert path["to_vessel_ahead_mm"] >= min(path["to_artery_mm"], path["to_vein_mm"] or np.inf) - 0.13


def test_the_tip_is_in_the_artery_when_it_is_punctured() -> None:
    frames, watch = watched("artery_punctured", 6.0, 8.8)
    begin = begin_of("tip_at_vessel", watch)
    inside = []
    for frame in frames:
        x, y = (round(value) for value in frame.truth["needle"]["tip_px"])
        inside.append(bool(mask(frame, anatomy.FEMORAL_ARTERY)[y, x]))
        assert (
            inside[-1] == (frame.truth["needle"]["tip_to_artery_mm"] < 0)
            or abs(frame.truth["needle"]["tip_to_artery_mm"]) < 2 * frame.spacing.row_mm
        )
    assert any(inside)
    assert not inside[0]
    assert begin < inside.index(True)
    assert frames[begin].truth["needle"]["tip_to_artery_mm"] <= 2.0
    assert not inside[-1]


@pytest.mark.parametrize("name", ["tip_lost_while_advancing", "probe_slides_away"])
def test_the_tip_is_lost_three_tenths_of_a_second_after_it_was_seen_last(name: str) -> None:
    frames, watch = watched(name, 4.2, 8.4)
    begin = begin_of("tip_lost", watch)
    seen = [frame.landmarks["needle_tip"] is not None for frame in frames]
    last_seen_s = max(frame.time_s for frame, shown in zip(frames[:begin], seen, strict=False) if shown)
    assert frames[begin].time_s - last_seen_s == pytest.approx(0.3, abs=0.5 / 15 + 1e-6)
    assert abs(frames[begin].truth["needle"]["tip_out_of_plane_mm"]) > 1.0
    assert frames[begin].truth["needle"]["tip_visibility"] < 0.6
    assert frames[begin].truth["needle"]["speed_mm_s"] > 0.5


def test_fluid_that_goes_astray_does_not_widen_the_recess() -> None:
    frames, watch = watched("extra_articular_spread", 6.8, 9.0)
    begin = begin_of("fluid_outside_joint", watch)
    injections = [frame.truth["injection"] for frame in frames]
    assert injections[begin]["tissue_ml"] > 0.3 >= injections[begin - 1]["tissue_ml"]
    assert injections[-1]["joint_ml"] == 0
    first, last = frames[0].truth, frames[-1].truth
    assert last["neck_capsule_distance_mm"] == first["neck_capsule_distance_mm"]
    assert last["recess_area_mm2"] == pytest.approx(first["recess_area_mm2"], rel=0.15)


def test_fluid_in_the_joint_widens_the_recess_by_what_is_injected() -> None:
    frames, watch = watched("bone_contact", 8.4, 12.8)
    assert "fluid_outside_joint" not in {event.name for event in watch.events}
    first, last = frames[0].truth, frames[-1].truth
    assert last["injection"]["joint_ml"] == pytest.approx(5.0, abs=0.01)
    lift_mm = last["neck_capsule_distance_mm"] - first["neck_capsule_distance_mm"]
    assert lift_mm == pytest.approx(8 * (1 - np.exp(-5 / 8)), abs=0.01)
    assert last["recess_area_mm2"] > 1.2 * first["recess_area_mm2"]


def test_the_needle_slips_out_of_the_joint_while_the_tubing_is_changed() -> None:
    frames, watch = watched("withdrawn_during_tubing_change", 8.0, 13.6)
    begin = begin_of("tip_leaves_joint", watch)
    assert 9.0 < frames[begin].time_s < 12.1
    joint = (anatomy.JOINT_RECESS, anatomy.ANTERIOR_CAPSULE)
    x, y = (round(value) for value in frames[begin].truth["needle"]["tip_px"])
    assert not mask(frames[begin], *joint)[y, x]
    assert frames[0].truth["needle"]["tip_to_recess_mm"] < 0
    assert begin_of("fluid_outside_joint", watch) > begin


@pytest.mark.parametrize(
    ("name", "event", "from_s", "to_s", "at_s"),
    [
        ("frozen_scanner", "no_new_picture", 3.8, 4.6, 4.27),
        ("dropped_frames", "no_new_picture", 3.2, 4.2, 3.93),
        ("slow_scanner", "few_frames", 2.4, 5.2, None),
        ("lost_contact", "no_hip_shown", 6.9, 7.5, None),
        ("steep_needle", "needle_steep", 0.9, 1.4, None),
        ("nerve_approach", "tip_near_nerve", 3.6, 6.4, None),
        ("labrum_contact", "tip_near_cartilage_or_labrum", 4.6, 6.4, None),
        ("tip_out_of_plane", "tip_out_of_plane", 5.7, 6.9, None),
        ("prosthesis", "no_hip_shown", 0.0, 0.1, 0.0),
    ],
)
def test_the_danger_a_scenario_is_named_after_comes(
    name: str, event: str, from_s: float, to_s: float, at_s: float | None
) -> None:
    frames, watch = watched(name, from_s, to_s)
    begin = begin_of(event, watch)
    assert DANGERS[event][0] in frames[begin].truth["dangers"]
    if at_s is not None:
        assert frames[begin].time_s == pytest.approx(at_s, abs=1 / 15 + 1e-6)


def test_an_uneventful_injection_has_no_high_danger() -> None:
    for name in ("uneventful_longitudinal", "uneventful_transverse"):
        for frame in watched(name, 8.0, 9.4)[0]:
            high = {"vessel_contact", "vessel_proximity", "nerve_proximity", "tip_lost", "withdrawn", "stale_frame"}
            assert not high & set(frame.truth["dangers"])


def test_scripted_events_stand_at_the_first_frame_that_shows_them() -> None:
    scenario = load_scenario("dropped_frames")
    procedure = Procedure(scenario, PLAIN, np.random.default_rng(1))
    for event in procedure.events:
        assert event.time_s == pytest.approx(procedure.time_s[event.frame])
    by_name = {event.name: event for event in procedure.events}
    entered, before = procedure.frame(by_name["needle_enters"].frame + 1), procedure.frame(0)
    assert entered.truth["needle"] is not None
    assert before.truth["needle"] is None
    # Both ends of a gap show at the first frame after it.
    after = procedure.frame(by_name["frames_drop"].frame)
    assert {"frames_drop", "frames_resume"} <= set(after.truth["events"])
    assert after.truth["dropped_before"] > 10
