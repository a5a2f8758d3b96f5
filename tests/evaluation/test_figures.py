"""Figures of a set of cases: averages by patient, agreement, ROC, and nothing over an empty set."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hipseg.evaluation.aggregation import by_clip, by_patient
from hipseg.evaluation.figures import agreement, area_figure, bland_altman_figure, mean_figure, share_figure
from hipseg.evaluation.results import Results
from hipseg.evaluation.summary import summarise, without_curves


def values(rows: list[tuple[str, str, float]]) -> pd.DataFrame:
    """Rows of patient, clip and value."""
    frame = pd.DataFrame(rows, columns=["patient", "clip", "value"])
    return frame.assign(case=[str(number) for number in range(len(frame))])


def test_a_long_clip_counts_no_more_than_a_short_one() -> None:
    rows = [("a", "a1", 1.0)] * 98 + [("a", "a2", 0.0)] * 2 + [("b", "b1", 0.0)] * 5
    figure = mean_figure(values(rows))
    assert figure["mean"] == 0.25  # patient a: (1 + 0) / 2; patient b: 0
    assert figure["median_frame"] == 1.0
    assert (figure["num_frames"], figure["num_clips"], figure["num_patients"]) == (105, 3, 2)


def test_nothing_is_averaged_over_an_empty_set() -> None:
    empty = values([])
    assert mean_figure(empty)["mean"] is None
    assert share_figure(empty) == {"share": None, "interval": None, "patient_mean": None, "num": 0, "num_patients": 0}
    assert bland_altman_figure(empty)["bias"] is None
    assert area_figure(empty, empty)["value"] is None
    nothing = Results.of_rows([{"case": "a", "clip": "a", "patient": "p", "status": "ok"}], [])
    found = summarise(nothing, (0.3, 0.5))
    assert (found["num_cases"], found["structures"], found["view"]["auc"]["value"]) == (1, {}, None)
    assert "roc" not in without_curves(found)["view"]


def test_agreement_of_one_difference_a_patient_is_the_plain_one() -> None:
    differences = np.random.default_rng(0).normal(0.5, 2.0, 30)
    found = agreement(differences, np.arange(30))
    assert found.bias == pytest.approx(differences.mean())
    assert found.deviation == pytest.approx(differences.std(ddof=1))


def test_agreement_of_several_differences_a_patient_counts_both_scatters() -> None:
    """Patients scatter by 2, their measurements by 1: single differences scatter by the root of 5."""
    rng = np.random.default_rng(1)
    patients = np.repeat(np.arange(2000), rng.integers(1, 6, 2000))
    differences = 0.3 + rng.normal(0, 2, 2000)[patients] + rng.normal(0, 1, len(patients))
    found = agreement(differences, patients)
    assert found.deviation == pytest.approx(np.sqrt(5), rel=0.05)
    assert found.limits is not None
    assert found.limits[1] - found.limits[0] == pytest.approx(2 * 1.96 * np.sqrt(5), rel=0.05)
    assert agreement(differences[:1], patients[:1]).limits is None


def test_scores_apart_have_an_area_of_one() -> None:
    high = values([(f"h{index}", f"h{index}", 0.9) for index in range(6)])
    low = values([(f"l{index}", f"l{index}", 0.1) for index in range(6)])
    assert area_figure(high, low)["value"] == 1.0
    assert area_figure(high, low)["interval"] is None
    assert area_figure(low, high)["value"] == 0.0
    assert area_figure(high, high)["value"] == 0.5


def test_tables_of_clips_and_patients_are_means_of_the_level_below() -> None:
    cases = [{"case": f"c{k}", "clip": f"clip{k // 2}", "patient": "p", "status": "ok"} for k in range(4)]
    cases.append({"case": "left out", "clip": "clip9", "patient": "q", "status": "no prediction"})
    measures = [
        {"case": f"c{k}", "structure": "needle", "metric": "dice", "unit": "1", "value": v}
        for k, v in enumerate((0.0, 1.0, 1.0, 1.0))
    ]
    clips = by_clip(Results.of_rows(cases, measures))
    assert clips["value"].tolist() == [0.5, 1.0]
    patients = by_patient(clips)
    assert patients["value"].tolist() == [0.75]
    assert patients[["num_clips", "num_cases"]].to_numpy().tolist() == [[2, 4]]
