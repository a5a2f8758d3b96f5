"""Corruptions: repeatable, of the strength their unit says, and truth goes where the anatomy goes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from hipseg.anatomy import FEMORAL_ARTERY, IGNORED
from hipseg.errors import UsageError
from hipseg.evaluation.robustness.appearance import DYNAMIC_RANGE_DB, blur, contrast, gain, speckle
from hipseg.evaluation.robustness.corruptions import (
    CORRUPTIONS,
    NUM_GRADES,
    Corruption,
    corrupted,
    corruption_named,
    shown_frames,
)
from hipseg.evaluation.robustness.geometry import crop, depth
from hipseg.evaluation.robustness.occlusion import lost_contact
from hipseg.evaluation.robustness.scene import NOMINAL_DEPTH_MM, Scene

SHAPE = (200, 260)
SPACING_MM = (0.2, 0.15)
CENTRE_XY, RADIUS_MM = (130.0, 100.0), 6.0

ON_IMAGES = [corruption for corruption in CORRUPTIONS if corruption.change is not None]
MOVING = [corruption for corruption in ON_IMAGES if corruption.moves]
STILL = [corruption for corruption in ON_IMAGES if not corruption.moves]


def disc() -> npt.NDArray[np.bool_]:
    rows, columns = np.indices(SHAPE)
    return np.hypot((columns - CENTRE_XY[0]) * SPACING_MM[1], (rows - CENTRE_XY[1]) * SPACING_MM[0]) <= RADIUS_MM


def scene() -> Scene:
    """A bright vessel on a dark ground, its centre marked."""
    return Scene(
        image_HW=np.where(disc(), 200, 40).astype(np.uint8),
        labels_HW=np.where(disc(), FEMORAL_ARTERY, 0).astype(np.uint8),
        spacing_mm=SPACING_MM,
        landmarks={"needle_tip": CENTRE_XY, "needle_entry": None},
    )


def named(corruption: Corruption) -> str:
    return corruption.name


@pytest.mark.parametrize("corruption", ON_IMAGES, ids=named)
def test_the_same_case_and_seed_give_the_same_scene(corruption: Corruption) -> None:
    first, again = (corrupted(scene(), corruption, 3, case="a", seed=7) for _ in range(2))
    np.testing.assert_array_equal(first.image_HW, again.image_HW)
    assert first.landmarks == again.landmarks


@pytest.mark.parametrize("corruption", ON_IMAGES, ids=named)
def test_grade_zero_is_the_clean_scene_and_each_grade_is_further_from_it(corruption: Corruption) -> None:
    clean = scene()
    assert corrupted(clean, corruption, 0, case="a", seed=7) is clean
    assert len(corruption.grades) == NUM_GRADES
    steps = np.diff(corruption.grades)
    assert (steps > 0).all() or (steps < 0).all()


@pytest.mark.parametrize("corruption", [c for c in STILL if c.name != "lost_contact"], ids=named)
@pytest.mark.parametrize("grade", range(1, NUM_GRADES + 1))
def test_appearance_leaves_the_truth_alone(corruption: Corruption, grade: int) -> None:
    clean, bad = scene(), corrupted(scene(), corruption, grade, case="b", seed=1)
    np.testing.assert_array_equal(bad.labels_HW, clean.labels_HW)
    assert (bad.landmarks, bad.spacing_mm) == (clean.landmarks, clean.spacing_mm)
    assert (bad.image_HW != clean.image_HW).any()


@pytest.mark.parametrize("corruption", MOVING, ids=named)
@pytest.mark.parametrize("grade", range(1, NUM_GRADES + 1))
def test_mask_and_landmark_follow_the_anatomy(corruption: Corruption, grade: int) -> None:
    bad = corrupted(scene(), corruption, grade, case="c", seed=2)
    assert bad.labels_HW is not None
    assert bad.landmarks is not None
    known = bad.labels_HW != IGNORED
    vessel = bad.labels_HW == FEMORAL_ARTERY
    seen = (bad.image_HW > 120) & known
    assert 2 * (vessel & seen).sum() / (vessel.sum() + seen.sum()) > 0.97
    if vessel[1:-1, 1:-1].sum() == vessel.sum():  # not cut by the edge
        rows, columns = np.nonzero(vessel)
        assert bad.landmarks["needle_tip"] == pytest.approx((columns.mean(), rows.mean()), abs=0.5)
    assert bad.landmarks["needle_entry"] is None


@pytest.mark.parametrize("factor", [1.15, 1.5, 2.0])
def test_depth_keeps_every_size_in_millimetres(factor: float) -> None:
    deeper = depth(scene(), factor, np.random.default_rng(0))
    assert deeper.labels_HW is not None
    assert deeper.spacing_mm == pytest.approx((SPACING_MM[0] * factor, SPACING_MM[1] * factor))
    area_mm2 = (deeper.labels_HW == FEMORAL_ARTERY).sum() * np.prod(deeper.spacing_mm)
    assert area_mm2 == pytest.approx(np.pi * RADIUS_MM**2, rel=0.03)


def test_what_comes_from_outside_is_black_and_ignored() -> None:
    deeper = depth(scene(), 2.0, np.random.default_rng(0))
    assert deeper.labels_HW is not None
    assert deeper.image_HW[-1].max() == 0
    assert (deeper.labels_HW[-1] == IGNORED).all()
    assert (deeper.labels_HW == IGNORED).mean() == pytest.approx(0.75, abs=0.02)


def test_a_landmark_that_is_cut_off_is_surely_not_in_the_image() -> None:
    at_the_corner = replace(scene(), landmarks={"needle_tip": (1.0, 1.0)})
    cut = crop(at_the_corner, 0.5, np.random.default_rng(3))
    assert cut.image_HW.shape == (100, 130)
    assert cut.landmarks == {"needle_tip": None}


def test_gain_moves_grey_by_decibels_and_saturates() -> None:
    changed = {int(gain(scene(), 12.0, np.random.default_rng(seed)).image_HW[0, 0]) - 40 for seed in range(8)}
    assert changed == {round(12 * 255 / DYNAMIC_RANGE_DB), -40}


def test_speckle_has_the_contrast_it_says() -> None:
    flat = Scene(np.full((400, 400), 128, np.uint8), spacing_mm=(0.1, 0.1))
    bad = speckle(flat, 0.3, np.random.default_rng(5)).image_HW
    amplitude = 10 ** ((bad.astype(float) - 128) / 255 * DYNAMIC_RANGE_DB / 20)
    assert amplitude.std() / amplitude.mean() == pytest.approx(0.3, rel=0.1)
    assert amplitude.mean() == pytest.approx(1.0, abs=0.05)


def test_blur_spreads_a_point_by_millimetres() -> None:
    point = np.zeros((121, 121), np.uint8)
    point[58:63, 58:63] = 255
    smooth = blur(Scene(point, spacing_mm=(0.05, 0.1)), 1.0, np.random.default_rng(0)).image_HW.astype(float)
    columns = np.arange(121) - 60
    profile = smooth.sum(axis=0)
    spread_mm = 0.1 * np.sqrt((profile * columns**2).sum() / profile.sum())
    assert spread_mm == pytest.approx(1.0, rel=0.05)


def test_contrast_keeps_its_share_of_the_spread() -> None:
    clean = scene().image_HW
    assert contrast(scene(), 0.45, np.random.default_rng(0)).image_HW.std() == pytest.approx(
        0.45 * clean.std(), rel=0.02
    )


def test_nobody_is_asked_for_what_lies_under_lost_contact() -> None:
    bad = lost_contact(scene(), 0.5, np.random.default_rng(0))
    assert bad.labels_HW is not None
    assert (bad.labels_HW == IGNORED).mean() == pytest.approx(0.5, abs=0.01)
    everywhere = lost_contact(scene(), 1.0, np.random.default_rng(0))
    assert everywhere.landmarks == {"needle_entry": None}


def test_without_scale_the_image_is_taken_to_show_the_nominal_depth() -> None:
    unscaled = replace(scene(), spacing_mm=None)
    nominal = NOMINAL_DEPTH_MM / SHAPE[0]
    scaled = replace(scene(), spacing_mm=(nominal, nominal))
    first, second = (blur(each, 0.7, np.random.default_rng(0)) for each in (unscaled, scaled))
    np.testing.assert_array_equal(first.image_HW, second.image_HW)
    assert depth(unscaled, 2.0, np.random.default_rng(0)).spacing_mm is None


def test_dropped_frames_show_the_last_one_that_came() -> None:
    shown = [shown_frames(500, share, clip="x", seed=1) for share in (0.0, 0.1, 0.85)]
    assert shown[0] == list(range(500))
    for share, frames in zip((0.0, 0.1, 0.85), shown, strict=True):
        assert all(frame <= index for index, frame in enumerate(frames))
        assert frames == sorted(frames)
        assert np.mean(np.array(frames) != np.arange(500)) == pytest.approx(share, abs=0.05)
    assert set(shown[2]) <= set(shown[1])


def test_an_unknown_corruption_is_refused_with_a_hint() -> None:
    with pytest.raises(UsageError, match="did you mean 'speckle'"):
        corruption_named("speckel")


@pytest.mark.parametrize("corruption", ON_IMAGES, ids=named)
@pytest.mark.parametrize("shape", [(1, 1), (2, 40), (16, 16)])
def test_images_of_hardly_a_pixel_survive(corruption: Corruption, shape: tuple[int, int]) -> None:
    tiny = Scene(np.full(shape, 90, np.uint8), np.zeros(shape, np.uint8))
    bad = corrupted(tiny, corruption, NUM_GRADES, case="tiny", seed=0)
    assert bad.labels_HW is not None
    assert bad.image_HW.shape == bad.labels_HW.shape
