"""Metrics against shapes with closed-form answers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hipseg.anatomy import FEMORAL_ARTERY, FEMORAL_HEAD, FEMORAL_VEIN, IGNORED, VESSELS
from hipseg.evaluation.segmentation import cortex_agreement, overlap


def labels_with_square(value: int, *, left: int) -> np.ndarray:
    labels_HW = np.zeros((40, 40), np.uint8)
    labels_HW[10:20, left : left + 10] = value
    return labels_HW


def test_half_shifted_squares_overlap_by_half() -> None:
    result = overlap(
        labels_with_square(FEMORAL_ARTERY, left=5), labels_with_square(FEMORAL_ARTERY, left=10), (FEMORAL_ARTERY,)
    )
    assert result.dice == 0.5
    assert (result.reference_px, result.predicted_px) == (100, 100)


def test_absent_structure_has_no_dice_and_missed_structure_has_zero() -> None:
    empty, full = np.zeros((40, 40), np.uint8), labels_with_square(FEMORAL_VEIN, left=5)
    assert overlap(empty, full, (FEMORAL_VEIN,)).dice is None
    assert overlap(full, empty, (FEMORAL_VEIN,)).dice == 0.0


def test_merged_vessels_do_not_ask_which_vessel_it_is() -> None:
    reference, predicted = labels_with_square(FEMORAL_ARTERY, left=5), labels_with_square(FEMORAL_VEIN, left=5)
    assert overlap(reference, predicted, VESSELS).dice == 1.0


def test_ignored_pixels_count_for_neither_side() -> None:
    reference = labels_with_square(FEMORAL_ARTERY, left=5)
    predicted = labels_with_square(FEMORAL_ARTERY, left=5)
    predicted[25:35, 5:15] = FEMORAL_ARTERY
    reference[25:35, 5:15] = IGNORED
    assert overlap(reference, predicted, (FEMORAL_ARTERY,)).dice == 1.0


def sloping_bone(slope: float, depth_px: float) -> np.ndarray:
    rows, columns = np.mgrid[:200, :120]
    top = depth_px + slope * columns
    return (rows >= top) & (rows < top + 40)


@given(slope=st.floats(0.0, 0.8), offset_px=st.floats(2.0, 6.0))
def test_cortex_distance_is_measured_along_the_normal(slope: float, offset_px: float) -> None:
    agreement = cortex_agreement(sloping_bone(slope, 20), sloping_bone(slope, 20 + offset_px), (0.1, 0.1))
    assert agreement is not None
    assert agreement.covered == 1.0
    # Both edges are rounded to pixels of 0.1 mm.
    assert agreement.distance_mm == pytest.approx(0.1 * offset_px / np.hypot(1, slope), abs=0.1)


def test_half_a_bone_is_half_covered_and_a_missed_one_not_at_all() -> None:
    bone = sloping_bone(0.0, 30)
    half = bone.copy()
    half[:, 60:] = False
    agreement = cortex_agreement(bone, half, (0.1, 0.1))
    assert agreement is not None
    assert agreement.covered == pytest.approx(0.5, abs=0.2)
    missed = cortex_agreement(bone, np.zeros_like(bone), (0.1, 0.1))
    assert missed is not None
    assert (missed.covered, missed.distance_mm) == (0.0, None)
    assert cortex_agreement(np.zeros_like(bone), bone, (0.1, 0.1)) is None


def test_anisotropic_pixels_are_measured_in_millimetres() -> None:
    agreement = cortex_agreement(sloping_bone(0.0, 20), sloping_bone(0.0, 23), (0.4, 0.1))
    assert agreement is not None
    assert agreement.distance_mm == pytest.approx(1.2)
    assert FEMORAL_HEAD == 1
