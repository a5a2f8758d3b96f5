"""A clip: the tissue stays, the probe moves a little, the needle advances, the recess fills."""

from __future__ import annotations

import numpy as np
import pytest

from hipseg import anatomy
from hipseg.errors import UsageError
from hipseg.simulation import Procedure, SimulationConfig
from hipseg.simulation.frames import frame_of
from hipseg.simulation.scene import survey

CONFIG = SimulationConfig(num_frames=40, curvilinear_share=0.0, furniture_share=0.0)


@pytest.fixture(scope="module")
def procedure() -> Procedure:
    return Procedure(CONFIG.replace(view="longitudinal", tremor_mm=(0.0, 0.0)), np.random.default_rng(11))


def test_a_frame_is_a_function_of_its_number(procedure: Procedure) -> None:
    again = Procedure(CONFIG.replace(view="longitudinal", tremor_mm=(0.0, 0.0)), np.random.default_rng(11))
    first, second = procedure.frame(25), again.frame(25)
    assert np.array_equal(first.image_HW, second.image_HW)
    assert first.truth == second.truth
    assert first.time_s == pytest.approx(25 / 20)


@pytest.mark.parametrize("seed", range(6))
def test_the_needle_reaches_its_target_and_fluid_follows(seed: int) -> None:
    procedure = Procedure(CONFIG, np.random.default_rng(seed))
    events = {name: frame for frame, names in procedure.script.events.items() for name in names}
    assert events["needle_enters"] < events["target_reached"] < events["injection_starts"]
    before, arrived, last = (procedure.frame(index) for index in (0, events["target_reached"], len(procedure) - 1))
    assert before.landmarks["needle_tip"] is None
    assert arrived.landmarks["needle_tip"] is not None
    assert arrived.truth["needle"]["tip_to_target_mm"] < 3.0
    assert "target_reached" in arrived.truth["events"]
    assert last.truth["neck_capsule_distance_mm"] > arrived.truth["neck_capsule_distance_mm"] + 0.5


def test_the_tip_advances_along_one_line(procedure: Procedure) -> None:
    frames = [procedure.frame(index) for index in range(6, 30, 4)]
    tips = np.array([frame.landmarks["needle_tip"] for frame in frames if frame.landmarks["needle_tip"]])
    line = np.polyfit(tips[:, 0], tips[:, 1], 2)
    assert np.abs(np.polyval(line, tips[:, 0]) - tips[:, 1]).max() < 2.0
    assert np.hypot(*(tips[-1] - tips[0])) * frames[0].spacing.row_mm > 5.0


def test_still_tissue_changes_only_by_noise_and_pulse(procedure: Procedure) -> None:
    """Without tremor two frames before the needle enters differ little outside the vessels."""
    first, second = procedure.frame(0), procedure.frame(3)
    away = ~np.isin(first.labels_HW | second.labels_HW, anatomy.VESSELS)
    difference = np.abs(first.image_HW.astype(float) - second.image_HW)[away]
    assert np.median(difference) < 4
    assert np.corrcoef(first.image_HW[away], second.image_HW[away])[0, 1] > 0.97


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
    assert matched > unmatched + 0.1


def test_arteries_pulsate() -> None:
    procedure = Procedure(CONFIG.replace(view="transverse"), np.random.default_rng(2))
    assert 1.0 < procedure.script.artery_scale.max() < 1.08
    assert np.ptp(procedure.script.artery_scale) > 0.01


def test_a_population_without_a_reachable_target_is_refused() -> None:
    impossible = CONFIG.replace(view="longitudinal", habitus=(1.0, 1.0), depth_mm=(15.0, 20.0), num_frames=2)
    with pytest.raises(UsageError, match="depth_mm"):
        Procedure(impossible, np.random.default_rng(0))
