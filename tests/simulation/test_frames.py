"""What is said of a frame is true of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hipseg import anatomy
from hipseg.simulation import SimulatedFrame, SimulationConfig, simulate_frame
from hipseg.simulation.frames import draw_scene, frame_of
from hipseg.simulation.labels import BONE_BAND_MM
from hipseg.simulation.needle import draw_needle
from hipseg.simulation.scene import survey

SEEDS = range(24)
WITH_NEEDLE = SimulationConfig(needle_share=1.0)


@pytest.fixture(scope="module")
def frames() -> list[SimulatedFrame]:
    """Frames of both views and both kinds of probe, all with needles where there is room for one."""
    return [simulate_frame(WITH_NEEDLE, np.random.default_rng(seed)) for seed in SEEDS]


def label_at(frame: SimulatedFrame, point: tuple[float, float]) -> int:
    height, width = frame.labels_HW.shape
    x, y = np.clip(round(point[0]), 0, width - 1), np.clip(round(point[1]), 0, height - 1)
    return int(frame.labels_HW[y, x])


def test_equal_generators_give_equal_frames() -> None:
    first, second = (simulate_frame(WITH_NEEDLE, np.random.default_rng(7)) for _ in range(2))
    assert np.array_equal(first.image_HW, second.image_HW)
    assert np.array_equal(first.labels_HW, second.labels_HW)
    assert first.truth == second.truth
    other = simulate_frame(WITH_NEEDLE, np.random.default_rng(8))
    assert other.patient != first.patient


def test_frames_are_of_the_declared_kind(frames: list[SimulatedFrame]) -> None:
    for frame in frames:
        assert frame.image_HW.dtype == frame.labels_HW.dtype == np.uint8
        assert frame.image_HW.shape == frame.labels_HW.shape
        assert frame.labels_HW.max() < anatomy.NUM_CLASSES
        assert set(frame.landmarks) == set(anatomy.LANDMARKS)
        assert frame.view in ("longitudinal", "transverse")
        assert (frame.labels_HW == anatomy.FEMORAL_HEAD).any()
        assert 20 < frame.image_HW.std() + frame.image_HW.mean() < 200


def test_all_classes_occur(frames: list[SimulatedFrame]) -> None:
    assert set(np.unique(np.concatenate([frame.labels_HW.ravel() for frame in frames]))) == set(range(11))


def test_points_lie_in_the_image(frames: list[SimulatedFrame]) -> None:
    for frame in frames:
        height, width = frame.image_HW.shape
        for point in (*frame.landmarks.values(), frame.target_px):
            if point is not None:
                assert -0.5 <= point[0] <= width - 0.5
                assert -0.5 <= point[1] <= height - 0.5


def test_the_tip_is_the_end_of_the_needle_mask(frames: list[SimulatedFrame]) -> None:
    """No needle pixel lies farther along the shaft than the tip, and the mask reaches it."""
    seen = 0
    for frame in frames:
        tip, entry = frame.landmarks["needle_tip"], frame.landmarks["needle_entry"]
        if tip is None or entry is None:
            continue
        seen += 1
        y, x = np.nonzero(frame.labels_HW == anatomy.NEEDLE)
        direction = np.subtract(tip, entry) / np.hypot(*np.subtract(tip, entry))
        along_px = (np.stack([x, y], axis=1) - tip) @ direction
        assert along_px.max() * frame.spacing.row_mm == pytest.approx(0.0, abs=0.4)
        assert label_at(frame, tip) == anatomy.NEEDLE or np.hypot(x - tip[0], y - tip[1]).min() < 2.5
    assert seen >= 8


def test_a_needle_that_is_not_there_has_no_landmarks() -> None:
    frame = simulate_frame(SimulationConfig(needle_share=0.0), np.random.default_rng(3))
    assert frame.landmarks["needle_tip"] is None
    assert frame.landmarks["needle_entry"] is None
    assert frame.truth["needle"] is None
    assert not (frame.labels_HW == anatomy.NEEDLE).any()


def test_the_needle_never_enters_bone(frames: list[SimulatedFrame]) -> None:
    for frame in frames:
        needle = frame.truth["needle"]
        if needle and needle["tip_visible"] and needle["tip_to_bone_mm"] is not None:
            tip = frame.landmarks["needle_tip"]
            assert tip is not None
            below = frame.labels_HW[: max(int(tip[1]) - 4, 0), round(min(max(tip[0], 0), frame.image_HW.shape[1] - 1))]
            assert not np.isin(below, anatomy.BONES).any()


@pytest.mark.parametrize("seed", range(12))
def test_the_target_lies_midway_in_the_recess(seed: int) -> None:
    config = SimulationConfig(view="longitudinal", needle_share=0.0, curvilinear_share=0.0, osteophyte_share=0.0)
    frame = simulate_frame(config, np.random.default_rng(seed))
    if frame.target_px is None:
        pytest.skip("this patient's junction lies beside the picture")
    x, y = frame.target_px
    column = frame.labels_HW[:, round(x)]
    half_px = frame.truth["recess_mm"] / 2 / frame.spacing.row_mm
    bone_row = int(np.isin(column, anatomy.BONES).argmax())
    assert bone_row == pytest.approx(y + half_px, abs=3)
    if frame.truth["recess_mm"] > 1.0:
        assert column[round(y)] in (anatomy.JOINT_RECESS, anatomy.BACKGROUND)


@pytest.mark.parametrize("seed", range(12))
def test_the_junction_parts_head_from_neck(seed: int) -> None:
    config = SimulationConfig(view="longitudinal", needle_share=0.0, curvilinear_share=0.0, osteophyte_share=0.0)
    frame = simulate_frame(config, np.random.default_rng(seed))
    junction = frame.landmarks["head_neck_junction"]
    if junction is None:
        pytest.skip("this patient's junction lies beside the picture")
    x, y = junction
    band = frame.labels_HW[round(y) + 12]
    beside = {int(band[max(round(x) - 8, 0)]), int(band[min(round(x) + 8, band.size - 1)])}
    assert anatomy.FEMORAL_NECK in beside or anatomy.FEMORAL_HEAD in beside
    assert np.isin(frame.labels_HW[round(y) + 2, round(x)], anatomy.BONES)
    assert not np.isin(frame.labels_HW[max(round(y) - 4, 0), round(x)], anatomy.BONES)


def test_bone_is_a_band_of_its_depth_along_the_beam() -> None:
    config = SimulationConfig(needle_share=0.0, curvilinear_share=0.0, depth_mm=(60, 60), habitus=(0.0, 0.5))
    for seed in range(4):
        frame = simulate_frame(config, np.random.default_rng(seed))
        thickness_px = np.isin(frame.labels_HW, anatomy.BONES).sum(axis=0)
        full = thickness_px[thickness_px > 0]
        assert np.median(full) * frame.spacing.row_mm == pytest.approx(BONE_BAND_MM, abs=0.15)
        assert full.max() * frame.spacing.row_mm < BONE_BAND_MM + 0.3


def test_nothing_is_labelled_behind_bone() -> None:
    config = SimulationConfig(needle_share=0.0, curvilinear_share=0.0)
    for seed in range(6):
        labels = simulate_frame(config, np.random.default_rng(seed)).labels_HW
        bone = np.isin(labels, anatomy.BONES)
        behind = (np.cumsum(bone, axis=0) > 0) & ~bone
        assert (labels[behind] == anatomy.BACKGROUND).sum() >= 0.999 * behind.sum()


def test_clearances_agree_with_brute_force_over_the_mask(frames: list[SimulatedFrame]) -> None:
    compared = 0
    names = {"artery": anatomy.FEMORAL_ARTERY, "vein": anatomy.FEMORAL_VEIN, "nerve": anatomy.FEMORAL_NERVE}
    for frame in frames:
        tip = frame.landmarks["needle_tip"]
        for name, label in names.items():
            y, x = np.nonzero(frame.labels_HW == label)
            if tip is None or len(x) == 0:
                continue
            expected = np.hypot(x - tip[0], y - tip[1]).min() * frame.spacing.row_mm
            assert frame.truth["needle"][f"tip_to_{name}_mm"] == pytest.approx(expected, abs=0.3)
            compared += 1
    assert compared >= 5


def test_mirroring_a_patient_mirrors_image_labels_and_points() -> None:
    rng = np.random.default_rng(5)
    scene = draw_scene(SimulationConfig(view="longitudinal", furniture_share=0.0, curvilinear_share=0.0), rng)
    seen = survey(scene)
    needle = draw_needle(SimulationConfig(), seen.target_uw or (0.0, 20.0), rng)
    both = []
    for mirrored in (False, True):
        phantom = scene.phantom
        phantom.patient = replace(phantom.patient, mirrored=mirrored)
        both.append(frame_of(scene.replace(needle=needle), seen))
    assert np.array_equal(both[0].image_HW, both[1].image_HW[:, ::-1])
    assert np.array_equal(both[0].labels_HW, both[1].labels_HW[:, ::-1])
    tips = [frame.landmarks["needle_tip"] for frame in both]
    if tips[0] is not None and tips[1] is not None:
        assert tips[0][0] + tips[1][0] == pytest.approx(both[0].image_HW.shape[1] - 1)
