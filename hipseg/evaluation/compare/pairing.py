"""Lays two evaluations side by side, case by case, or refuses where that would mean nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from hipseg.errors import UsageError
from hipseg.evaluation.compare.scores import scores_of
from hipseg.evaluation.results import Results

_KEYS = ["case", "structure", "metric", "unit"]
_CHECKSUMS = ("cases_sha256", "truth_sha256")
_SAME = "evaluations of the same data"


@dataclass(frozen=True)
class Side:
    """One evaluation and the name it goes by in a comparison."""

    name: str
    results: Results


@dataclass(frozen=True)
class Pairs:
    """What two evaluations both measured.

    Attributes:
        baseline, candidate: their names.
        values: a row a case and metric: case, clip, patient, structure, metric, unit, baseline, candidate.
        cases: that both judged, in the order of the baseline.
        only_baseline, only_candidate: cases that one of them did not judge; they count for neither.
    """

    baseline: str
    candidate: str
    values: pd.DataFrame
    cases: list[str]
    only_baseline: list[str]
    only_candidate: list[str]


def pair(baseline: Side, candidate: Side) -> Pairs:
    """The common cases of two evaluations with both values of every metric.

    Raises:
        UsageError: other data, another truth of the same data, no case in common, or a patient who lies in different
            splits on the two sides.
    """
    _refuse_other_data(baseline, candidate)
    first, second = (side.results.measured for side in (baseline, candidate))
    common = [case for case in first["case"] if case in set(second["case"])]
    _refuse_split_patients(baseline, candidate)
    if not common:
        what = f"no case in common ({len(first)} and {len(second)} cases)"
        raise UsageError(what, where=_both(baseline, candidate), expected=_SAME)
    _refuse_other_patients(baseline, candidate, common)
    values = scores_of(baseline.results).merge(
        scores_of(candidate.results)[[*_KEYS, "value"]], on=_KEYS, suffixes=("", "_candidate")
    )
    return Pairs(
        baseline.name,
        candidate.name,
        values.rename(columns={"value": "baseline", "value_candidate": "candidate"}),
        common,
        sorted(set(first["case"]) - set(common)),
        sorted(set(second["case"]) - set(common)),
    )


def named_sides(names: Sequence[str], results: Sequence[Results]) -> list[Side]:
    """Sides under names that differ: a name that stands twice gets a number."""
    sides: list[Side] = []
    for name, each in zip(names, results, strict=True):
        taken = {side.name for side in sides}
        free = next(label for label in (name, *(f"{name} ({k})" for k in range(2, 100))) if label not in taken)
        sides.append(Side(free, each))
    return sides


def _refuse_other_data(baseline: Side, candidate: Side) -> None:
    records = [side.results.record.get("data") or {} for side in (baseline, candidate)]
    names = [record.get("name") for record in records]
    if None not in names and names[0] != names[1]:
        what = f"made on different data ('{names[0]}' and '{names[1]}')"
        raise UsageError(what, where=_both(baseline, candidate), expected=_SAME)
    first, second = (dict(_checksums(record)) for record in records)
    if any(first[part] != second[part] for part in first.keys() & second.keys()):
        mend = "evaluate both again on one state of the data"
        raise UsageError("the data changed in between", where=_both(baseline, candidate), mend=mend)


def _checksums(record: Mapping[str, Any], part: str = "") -> Iterator[tuple[str, str]]:
    """Of the data, or of each data set where there are several."""
    yield from ((f"{part} {key}", record[key]) for key in _CHECKSUMS if record.get(key) is not None)
    for name, inner in (record.get("parts") or {}).items():
        yield from _checksums(inner, name)


def _refuse_split_patients(baseline: Side, candidate: Side) -> None:
    """A patient in the training split of one side and in the test split of the other tells nothing about either."""
    sides = [side.results.cases[["patient", "split"]] for side in (baseline, candidate)]
    splits = pd.concat(sides).dropna().drop_duplicates().groupby("patient")["split"].agg(lambda s: sorted(set(s)))
    torn = splits[splits.map(len) > 1]
    if len(torn):
        what = f"patient '{torn.index[0]}' lies in the splits {' and '.join(torn.iloc[0])}"
        raise UsageError(what, where=_both(baseline, candidate), expected="each patient in one split")


def _refuse_other_patients(baseline: Side, candidate: Side, common: Sequence[str]) -> None:
    first, second = (
        side.results.cases.set_index("case").loc[list(common), "patient"] for side in (baseline, candidate)
    )
    differs = first[(first != second).fillna(False)]
    if len(differs):
        case = differs.index[0]
        what = f"case '{case}' is of patient '{first[case]}' in one and '{second[case]}' in the other"
        raise UsageError(what, where=_both(baseline, candidate), expected=_SAME)


def _both(baseline: Side, candidate: Side) -> str:
    return f"{baseline.name} and {candidate.name}"
