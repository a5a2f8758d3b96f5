"""What masks can be compared on, calibration, clearances and joint measures of single cases."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from drawn_masks import box, disc

from hipseg.anatomy import (
    CLASS_NAMES,
    FEMORAL_ARTERY,
    FEMORAL_VEIN,
    NEEDLE,
    NUM_CLASSES,
    VESSELS,
)
from hipseg.data.records import Case, DatasetManifest
from hipseg.evaluation.measures.calibration import NUM_BINS, calibration_bins
from hipseg.evaluation.measures.guided import guided_measures
from hipseg.evaluation.measures.measure import Scale
from hipseg.evaluation.measures.structures import structure_measures
from hipseg.evaluation.measures.vocabulary import VESSELS_NAME, Vocabulary, comparable
from hipseg.evaluation.predictors.predictor import segmentation_of_labels
from hipseg.frame import ScanRegion, Spacing
from hipseg.guidance.config import GuidanceConfig
from hipseg.guidance.engine import GuidanceEngine
from hipseg.runtime.grid import Grid
from hipseg.runtime.segmentation import Segmentation

EVERYTHING = Vocabulary.complete()
SPACING_MM = (0.2, 0.2)


def case(**fields: Any) -> Case:
    return Case(**{"id": "a", "image": "a.png", "mask": None, "patient": "p", "split": "test", "sha256": "-"} | fields)


def test_both_vessels_are_also_judged_together() -> None:
    reference = Vocabulary.of_case(DatasetManifest("d", ("femoral_artery", "femoral_vein", "needle")), case())
    assert comparable(reference, EVERYTHING).keys() == {"femoral_artery", "femoral_vein", "needle", VESSELS_NAME}


def test_a_vessel_that_may_be_either_is_judged_as_one() -> None:
    manifest = DatasetManifest("d", ("femoral_artery",), {"femoral_artery": ("femoral_artery", "femoral_vein")})
    reference = Vocabulary.of_case(manifest, case())
    assert comparable(reference, EVERYTHING) == {VESSELS_NAME: frozenset(VESSELS)}
    labels, predicted = np.full((9, 9), FEMORAL_ARTERY, np.uint8), np.full((9, 9), FEMORAL_VEIN, np.uint8)
    found = structure_measures(labels, predicted, Scale.of(None), reference=reference, predicted=EVERYTHING)
    assert {(one.metric, one.value) for one in found} >= {("dice", 1.0), ("present_predicted", 1.0)}


def test_pixels_that_may_be_a_vein_are_not_held_against_the_vein() -> None:
    """Value 5 says "some vessel", value 6 says "vein": the vein is judged where it is certain."""
    reference = Vocabulary({5: frozenset(VESSELS), 6: frozenset({FEMORAL_VEIN})})
    labels_HW = np.zeros((20, 20), np.uint8)
    labels_HW[:, :5], labels_HW[:, 5:10] = 5, 6
    predicted_HW = np.where(labels_HW > 0, FEMORAL_VEIN, 0).astype(np.uint8)
    found = structure_measures(labels_HW, predicted_HW, Scale.of(None), reference=reference, predicted=EVERYTHING)
    dice = {one.structure: one.value for one in found if one.metric == "dice"}
    assert dice == {"femoral_vein": 1.0, VESSELS_NAME: 1.0}


def test_what_the_case_says_goes_before_the_manifest() -> None:
    manifest = DatasetManifest("d", CLASS_NAMES[1:])
    reference = Vocabulary.of_case(manifest, case(annotated=("background", "needle"), merged={}))
    assert comparable(reference, EVERYTHING).keys() == {"needle"}


def segmentation_with(chance_HW: np.ndarray, label: int) -> Segmentation:
    """A network's answer on a grid as large as the image: one class with these probabilities, the rest background."""
    height, width = chance_HW.shape
    probabilities_CHW = np.zeros((NUM_CLASSES, height, width), np.float32)
    probabilities_CHW[label], probabilities_CHW[0] = chance_HW, 1 - chance_HW
    labels_HW = np.where(chance_HW > 0.5, label, 0).astype(np.uint8)
    return Segmentation(labels_HW, probabilities_CHW, Grid(height, width, height), {}, 1.0)


def test_a_calibrated_model_has_no_gap_and_the_brier_score_of_its_doubt() -> None:
    rng = np.random.default_rng(0)
    chance_HW = rng.uniform(0.02, 0.98, (300, 300))
    labels_HW = ((rng.random((300, 300)) < chance_HW) * FEMORAL_ARTERY).astype(np.uint8)
    vocabulary = Vocabulary({FEMORAL_ARTERY: frozenset({FEMORAL_ARTERY})})
    bins = list(
        calibration_bins(
            labels_HW,
            segmentation_with(chance_HW, FEMORAL_ARTERY),
            Scale.of((0.1, 0.1)),
            reference=vocabulary,
            predicted=EVERYTHING,
        )
    )
    assert [one.bin for one in bins] == list(range(NUM_BINS))
    assert sum(one.count for one in bins) == 300 * 300
    for one in bins:
        assert one.positive_sum / one.count == pytest.approx(one.confidence_sum / one.count, abs=0.02)
    brier = sum(one.squared_error_sum for one in bins) / 300**2
    assert brier == pytest.approx(np.mean(chance_HW * (1 - chance_HW)), abs=0.003)


def test_easy_background_is_left_out() -> None:
    labels_HW = (disc(centre_xy=(100, 100), radius=10, shape=(200, 200)) * FEMORAL_ARTERY).astype(np.uint8)
    sure = (labels_HW == FEMORAL_ARTERY).astype(np.float64)
    bins = calibration_bins(
        labels_HW,
        segmentation_with(sure, FEMORAL_ARTERY),
        Scale.of((0.2, 0.2)),
        reference=Vocabulary({FEMORAL_ARTERY: frozenset({FEMORAL_ARTERY})}),
        predicted=EVERYTHING,
    )
    counted = sum(one.count for one in bins)
    assert counted == pytest.approx(np.pi * 20**2, rel=0.05)  # the disc and 2 mm around it


def guided(
    labels_HW: np.ndarray, subject: Case, reference_HW: np.ndarray | None = None
) -> dict[tuple[str, str], float]:
    height, width = labels_HW.shape
    engine = GuidanceEngine(GuidanceConfig(view_check=False), still=True)
    guidance = engine.step(
        segmentation_of_labels(labels_HW),
        frame=0,
        time_s=0.0,
        spacing=Spacing(*SPACING_MM, "user"),
        region=ScanRegion(0, 0, width, height, "full"),
    )
    found = guided_measures(subject, guidance, reference_HW, EVERYTHING)
    return {(one.structure, one.metric): one.value for one in found}


def scene(*, vessel_x: int) -> np.ndarray:
    labels_HW = np.zeros((200, 240), np.uint8)
    labels_HW[disc(centre_xy=(vessel_x, 100), radius=20)] = FEMORAL_ARTERY
    labels_HW[box(99, 102, 10, 101)] = NEEDLE
    return labels_HW


NEEDLE_AT_100 = {"needle_tip": (100.0, 100.0), "needle_entry": (10.0, 100.0)}


@pytest.mark.parametrize(("drawn_x", "error_mm"), [(160, 0.0), (170, 2.0), (150, -2.0)])
def test_a_vessel_drawn_too_far_away_is_a_positive_error(drawn_x: int, error_mm: float) -> None:
    subject = case(spacing_mm=SPACING_MM, landmarks=NEEDLE_AT_100)
    found = guided(scene(vessel_x=drawn_x), subject, scene(vessel_x=160))
    assert found["femoral_artery", "clearance_reported"] == 1.0
    assert found["femoral_artery", "clearance_error"] == pytest.approx(error_mm, abs=0.4)
    assert found["needle", "angle_error"] < 1.0
    assert found["needle", "guided_tip_error"] < 0.5


def test_a_vessel_that_is_not_seen_is_not_reported() -> None:
    subject = case(spacing_mm=SPACING_MM, landmarks=NEEDLE_AT_100)
    without = np.where(scene(vessel_x=160) == FEMORAL_ARTERY, 0, scene(vessel_x=160)).astype(np.uint8)
    found = guided(without, subject, scene(vessel_x=160))
    assert found["femoral_artery", "clearance_reported"] == 0.0
    assert ("femoral_artery", "clearance_error") not in found
    assert ("femoral_vein", "clearance_reported") not in found


def test_the_simulators_own_clearance_goes_before_the_mask() -> None:
    truth = {"needle": {"tip_to_artery_mm": 7.0}, "target_px": [100.0, 110.0]}
    subject = case(spacing_mm=SPACING_MM, landmarks=NEEDLE_AT_100, truth=truth)
    found = guided(scene(vessel_x=160), subject, scene(vessel_x=160))
    assert found["femoral_artery", "clearance_error"] == pytest.approx(8.0 - 7.0, abs=0.4)


@pytest.mark.parametrize("drawn_x", [160, 170, 150])
def test_a_path_through_the_vessel_has_no_clearance_on_either_side(drawn_x: int) -> None:
    found = guided(scene(vessel_x=drawn_x), case(spacing_mm=SPACING_MM, landmarks=NEEDLE_AT_100), scene(vessel_x=160))
    assert found["femoral_vessels", "path_clearance_reported"] == 1.0
    assert found["femoral_vessels", "path_clearance_error"] == pytest.approx(0, abs=0.4)


def test_a_vessel_missed_on_the_path_is_not_reported_and_one_moved_aside_is_a_positive_error() -> None:
    subject, truth = case(spacing_mm=SPACING_MM, landmarks=NEEDLE_AT_100), scene(vessel_x=160)
    without = np.where(truth == FEMORAL_ARTERY, 0, truth).astype(np.uint8)
    assert guided(without, subject, truth)["femoral_vessels", "path_clearance_reported"] == 0.0
    lower = without.copy()
    rows, columns = np.nonzero(truth == FEMORAL_ARTERY)
    lower[rows + 40, columns] = FEMORAL_ARTERY
    expected_mm = (rows.min() + 40 - 100) * SPACING_MM[0]
    assert guided(lower, subject, truth)["femoral_vessels", "path_clearance_error"] == pytest.approx(
        expected_mm, abs=0.5
    )


@pytest.mark.parametrize("lift", [0, 10])
def test_the_miss_at_the_target_is_how_far_apart_both_lines_pass_it(lift: int) -> None:
    """Both level: the reported one runs `lift` pixels above the true one, wherever the target lies."""
    landmarks = {"needle_tip": (100.0, 100.0 + lift), "needle_entry": (10.0, 100.0 + lift)}
    subject = case(spacing_mm=SPACING_MM, landmarks=landmarks, truth={"target_px": [150.0, 140.0]})
    found = guided(scene(vessel_x=160), subject)
    assert found["needle", "miss_at_target"] == pytest.approx(0.2 * lift, abs=0.15)


def test_without_scale_only_pixels_are_told() -> None:
    found = guided(scene(vessel_x=160), case(landmarks=NEEDLE_AT_100), scene(vessel_x=160))
    assert found.keys() == {
        ("needle", "guided_tip_present"),
        ("needle", "guided_tip_reported"),
        ("needle", "guided_tip_error"),
    }


def test_an_unknown_tip_is_not_judged() -> None:
    assert not guided(scene(vessel_x=160), case(spacing_mm=SPACING_MM), scene(vessel_x=160))


def test_the_neck_capsule_distance_is_told_beside_the_true_one() -> None:
    truth = {"neck_capsule_distance_mm": 6.0}
    found = guided(scene(vessel_x=160), case(spacing_mm=SPACING_MM, truth=truth))
    assert found == {("joint", "neck_capsule_distance_reported"): 0.0}
    assert not guided(scene(vessel_x=160), case(spacing_mm=SPACING_MM, truth=truth, view="transverse"))
