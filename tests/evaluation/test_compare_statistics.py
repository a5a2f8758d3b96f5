"""Comparisons: statistics with closed-form answers, pairs by case, and refusals of what cannot be compared."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hipseg.errors import UsageError
from hipseg.evaluation.compare.pairing import Side, named_sides, pair
from hipseg.evaluation.compare.scores import scores_of
from hipseg.evaluation.compare.statistics import Difference, differences, holm, rank_biserial, signed_rank_p
from hipseg.evaluation.results import Results


def results(
    dice: Mapping[str, float], *, split: str = "test", data: str = "drawn", sha256: str = "1", patients: int = 2
) -> Results:
    """One Dice a case; cases c0, c1 ... belong to `patients` patients in turn."""
    cases = [
        {"case": case, "clip": case, "patient": f"p{k % patients}", "split": split, "status": "ok"}
        for k, case in enumerate(dice)
    ]
    measures = [measure(case, "femoral_head", "dice", value) for case, value in dice.items()]
    return Results.of_rows(cases, measures, record={"data": {"name": data, "cases_sha256": sha256}})


def measure(case: str, structure: str, metric: str, value: float, unit: str = "1") -> dict[str, Any]:
    return {"case": case, "structure": structure, "metric": metric, "unit": unit, "value": value}


def compared(baseline: Results, *others: Results) -> list[Difference]:
    first = Side("a", baseline)
    return differences([pair(first, Side(f"b{k}", other)) for k, other in enumerate(others)])


def many(values: Sequence[float]) -> dict[str, float]:
    return {f"c{k}": value for k, value in enumerate(values)}


def test_holm_gives_the_textbook_example() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_never_rejects_less_than_bonferroni_nor_more_than_no_correction(p_values: list[float]) -> None:
    adjusted = np.array(holm(p_values))
    raw = np.array(p_values)
    assert (adjusted >= raw - 1e-12).all()
    assert (adjusted <= np.minimum(raw * len(raw), 1) + 1e-12).all()


def test_six_patients_that_all_gain_have_the_smallest_exact_p() -> None:
    assert signed_rank_p(np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])) == pytest.approx(2 / 2**6)


def test_signed_rank_p_is_the_share_of_sign_patterns_at_least_as_extreme() -> None:
    gains = np.array([0.3, -0.1, 0.25, 0.7, -0.2, 0.4, 0.15])
    ranks = np.argsort(np.argsort(np.abs(gains))) + 1
    seen = abs((ranks * np.sign(gains)).sum())
    patterns = [abs((ranks * signs).sum()) for signs in itertools.product((-1, 1), repeat=len(gains))]
    assert signed_rank_p(gains) == pytest.approx(np.mean(np.array(patterns) >= seen))


def test_rank_biserial_spans_from_all_worse_to_all_better() -> None:
    assert rank_biserial(np.array([0.1, 0.2])) == 1.0
    assert rank_biserial(np.array([-0.1, -0.2, 0.0])) == -1.0
    assert rank_biserial(np.array([1.0, -2.0])) == pytest.approx((1 - 2) / 3)
    assert rank_biserial(np.zeros(4)) is None
    assert signed_rank_p(np.zeros(4)) is None


def test_a_constant_gain_is_found_exactly() -> None:
    dice = np.linspace(0.2, 0.8, 12)
    (found,) = compared(results(many(dice), patients=12), results(many(dice + 0.1), patients=12))
    assert found.difference == pytest.approx(0.1)
    assert found.interval == pytest.approx((0.1, 0.1))
    assert (found.wins, found.losses, found.ties) == (12, 0, 0)
    assert (found.num_cases, found.num_patients) == (12, 12)
    assert found.effect == 1.0
    assert found.p_value == pytest.approx(2 / 2**12)


def test_patients_weigh_alike_however_many_frames_they_have() -> None:
    cases = [{"case": f"c{k}", "clip": f"c{k}", "patient": "many" if k else "one", "status": "ok"} for k in range(10)]
    sides = [
        Results.of_rows(cases, [measure(f"c{k}", "needle", "dice", 0.5 if k else value) for k in range(10)])
        for value in (0.5, 0.9)
    ]
    (found,) = compared(*sides)
    assert found.difference == pytest.approx(0.2)
    assert found.interval is None, "two patients say nothing about the next one"


def test_a_smaller_distance_is_a_gain() -> None:
    cases = [{"case": f"c{k}", "clip": f"c{k}", "patient": f"p{k}", "status": "ok"} for k in range(5)]
    sides = [
        Results.of_rows(cases, [measure(f"c{k}", "femoral_head", "hd95", value + k, "mm") for k in range(5)])
        for value in (4.0, 3.0)
    ]
    (found,) = compared(*sides)
    assert (found.difference, found.effect, found.wins) == (pytest.approx(-1.0), 1.0, 5)


def test_correction_counts_every_candidate_and_structure_of_a_metric() -> None:
    dice = many(np.linspace(0.1, 0.6, 6))
    better = {case: value + 0.01 * (k + 1) for k, (case, value) in enumerate(dice.items())}
    found = compared(results(dice, patients=6), *(results(better, patients=6) for _ in range(3)))
    assert [each.p_holm for each in found] == pytest.approx([3 * 2 / 2**6] * 3)


def test_scores_are_made_of_pairs_and_signed_errors_lose_their_sign() -> None:
    measures = [
        measure("c0", "needle", "present_reference", 1),
        measure("c0", "needle", "present_predicted", 0),
        measure("c0", "needle", "tip_present", 1),
        measure("c0", "needle", "tip_reported", 1),
        measure("c1", "needle", "tip_present", 0),
        measure("c1", "needle", "tip_reported", 1),
        measure("c0", "femoral_vein", "clearance_error", -2.5, "mm"),
    ]
    cases = [{"case": f"c{k}", "clip": f"c{k}", "patient": "p", "status": "ok"} for k in range(2)]
    scores = scores_of(Results.of_rows(cases, measures)).set_index("metric")["value"].to_dict()
    assert scores == {"presence_correct": 0.0, "tip_found": 1.0, "clearance_error": 2.5}


def test_only_common_cases_count_and_the_others_are_named() -> None:
    pairs = pair(Side("a", results(many([0.1] * 4))), Side("b", results({"c0": 0.2, "c1": 0.3, "d": 0.9}, patients=2)))
    assert (pairs.cases, pairs.only_baseline, pairs.only_candidate) == (["c0", "c1"], ["c2", "c3"], ["d"])
    assert len(pairs.values) == 2


def test_a_case_that_one_side_excluded_is_no_pair() -> None:
    partial = results(many([0.1, 0.2]))
    partial.cases.loc[1, "status"] = "no prediction"
    pairs = pair(Side("a", results(many([0.1, 0.2]))), Side("b", partial))
    assert (pairs.cases, pairs.only_baseline) == (["c0"], ["c1"])


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (results({"d0": 0.5, "d1": 0.4}), "no case in common"),
        (results(many([0.1, 0.2]), data="elsewhere"), "different data"),
        (results(many([0.1, 0.2]), sha256="2"), "changed in between"),
        (results(many([0.1, 0.2]), split="train"), "patient 'p0' lies in the splits test and train"),
        (results(many([0.1, 0.2]), patients=1), "case 'c1' is of patient 'p1' in one and 'p0' in the other"),
    ],
)
def test_what_cannot_be_compared_is_refused(other: Results, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        pair(Side("a", results(many([0.1, 0.2]))), Side("b", other))


def test_a_part_of_several_data_sets_that_changed_is_noticed() -> None:
    sides = []
    for k, sha256 in enumerate(("1", "2")):
        one = results(many([0.1, 0.2]))
        one.record["data"] = {"name": "a+b", "parts": {"a": {"cases_sha256": "0"}, "b": {"cases_sha256": sha256}}}
        sides.append(Side(f"s{k}", one))
    with pytest.raises(UsageError, match="changed in between"):
        pair(*sides)


def test_sides_of_one_name_are_numbered() -> None:
    one = results(many([0.1]))
    assert [side.name for side in named_sides(["x", "x", "y"], [one, one, one])] == ["x", "x (2)", "y"]
