"""Augmentation: mask, landmarks and scale stay with the image, and a sample depends on its own generator only."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import yaml
from small_scenes import spot_sample

from hipseg.configuration import config_folder
from hipseg.data import effects, negatives, warp
from hipseg.data.augment import Augmentation, AugmentConfig
from hipseg.data.sample import ABSENT, IN_IMAGE, UNKNOWN, Sample
from hipseg.errors import UsageError

SPOTS = [(150.0, 90.0), (60.0, 40.0), (220.0, 150.0)]
STRONG = AugmentConfig(
    flip=0.5, crop=0.2, pad=0.1, rotation_deg=15, shear_deg=8, aspect=0.2, warp=1.0, look=1.0, furniture=1.0
)
ALL_EFFECTS = (
    effects.time_gain,
    effects.overall_gain,
    effects.dynamic_range,
    effects.speckle,
    effects.shadow,
    effects.contact_loss,
    effects.grey_map,
    effects.haze,
    effects.reverberation,
    effects.furniture,
)


def presets() -> list[Path]:
    return sorted((config_folder() / "augment").glob("*.yaml"))


def spot_centre_xy(sample: Sample, id: int) -> np.ndarray:
    rows, columns = np.nonzero(sample.labels_HW == id)
    return np.array([columns.mean(), rows.mean()])


@pytest.mark.parametrize(
    "config",
    [
        AugmentConfig(flip=1.0),
        AugmentConfig(crop=0.15),
        AugmentConfig(pad=0.2),
        AugmentConfig(rotation_deg=15),
        AugmentConfig(shear_deg=10),
        AugmentConfig(aspect=0.25),
        AugmentConfig(warp=1.0),
        STRONG,
    ],
    ids=["flip", "crop", "pad", "rotation", "shear", "aspect", "warp", "all"],
)
def test_landmarks_follow_the_mask(config: AugmentConfig) -> None:
    augmentation, followed = Augmentation(config), 0
    for seed in range(12):
        moved = augmentation.move(spot_sample(SPOTS), np.random.default_rng(seed))
        assert moved.image_HW.shape == moved.labels_HW.shape
        for id, (x, y, state) in enumerate(moved.landmarks_K3, start=1):
            whole = (moved.labels_HW == id).sum() > 50
            if whole and state == IN_IMAGE:
                assert np.hypot(*(spot_centre_xy(moved, id) - (x, y))) < 0.8
                followed += 1
    assert followed >= 20


def test_the_mask_follows_the_image() -> None:
    augmentation = Augmentation(dataclasses.replace(STRONG, look=0, furniture=0))
    for seed in range(8):
        moved = augmentation.move(spot_sample(SPOTS), np.random.default_rng(seed))
        expected = np.where(moved.labels_HW > 0, 50 + 50.0 * moved.labels_HW, 20)
        visible = moved.image_HW > 15  # outside the old image all is black
        assert np.mean(np.abs(moved.image_HW - expected)[visible] < 40) > 0.97


def test_flipping_twice_changes_nothing() -> None:
    flip, sample, rng = Augmentation(AugmentConfig(flip=1.0)), spot_sample(SPOTS), np.random.default_rng(0)
    once = flip.move(sample, rng)
    twice = flip.move(once, rng)
    assert once.landmarks_K3[0, 0] == 299 - SPOTS[0][0]
    for before, after in zip(
        (sample.image_HW, sample.labels_HW, sample.landmarks_K3),
        (twice.image_HW, twice.labels_HW, twice.landmarks_K3),
        strict=True,
    ):
        np.testing.assert_allclose(after, before)


def test_millimetres_between_landmarks_survive_zoom_and_stretch() -> None:
    augmentation = Augmentation(AugmentConfig(flip=0.5, crop=0.05, pad=0.1, aspect=0.3))

    def distances_mm(sample: Sample) -> np.ndarray:
        points_mm = sample.landmarks_K3[:, :2] * sample.spacing_mm[::-1]
        return np.linalg.norm(points_mm - np.roll(points_mm, 1, axis=0), axis=1)

    sample = spot_sample([(150.0, 90.0), (110.0, 70.0), (180.0, 130.0)])
    spacings = set()
    for seed in range(10):
        moved = augmentation.move(sample, np.random.default_rng(seed))
        np.testing.assert_allclose(distances_mm(moved), distances_mm(sample), rtol=0.01)
        spacings.add(moved.spacing_mm)
    assert len(spacings) > 3


def test_a_landmark_cut_off_is_absent_and_an_unknown_one_stays_unknown() -> None:
    augmentation = Augmentation(AugmentConfig(crop=0.45))
    states = set()
    for seed in range(40):
        moved = augmentation.move(spot_sample([(20.0, 20.0)]), np.random.default_rng(seed))
        x, y, state = moved.landmarks_K3[0]
        inside = -0.5 <= x < moved.image_HW.shape[1] - 0.5 and -0.5 <= y < moved.image_HW.shape[0] - 0.5
        assert inside == (state == IN_IMAGE)
        assert moved.landmarks_K3[1, 2] == UNKNOWN
        states.add(state)
    assert states == {IN_IMAGE, ABSENT}


def test_an_entry_cut_off_moves_along_the_shaft_to_the_edge() -> None:
    sample = spot_sample([(150.0, 150.0), (10.0, 10.0)])
    augmentation = Augmentation(AugmentConfig(crop=0.3))
    moved_to_the_edge = 0
    for seed in range(30):
        moved = augmentation.move(sample, np.random.default_rng(seed))
        tip, entry = moved.landmarks_K3[:2]
        if tip[2] == IN_IMAGE:
            assert entry[2] == IN_IMAGE
            assert tip[0] - entry[0] == pytest.approx(tip[1] - entry[1])  # the shaft runs at 45 degrees
            moved_to_the_edge += min(entry[:2]) == pytest.approx(0)
    assert moved_to_the_edge > 5


def test_a_sample_depends_on_its_generator_and_not_on_what_came_before() -> None:
    fresh, used = Augmentation(STRONG), Augmentation(STRONG)
    for seed in range(3):
        used(spot_sample(SPOTS), 64, np.random.default_rng(100 + seed))
        one, other = (a(spot_sample(SPOTS), 64, np.random.default_rng(seed)) for a in (fresh, used))
        np.testing.assert_array_equal(one.image_SS, other.image_SS)
        np.testing.assert_array_equal(one.labels_SS, other.labels_SS)
        np.testing.assert_array_equal(one.landmarks_K3, other.landmarks_K3)


def test_looks_move_nothing_and_leave_the_outside_empty() -> None:
    augmentation = Augmentation(AugmentConfig(look=1.0, furniture=1.0))
    plain, sample = Augmentation(AugmentConfig()), spot_sample(SPOTS, height=100)
    for seed in range(5):
        seen = augmentation(sample, 64, np.random.default_rng(seed))
        unseen = plain(sample, 64, np.random.default_rng(seed))
        np.testing.assert_array_equal(seen.labels_SS, unseen.labels_SS)
        np.testing.assert_array_equal(seen.landmarks_K3, unseen.landmarks_K3)
        assert (seen.image_SS[seen.labels_SS == 255] == 0).all()
        assert np.abs(seen.image_SS - unseen.image_SS).max() > 0.05


@pytest.mark.parametrize("effect", ALL_EFFECTS, ids=lambda effect: effect.__name__)
@pytest.mark.parametrize("shape", [(256, 256), (37, 53), (1, 1), (2, 300)])
def test_effects_keep_shape_and_kind_and_do_something(effect: object, shape: tuple[int, int]) -> None:
    image_HW = np.random.default_rng(0).integers(30, 200, size=shape).astype(np.uint8)
    before = image_HW.copy()
    seen = [effect(image_HW, np.random.default_rng(seed), 1.0) for seed in range(4)]  # type: ignore[operator]
    np.testing.assert_array_equal(image_HW, before)
    assert all(result.shape == shape and result.dtype == np.uint8 for result in seen)
    if min(shape) > 10:
        assert any((result != image_HW).any() for result in seen)


def test_black_stays_black_under_gain_and_grey_maps() -> None:
    black_HW = np.zeros((20, 20), np.uint8)
    for effect in (effects.time_gain, effects.overall_gain, effects.dynamic_range, effects.speckle, effects.shadow):
        assert not effect(black_HW, np.random.default_rng(1), 1.0).any()


def test_warped_points_lie_where_the_image_shows_them() -> None:
    field = warp.displacement(warp.random_control(np.random.default_rng(0)), 150, 200)
    points_xy = np.array([[40.0, 60.0], [120.5, 20.25], [199.0, 149.0]])
    moved_xy = warp.warp_points(points_xy, field)
    columns, rows = np.rint(moved_xy).astype(int).T.clip(0, [[199], [149]])
    np.testing.assert_allclose(moved_xy + field[rows, columns], points_xy, atol=0.1)


@pytest.mark.parametrize("shape", [(100, 150), (7, 5), (1, 1)])
def test_spoiled_samples_are_no_hip_view_and_teach_nothing_else(shape: tuple[int, int]) -> None:
    sample = spot_sample([(2.0, 2.0)], *shape)
    for seed in range(30):
        spoiled = negatives.spoil(sample, np.random.default_rng(seed))
        assert spoiled.hip_view == 0
        assert spoiled.image_HW.shape == spoiled.labels_HW.shape
        assert spoiled.image_HW.dtype == np.uint8
        assert (spoiled.labels_HW == 255).all()
        assert (spoiled.landmarks_K3[:, 2] == UNKNOWN).all()


@pytest.mark.parametrize("preset", presets(), ids=lambda path: path.stem)
def test_presets_are_valid(preset: Path) -> None:
    AugmentConfig.from_mapping(yaml.safe_load(preset.read_text()))


def test_a_mistyped_key_or_value_is_refused() -> None:
    with pytest.raises(UsageError, match="did you mean 'rotation_deg'"):
        AugmentConfig.from_mapping({"rotation_dg": 5})
    with pytest.raises(UsageError, match=r"augment\.flip is -1"):
        AugmentConfig.from_mapping({"flip": -1})
