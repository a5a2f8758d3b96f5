"""How much of its clean score each class keeps, grade by grade, and where it gives in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from hipseg.evaluation.aggregation import patient_means
from hipseg.evaluation.bootstrap import Floats, Interval, patient_interval
from hipseg.evaluation.figures import rounded
from hipseg.evaluation.robustness.corruptions import NUM_GRADES

KEPT_SHARE = 0.9
"""A class gives in at the first grade at which it keeps less than this share of its clean score."""


@dataclass(frozen=True, slots=True)
class Point:
    """One class at one grade.

    Attributes:
        grade: 0 is clean.
        score: mean over patients.
        clean: the clean score of the same cases: a crop may cut the class out of some.
        kept: score / clean, None where the clean score is 0.
        interval: of `kept`, patients resampled.
        num_cases, num_patients: behind it.
    """

    grade: int
    score: float
    clean: float
    kept: float | None
    interval: Interval | None
    num_cases: int
    num_patients: int

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "grade": self.grade,
            "score": rounded(self.score),
            "clean": rounded(self.clean),
            "kept": None if self.kept is None else rounded(self.kept),
            "interval": None if self.interval is None else [rounded(bound) for bound in self.interval],
            "num_cases": self.num_cases,
            "num_patients": self.num_patients,
        }


Curves = dict[str, dict[str, list[Point]]]
"""Points by corruption and structure, in the order of the grades; a grade that no case shows is left out."""


def curves_of(scores: pd.DataFrame) -> Curves:
    """The curve of every class under every corruption.

    Args:
        scores: as `run.measure_robustness` gives them.
    """
    curves: Curves = {}
    for (corruption, structure), rows in scores.groupby(["corruption", "structure"], sort=False):
        clean = rows[rows["grade"] == 0][["case", "score"]]
        together = rows.merge(clean, on="case", suffixes=("", "_clean"))
        grades = [together[together["grade"] == grade] for grade in range(NUM_GRADES + 1)]
        points = [_point(grade, found) for grade, found in enumerate(grades) if len(found)]
        curves.setdefault(str(corruption), {})[str(structure)] = points
    return curves


def gives_in_at(points: list[Point]) -> int | None:
    """The first grade below `KEPT_SHARE` of the clean score; None where there is none, or no clean score."""
    return next((point.grade for point in points if point.kept is not None and point.kept < KEPT_SHARE), None)


def curves_record(curves: Curves) -> Mapping[str, Any]:
    """For JSON: the points and the grade of giving in."""
    return {
        corruption: {
            structure: {"points": [point.to_dict() for point in points], "gives_in_at": gives_in_at(points)}
            for structure, points in of_structure.items()
        }
        for corruption, of_structure in curves.items()
    }


def _point(grade: int, rows: pd.DataFrame) -> Point:
    scores, clean = (
        patient_means(rows.assign(value=rows[column])).to_numpy(np.float64) for column in ("score", "score_clean")
    )
    kept = float(scores.mean() / clean.mean()) if clean.mean() > 0 else None

    def share(weights: Floats) -> Floats:
        bottom: Floats = weights @ clean
        shares: Floats = np.divide(weights @ scores, bottom, out=np.full_like(bottom, np.nan), where=bottom > 0)
        return shares

    interval = patient_interval(share, len(scores)) if kept is not None and grade else None
    return Point(grade, float(scores.mean()), float(clean.mean()), kept, interval, len(rows), len(scores))
