"""Intervals: against closed forms, other libraries, and the truth of invented studies."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from hipseg.evaluation import bootstrap
from hipseg.evaluation.coverage import measure_coverage
from hipseg.evaluation.coverage_figure import ACCEPTED


@pytest.mark.parametrize(("figure", "num_patients"), [("mean", 10), ("mean", 25), ("share", 20)])
def test_patient_intervals_hold_the_truth_and_frame_intervals_do_not(figure: str, num_patients: int) -> None:
    by_patient = measure_coverage(figure, "patient", num_patients=num_patients, num_studies=1000, seed=11)
    by_frame = measure_coverage(figure, "frame", num_patients=num_patients, num_studies=100, seed=11)
    assert ACCEPTED[0] <= by_patient.held <= ACCEPTED[1]
    assert by_frame.held < 0.5


@pytest.mark.parametrize("num_patients", [8, 40])
def test_the_interval_of_a_mean_is_near_the_t_interval(num_patients: int) -> None:
    values = np.random.default_rng(num_patients).normal(5.0, 2.0, num_patients)
    found = bootstrap.mean_interval(values)
    expected = stats.t.interval(0.95, num_patients - 1, values.mean(), values.std(ddof=1) / np.sqrt(num_patients))
    assert found == pytest.approx(expected, rel=0.08)


def test_two_patients_give_no_interval() -> None:
    assert bootstrap.mean_interval(np.array([0.1, 0.9])) is None
    assert bootstrap.mean_interval(np.array([])) is None


def test_a_share_that_is_unanimous_keeps_its_doubt() -> None:
    """Of five patients found in every frame, the rate may still be as low as 0.025^(1/5)."""
    found = bootstrap.share_interval(np.full(5, 20.0), np.full(5, 20.0))
    assert found == pytest.approx((0.025 ** (1 / 5), 1.0))
    missed = bootstrap.share_interval(np.zeros(5), np.full(5, 20.0))
    assert missed == pytest.approx((0.0, 1 - 0.025 ** (1 / 5)))


def test_the_area_under_the_curve_agrees_with_scikit_learn_ties_included() -> None:
    rng = np.random.default_rng(5)
    for _ in range(50):
        scores, positive = rng.integers(0, 8, 60) / 8, rng.random(60) < 0.4
        weights = rng.integers(0, 4, 60).astype(float)
        areas = bootstrap.area_under_curve(scores, positive, np.stack([np.ones(60), weights]))
        assert areas[0] == pytest.approx(roc_auc_score(positive, scores))
        assert areas[1] == pytest.approx(roc_auc_score(positive, scores, sample_weight=weights))


def test_weighted_quantiles_are_those_of_repeated_frames() -> None:
    rng = np.random.default_rng(6)
    ordered, weights = np.sort(rng.normal(size=40)), rng.integers(1, 5, (3, 40)).astype(float)
    found = bootstrap._weighted_quantiles(ordered, weights, 0.95)
    expected = [np.quantile(np.repeat(ordered, row.astype(int)), 0.95, method="inverted_cdf") for row in weights]
    assert found.tolist() == expected


def test_the_order_of_frames_and_a_second_call_change_nothing() -> None:
    rng = np.random.default_rng(7)
    values, patients = rng.normal(size=100), rng.permutation(np.arange(100) % 9)
    found = bootstrap.quantile_interval(values, patients, 0.5)
    order = rng.permutation(100)
    assert found == bootstrap.quantile_interval(values[order], patients[order], 0.5)


def test_frames_of_one_patient_do_not_narrow_the_interval() -> None:
    """Every frame ten times over says nothing new."""
    rng = np.random.default_rng(8)
    values, patients = rng.normal(size=60), np.arange(60) % 12
    once = bootstrap.quantile_interval(values, patients, 0.5)
    assert once == bootstrap.quantile_interval(np.repeat(values, 10), np.repeat(patients, 10), 0.5)
