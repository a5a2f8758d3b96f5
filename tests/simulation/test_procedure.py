"""A clip: the tissue stays, the probe moves a little, the needle does as the script says, the recess fills."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from hipseg import anatomy
from hipseg.errors import UsageError
from hipseg.simulation import Procedure, SimulationConfig, load_scenario
from hipseg.simulation.frames import frame_of
from hipseg.simulation.scene import survey
from hipseg.simulation.script.files import scenario_of

CALM = SimulationConfig(curvilinear_share=0.0, furniture_share=0.0, tremor_mm=(0.0, 0.0))


def played(name: str, seed: int = 11, config: SimulationConfig = CALM) -> Procedure:
    return Procedure(load_scenario(name), config, np.random.default_rng(seed))


def frame_at(procedure: Procedure, time_s: float) -> int:
    index = procedure.timeline.frame_at(time_s)
    assert index is not None
    return index


def truth_at(procedure: Procedure, time_s: float) -> dict[str, Any]:
    return procedure.frame(frame_at(procedure, time_s)).truth


@pytest.fixture(scope="module")
def procedure() -> Procedure:
    return played("uneventful_longitudinal")


def test_a_frame_is_a_function_of_its_number(procedure: Procedure) -> None:
    again = played("uneventful_longitudinal")
    first, second = procedure.frame(100), again.frame(100)
    assert np.array_equal(first.image_HW, second.image_HW)
    assert first.truth == second.truth
    assert first.time_s == pytest.approx(100 / 20)


@pytest.mark.parametrize("name", ["uneventful_longitudinal", "uneventful_transverse"])
@pytest.mark.parametrize("seed", range(3))
def test_the_needle_reaches_its_target_and_fluid_follows(name: str, seed: int) -> None:
    procedure = played(name, seed)
    outside, arrived, full = (truth_at(procedure, time_s) for time_s in (1.0, 9.0, 14.6))
    assert outside["needle"] is None
    assert arrived["needle"]["tip_visible"]
    assert arrived["needle"]["tip_to_target_mm"] < 3.0
    assert arrived["injection"] == {"joint_ml": 0.0, "tissue_ml": 0.0, "flowing": False}
    assert full["injection"]["joint_ml"] == pytest.approx(6.0)
    assert full["neck_capsule_distance_mm"] > arrived["neck_capsule_distance_mm"] + 3


def test_the_needle_comes_from_the_right_side() -> None:
    """In the longitudinal view from inferolateral, in the transverse one from lateral: never over the vessels."""
    for name in ("uneventful_longitudinal", "uneventful_transverse"):
        procedure = played(name, 2)
        scene = procedure.scene(120)
        assert scene.needle is not None
        entry, tip = (
            np.array([float(axis[0]) for axis in scene.pose.to_patient(*(np.array([v], np.float32) for v in point))])
            for point in (scene.needle.entry_uw, scene.needle.tip_uw)
        )
        assert entry[0] > tip[0] + 3, "from lateral (x) to medial"
        assert entry[2] < tip[2] - 3, "from the skin down (z)"
        if name == "uneventful_longitudinal":
            assert entry[1] < tip[1] - 3, "from caudal (y) to cranial"


def test_the_needle_stays_in_the_patient_when_the_probe_moves() -> None:
    """A tilted, turned and shifted probe sees other coordinates of the same needle in the patient."""
    procedure = played("probe_slides_away", 3)
    still, slid = procedure.scene(95), procedure.scene(165)
    tips = []
    for scene in (still, slid):
        needle = scene.needle
        assert needle is not None
        u, w = (np.array([value], np.float32) for value in needle.entry_uw)
        tips.append(np.array(scene.pose.to_patient(u, w, needle.offsets_mm[0])).ravel())
    assert np.abs(tips[0] - tips[1]).max() < 0.02
    assert still.needle is not None
    assert slid.needle is not None
    assert abs(float(slid.needle.out_of_plane_mm(0.0) - still.needle.out_of_plane_mm(0.0))) > 4


def test_still_tissue_changes_only_by_noise_and_pulse(procedure: Procedure) -> None:
    """Without tremor two frames before the needle enters differ little outside the vessels."""
    first, second = procedure.frame(0), procedure.frame(2)
    away = ~np.isin(first.labels_HW | second.labels_HW, anatomy.VESSELS)
    difference = np.abs(first.image_HW.astype(float) - second.image_HW)[away]
    assert np.median(difference) < 6
    assert np.corrcoef(first.image_HW[away], second.image_HW[away])[0, 1] > 0.95


def test_a_probe_that_slides_along_its_plane_takes_the_speckle_with_it(procedure: Procedure) -> None:
    scene = procedure.scene(0)
    probe = scene.probe
    shift_lines = 9
    moved = scene.replace(pose=scene.pose.moved(shift_lines * probe.line_mm, 0.0))
    still, slid = (frame_of(s, survey(s)) for s in (scene, moved))
    shift_px = round(shift_lines * probe.line_mm / probe.pixel_mm)
    if scene.patient.mirrored:
        shift_px = -shift_px
    body = np.s_[40:-40, 60:-60]
    aligned = np.roll(slid.image_HW, shift_px, axis=1)[body].astype(float)
    reference = still.image_HW[body].astype(float)
    detail = [image - image.mean() for image in (reference, aligned, slid.image_HW[body].astype(float))]
    matched = (detail[0] * detail[1]).mean() / (detail[0].std() * detail[1].std())
    unmatched = (detail[0] * detail[2]).mean() / (detail[0].std() * detail[2].std())
    assert matched > 0.8
    assert 1 - matched < 0.3 * (1 - unmatched)


def test_tissue_near_the_tip_goes_along_and_springs_back() -> None:
    """Speckle before the tip moves with an advancing needle, and lies where it lay once the needle rests."""
    procedure = played("redirected_needle", 4)
    timeline = procedure.timeline
    moving, resting = (int(np.searchsorted(timeline.time_s, time_s)) for time_s in (3.5, 8.5))
    assert timeline.drag_mm[moving] > 0.2
    assert abs(timeline.drag_mm[resting]) < 0.05
    assert timeline.drag_mm[int(np.searchsorted(timeline.time_s, 6.0))] < -0.2, "drawn back with the needle"
    scene = procedure.scene(moving)
    assert scene.drag is not None
    near, far = scene.drag.centre_uw, (scene.drag.centre_uw[0] + 25.0, scene.drag.centre_uw[1])
    for point, least, most in ((near, 0.1, 1.3), (far, 0.0, 1e-4)):
        u, w = (np.array([value], np.float32) for value in point)
        rest = scene.drag.at_rest(u, w)
        assert least <= float(np.hypot(rest[0] - u, rest[1] - w)[0]) <= most


def test_arteries_beat_and_pressed_veins_go_flat() -> None:
    procedure = played("vein_collapses", 2)
    areas = []
    for time_s in (0.5, 2.6):
        frame = procedure.frame(frame_at(procedure, time_s))
        areas.append([(frame.amodal_HW >> label & 1).sum() for label in (anatomy.FEMORAL_ARTERY, anatomy.FEMORAL_VEIN)])
    (artery, vein), (artery_pressed, vein_pressed) = areas
    assert vein_pressed < 0.4 * vein
    assert artery_pressed > 0.8 * artery
    assert 1.01 < procedure.timeline.artery_scale.max() < 1.08


def test_the_picture_of_a_frozen_scanner_stands_still_while_time_goes_on() -> None:
    procedure = played("frozen_scanner", 1)
    first, last = frame_at(procedure, 4.0), frame_at(procedure, 5.9)
    frames = [procedure.frame(index) for index in (first, last)]
    assert np.array_equal(frames[0].image_HW, frames[1].image_HW)
    assert [frame.truth["frozen"] for frame in frames] == [False, True]
    assert frames[1].truth["shows_tick"] == first
    assert frames[1].time_s - frames[0].time_s == pytest.approx(1.9)
    assert not procedure.frame(frame_at(procedure, 6.0)).truth["frozen"]


def test_dropped_frames_leave_a_gap_in_the_times() -> None:
    procedure = played("dropped_frames", 1)
    gaps_s = np.diff(procedure.time_s)
    assert gaps_s.max() == pytest.approx(1.04)
    after = int(gaps_s.argmax()) + 1
    assert procedure.frame(after).truth["dropped_before"] == 25
    assert len(procedure) == 11 * 25 - 13 - 25


def test_a_clip_can_be_longer_than_its_script() -> None:
    scenario = load_scenario("steep_needle")
    procedure = Procedure(scenario, CALM, np.random.default_rng(0), num_frames=scenario.num_frames + 40)
    last = procedure.frame(len(procedure) - 1).truth
    assert last["needle"]["speed_mm_s"] == 0.0
    assert last["needle"]["length_mm"] == pytest.approx(truth_at(procedure, 9.9)["needle"]["length_mm"], abs=0.3)


def test_a_population_without_a_patient_for_the_script_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hipseg.simulation.plan._ATTEMPTS", 8)
    impossible = CALM.replace(habitus=(1.0, 1.0), depth_mm=(15.0, 20.0))
    with pytest.raises(UsageError, match=r"uneventful_longitudinal.*depth_mm"):
        played("uneventful_longitudinal", 0, impossible)


def test_bone_stops_the_needle() -> None:
    """However far the script pushes, no sample of the needle lies in bone."""
    pushed = {
        "summary": "Pushed on and on.",
        "view": "longitudinal",
        "duration_s": 8,
        "needle": {"aim": "neck"},
        "actions": [{"insert": {"at_s": 0.5}}, {"advance": {"at_s": 2, "for_s": 4, "to_mm": 20}}],
    }
    for seed in range(4):
        procedure = Procedure(scenario_of(pushed, "pushed"), CALM, np.random.default_rng(seed))
        truth = truth_at(procedure, 7.0)
        assert truth["needle"]["stopped_by_bone"]
        assert 0.0 < truth["needle"]["tip_to_bone_mm"] < 0.8
        frame = procedure.frame(frame_at(procedure, 7.0))
        needle = frame.amodal_HW >> anatomy.NEEDLE & 1 > 0
        bones = sum(frame.amodal_HW >> bone & 1 for bone in anatomy.BONES) > 0
        assert (needle & bones).sum() <= 0.02 * needle.sum()


def test_scripts_may_change_rate_and_length() -> None:
    fast = replace(load_scenario("steep_needle"), frame_rate_hz=60.0)
    procedure = Procedure(fast, CALM, np.random.default_rng(0))
    assert len(procedure) == 600
    assert procedure.time_s[60] == pytest.approx(1.0)


def test_nothing_is_labelled_and_no_tip_seen_where_the_probe_has_no_contact() -> None:
    procedure = played("lost_contact", 2)
    with_contact, edge, without = (procedure.frame(frame_at(procedure, time_s)) for time_s in (6.5, 4.8, 8.2))
    shares = [(frame.labels_HW == anatomy.IGNORED).mean() for frame in (with_contact, edge, without)]
    assert shares[0] == 0
    assert 0.1 < shares[1] < 0.5
    assert shares[2] > 0.95
    assert with_contact.landmarks["needle_tip"] is not None
    assert without.landmarks["needle_tip"] is None
    assert not without.truth["needle"]["tip_visible"]
    assert without.image_HW.mean() < 0.5 * with_contact.image_HW.mean()
