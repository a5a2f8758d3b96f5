"""The metric truth table: shapes with closed-form answers."""

from __future__ import annotations

import numpy as np
import pytest
from drawn_masks import box, disc, lens_dice, rod, sloping_bone
from hypothesis import given
from hypothesis import strategies as st

from hipseg.anatomy import ANTERIOR_CAPSULE, FEMORAL_ARTERY, FEMORAL_HEAD, IGNORED, NEEDLE
from hipseg.evaluation.measures.cortex import cortex_agreement
from hipseg.evaluation.measures.measure import MaskHW, Scale
from hipseg.evaluation.measures.overlap import centreline_dice, dice, iou
from hipseg.evaluation.measures.structures import structure_measures
from hipseg.evaluation.measures.surface import surface_distances
from hipseg.evaluation.measures.vocabulary import Vocabulary

TENTH = Scale.of((0.1, 0.1))
TALL = Scale.of((0.4, 0.1))
EMPTY = np.zeros((200, 240), np.bool_)
EVERYTHING = Vocabulary.complete()


@pytest.mark.parametrize("shift", [0, 8, 20, 60, 100])
def test_shifted_discs_overlap_as_their_lens(shift: int) -> None:
    reference, predicted = disc(centre_xy=(80, 100), radius=50), disc(centre_xy=(80 + shift, 100), radius=50)
    expected = lens_dice(50, shift)
    assert dice(reference, predicted) == pytest.approx(expected, abs=0.002)
    assert iou(reference, predicted) == pytest.approx(expected / (2 - expected), abs=0.003)


@pytest.mark.parametrize(("shift_xy", "expected_mm"), [((30, 0), 3.0), ((0, 30), 12.0), ((30, 10), 5.0)])
def test_discs_apart_are_as_far_as_their_centres_on_pixels_four_times_as_tall(
    shift_xy: tuple[int, int], expected_mm: float
) -> None:
    reference = disc(centre_xy=(80, 80), radius=2)
    predicted = disc(centre_xy=(80 + shift_xy[0], 80 + shift_xy[1]), radius=2)
    distances = surface_distances(reference, predicted, TALL)
    assert distances is not None
    assert distances.assd == pytest.approx(expected_mm, abs=0.9)
    assert distances.nsd(expected_mm + 2.0) == 1.0
    assert distances.nsd(expected_mm - 2.0) == 0.0


def test_concentric_discs_are_as_far_apart_as_their_radii_differ() -> None:
    distances = surface_distances(disc(centre_xy=(120, 100), radius=60), disc(centre_xy=(120, 100), radius=50), TENTH)
    assert distances is not None
    assert distances.hd95 == pytest.approx(1.0, abs=0.06)
    assert distances.assd == pytest.approx(1.0, abs=0.03)
    assert (distances.nsd(1.1), distances.nsd(0.9)) == (1.0, 0.0)


def test_a_tolerance_of_exactly_the_distance_is_within() -> None:
    distances = surface_distances(box(50, 60, 20, 220), box(53, 63, 20, 220), Scale.of((0.5, 0.5)))
    assert distances is not None
    assert distances.nsd(1.5) == 1.0
    assert distances.hd95 == 1.5


@pytest.mark.parametrize(("offset", "expected"), [(0, 1.0), (2, 1.0), (3, 0.0), (40, 0.0)])
def test_parallel_lines_share_a_centreline_while_one_lies_in_the_other(offset: int, expected: float) -> None:
    reference = box(100, 105, 20, 220)
    # A skeleton may bend by a pixel at its ends.
    assert centreline_dice(reference, np.roll(reference, offset, axis=0)) == pytest.approx(expected, abs=0.01)


def test_half_a_line_has_the_clear_centreline_dice_of_half_a_line() -> None:
    value = centreline_dice(box(100, 105, 20, 220), box(100, 105, 20, 120))
    assert value == pytest.approx(2 / 3, abs=0.02)  # precision 1, sensitivity a half


@pytest.mark.parametrize("angle_deg", [10, 30, 90])
def test_a_turned_needle_crosses_the_true_one_in_a_rhombus(angle_deg: float) -> None:
    reference, predicted = rod(0, width=5), rod(angle_deg, width=5)
    rhombus = 5 * 5 / np.sin(np.radians(angle_deg))
    assert dice(reference, predicted) == pytest.approx(rhombus / (5 * 121), abs=0.02)
    distances = surface_distances(reference, predicted, TENTH)
    assert distances is not None
    # The farthest twentieth of a needle lies at its ends, which the turn moves away from the other needle's shaft.
    ends_mm = 0.1 * 60 * np.sin(np.radians(angle_deg))
    assert distances.hd95 == pytest.approx(0.95 * ends_mm, abs=0.3)


@given(slope=st.floats(0.0, 0.8), offset_px=st.floats(2.0, 6.0))
def test_cortex_distance_is_measured_along_the_normal(slope: float, offset_px: float) -> None:
    agreement = cortex_agreement(sloping_bone(slope, 20), sloping_bone(slope, 20 + offset_px), (0.1, 0.1))
    assert agreement is not None
    assert agreement.found
    assert agreement.covered == 1.0
    # Both edges are rounded to pixels of 0.1 mm.
    assert agreement.distance_mm == pytest.approx(0.1 * offset_px / np.hypot(1, slope), abs=0.1)
    assert agreement.assd_mm == pytest.approx(0.1 * offset_px / np.hypot(1, slope), abs=0.1)


def test_half_a_bone_is_half_covered_and_a_missed_one_not_at_all() -> None:
    bone = sloping_bone(0.0, 30)
    half = bone.copy()
    half[:, 60:] = False
    agreement = cortex_agreement(bone, half, (0.1, 0.1))
    assert agreement is not None
    assert agreement.covered == pytest.approx(0.5, abs=0.2)
    missed = cortex_agreement(bone, np.zeros_like(bone), (0.1, 0.1))
    assert missed is not None
    assert (missed.covered, missed.distance_mm, missed.assd_mm, missed.found) == (0.0, None, None, False)
    assert cortex_agreement(np.zeros_like(bone), bone, (0.1, 0.1)) is None


def test_the_cortex_of_anisotropic_pixels_is_measured_in_millimetres() -> None:
    agreement = cortex_agreement(sloping_bone(0.0, 20), sloping_bone(0.0, 23), (0.4, 0.1))
    assert agreement is not None
    assert agreement.distance_mm == pytest.approx(1.2)


def test_a_structure_cut_by_the_border_is_measured_where_it_goes_on() -> None:
    reference, predicted = box(0, 50, 0, 100), box(0, 50, 0, 110)
    distances = surface_distances(reference, predicted, TENTH)
    assert distances is not None
    assert distances.hd95 == pytest.approx(1.0)
    assert dice(reference, predicted) == pytest.approx(2 * 5000 / 10500)
    whole = np.ones((200, 240), np.bool_)
    same = surface_distances(whole, whole, TENTH)
    assert same is not None
    assert (same.hd95, same.assd, same.nsd(0.01)) == (0.0, 0.0, 1.0)


def test_one_pixel_is_a_structure() -> None:
    one, other = box(10, 11, 10, 11), box(13, 14, 14, 15)
    distances = surface_distances(one, other, TENTH)
    assert distances is not None
    assert distances.hd95 == pytest.approx(0.5)
    assert distances.assd == pytest.approx(0.5)
    assert (dice(one, other), iou(one, other), centreline_dice(one, other)) == (0.0, 0.0, 0.0)
    assert (dice(one, one), iou(one, one), centreline_dice(one, one)) == (1.0, 1.0, 1.0)


def measured(
    reference_HW: MaskHW, predicted_HW: MaskHW, label: int, spacing_mm: tuple[float, float] | None = (0.1, 0.1)
) -> dict[str, float]:
    """Metrics of a pair of masks of one class, those of other structures left out."""
    labels = [(mask * label).astype(np.uint8) for mask in (reference_HW, predicted_HW)]
    measures = structure_measures(
        *labels, Scale.of(spacing_mm), reference=Vocabulary({label: frozenset({label})}), predicted=EVERYTHING
    )
    return {f"{one.metric} {one.unit}".removesuffix(" 1"): one.value for one in measures}


def test_empty_against_empty_says_nothing_but_that_both_are_empty() -> None:
    assert measured(EMPTY, EMPTY, FEMORAL_ARTERY) == {"present_reference": 0.0, "present_predicted": 0.0}


def test_a_false_structure_counts_against_specificity_alone() -> None:
    assert measured(EMPTY, box(0, 9, 0, 9), NEEDLE) == {"present_reference": 0.0, "present_predicted": 1.0}


def test_a_missed_structure_is_as_wrong_as_can_be() -> None:
    values = measured(box(50, 60, 50, 60), EMPTY, ANTERIOR_CAPSULE, (0.3, 0.4))
    assert values == {
        "present_reference": 1.0,
        "present_predicted": 0.0,
        "dice": 0.0,
        "iou": 0.0,
        "cldice": 0.0,
        "nsd": 0.0,
        "hd95 mm": pytest.approx(np.hypot(200 * 0.3, 240 * 0.4)),
        "assd mm": pytest.approx(np.hypot(200 * 0.3, 240 * 0.4)),
    }


def test_a_missed_bone_covers_nothing() -> None:
    values = measured(box(50, 90, 50, 90), EMPTY, FEMORAL_HEAD)
    assert (values["cortex_covered"], values["cortex_found"]) == (0.0, 0.0)
    assert "cortex_distance mm" not in values


def test_without_a_scale_distances_are_pixels_and_nothing_is_said_that_needs_millimetres() -> None:
    values = measured(box(50, 60, 50, 60), box(50, 60, 53, 63), FEMORAL_HEAD, None)
    assert values["hd95 px"] == 3.0
    assert not {"nsd", "cortex_covered", "hd95 mm"} & values.keys()


def test_ignored_pixels_count_for_neither_side_and_cut_no_surface() -> None:
    reference = box(50, 60, 50, 100).astype(np.uint8) * FEMORAL_ARTERY
    predicted = box(50, 60, 50, 150).astype(np.uint8) * FEMORAL_ARTERY
    reference[:, 100:] = IGNORED
    vocabulary = Vocabulary({FEMORAL_ARTERY: frozenset({FEMORAL_ARTERY})})
    found = structure_measures(reference, predicted, TENTH, reference=vocabulary, predicted=EVERYTHING)
    values = {one.metric: one.value for one in found}
    assert (values["dice"], values["iou"], values["nsd"]) == (1.0, 1.0, 1.0)
    assert (values["hd95"], values["assd"]) == (0.0, 0.0)
