"""Painted needles: the truth is exact, the echo lies on it, and frames without room stay as they are."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from small_scenes import spot_sample

from hipseg import anatomy
from hipseg.data import needle_painting
from hipseg.data.needle_painting import Shaft, paint_endless_line, paint_needle
from hipseg.data.sample import IN_IMAGE, Sample, landmark_array

TIP, ENTRY = 0, 1
ALL_LOOKS = (needle_painting.thin_needle, needle_painting.granular_needle, needle_painting.double_needle)


def tissue(spacing_mm: tuple[float, float] = (0.1, 0.15)) -> Sample:
    """Even grey speckle without any structure."""
    sample = spot_sample([], 260, 380)
    grey = np.random.default_rng(0).normal(60, 8, size=sample.image_HW.shape)
    return dataclasses.replace(
        sample,
        image_HW=np.clip(grey, 0, 255).astype(np.uint8),
        landmarks_K3=landmark_array({"needle_tip": None, "needle_entry": None}),
        spacing_mm=spacing_mm,
    )


def test_pixels_know_their_place_along_and_across_the_shaft() -> None:
    shaft = Shaft(np.array([100.0, 80.0]), np.array([40.0, 20.0]), (0.1, 0.1), 0.8)
    along, across = shaft.coordinates_mm((200, 200))
    assert along[80, 100] == pytest.approx(0)
    assert along[20, 40] == pytest.approx(math.hypot(6, 6), rel=1e-5)
    assert across[50, 70] == pytest.approx(0, abs=1e-5)
    assert across[60, 70] > 0  # below the axis
    assert across[40, 70] < 0
    mirrored = Shaft(np.array([99.0, 80.0]), np.array([159.0, 20.0]), (0.1, 0.1), 0.8)
    np.testing.assert_allclose(mirrored.coordinates_mm((200, 200))[1], across[:, ::-1], atol=1e-4)


@pytest.mark.parametrize("spacing_mm", [(0.1, 0.15), (math.nan, math.nan)])
def test_labels_and_landmarks_are_the_line_that_was_painted(spacing_mm: tuple[float, float]) -> None:
    before = tissue(spacing_mm)
    for seed in range(20):
        after = paint_needle(before, np.random.default_rng(seed))
        tip, entry = after.landmarks_K3[TIP], after.landmarks_K3[ENTRY]
        rows, columns = np.nonzero(after.labels_HW == anatomy.NEEDLE)
        reach = np.hypot(columns - tip[0], rows - tip[1])
        assert tip[2] == entry[2] == IN_IMAGE
        assert reach.min() < 2
        assert reach.max() == pytest.approx(np.hypot(*(entry - tip)[:2]), abs=8)
        way = (entry - tip)[:2] / np.hypot(*(entry - tip)[:2])
        off = (columns - tip[0]) * way[1] - (rows - tip[1]) * way[0]
        assert abs(off.mean()) < 1.0
        height, width = after.image_HW.shape
        assert min(entry[0], entry[1], width - 1 - entry[0], height - 1 - entry[1]) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("look", ALL_LOOKS, ids=lambda look: look.__name__)
def test_the_echo_lies_on_the_shaft_and_not_ahead_of_the_tip(look: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(needle_painting, "_LOOKS", (look,))
    before, gains, ahead = tissue(), [], []
    for seed in range(12):
        after = paint_needle(before, np.random.default_rng(seed))
        shaft = Shaft(after.landmarks_K3[TIP, :2], after.landmarks_K3[ENTRY, :2], before.spacing_mm, 1.0)
        along, across = shaft.coordinates_mm(before.image_HW.shape)
        gain = after.image_HW.astype(float) - before.image_HW
        gains.append(gain[(np.abs(across) < 0.8) & (along > 0)].mean())
        ahead.append(gain[(np.abs(across) < 0.8) & (along < -1.5)].mean())
    assert np.mean(gains) > 6
    assert np.abs(ahead).max() < 2


def test_what_was_there_stays_labelled_and_a_painted_needle_is_not_painted_over() -> None:
    once = paint_needle(tissue(), np.random.default_rng(1))
    assert paint_needle(once, np.random.default_rng(2)) is once
    vessel = tissue()
    vessel.labels_HW[100:160, 100:200] = anatomy.FEMORAL_ARTERY
    crossed = paint_needle(vessel, np.random.default_rng(3))
    assert set(np.unique(crossed.labels_HW)) == {0, anatomy.NEEDLE, anatomy.FEMORAL_ARTERY}
    off_shaft = crossed.labels_HW != anatomy.NEEDLE
    np.testing.assert_array_equal(crossed.labels_HW[off_shaft], vessel.labels_HW[off_shaft])


def test_no_needle_is_seen_behind_bone_or_in_the_dark() -> None:
    bone = tissue()
    bone.labels_HW[2:6] = anatomy.FEMORAL_HEAD
    dark = dataclasses.replace(tissue(), image_HW=np.zeros((260, 380), np.uint8))
    for seed in range(5):
        assert paint_needle(bone, np.random.default_rng(seed)) is bone
        assert paint_needle(dark, np.random.default_rng(seed)) is dark


def test_an_endless_line_changes_the_image_only() -> None:
    before = tissue()
    after = paint_endless_line(before, np.random.default_rng(0))
    assert (after.image_HW.astype(int) - before.image_HW).max() > 20
    assert after.labels_HW is before.labels_HW
    assert after.landmarks_K3 is before.landmarks_K3
