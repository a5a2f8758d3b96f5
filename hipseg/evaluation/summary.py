"""From rows a case to figures a test set: frame to patient to set, each figure with its number of cases."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from hipseg.anatomy import STRUCTURES
from hipseg.evaluation.cases import CaseResult

FOUND_COVERAGE = 0.5
"""A bone is found when half of its visible cortex is covered."""


def summarise(results: Sequence[CaseResult], view_thresholds: tuple[float, float]) -> dict[str, Any]:
    """The figures of a test set; nothing is averaged over an empty set, null stands there.

    Args:
        results: rows of `evaluate_cases`.
        view_thresholds: of the model's contract: below the first unrecognised, from the second on recognised.
    """
    names = list(dict.fromkeys(name for result in results for name in result.overlaps))
    return {
        "num_cases": len(results),
        "num_patients": len({result.case.patient for result in results}),
        "structures": {name: _structure(results, name) for name in names},
        "cortex": {
            structure.name: _cortex(results, structure.name)
            for structure in STRUCTURES
            if _has_cortex(results, structure.name)
        },
        "needle_tip": _tip(results),
        "view": _view(results, view_thresholds),
    }


def by_patient(values: Iterable[tuple[str, float]]) -> dict[str, Any]:
    """Mean over patients of each patient's mean: neighbouring frames of one person are not independent."""
    grouped: dict[str, list[float]] = defaultdict(list)
    for patient, value in values:
        grouped[patient].append(value)
    means = [float(np.mean(group)) for group in grouped.values()]
    frames = [value for group in grouped.values() for value in group]
    return {
        "mean": _rounded(np.mean(means)) if means else None,
        "median_frame": _rounded(np.median(frames)) if frames else None,
        "num_frames": len(frames),
        "num_patients": len(means),
    }


def _structure(results: Sequence[CaseResult], name: str) -> dict[str, Any]:
    rows = [(result.case.patient, result.overlaps[name]) for result in results if name in result.overlaps]
    present = [row for _, row in rows if row.reference_px]
    absent = [row for _, row in rows if not row.reference_px]
    return {
        "dice": by_patient((patient, row.dice) for patient, row in rows if row.dice is not None),
        "sensitivity": _share(row.predicted_px > 0 for row in present),
        "specificity": _share(row.predicted_px == 0 for row in absent),
    }


def _has_cortex(results: Sequence[CaseResult], name: str) -> bool:
    return any(name in result.cortex for result in results)


def _cortex(results: Sequence[CaseResult], name: str) -> dict[str, Any]:
    rows = [(result.case.patient, result.cortex[name]) for result in results if name in result.cortex]
    return {
        "found": _share(row.covered >= FOUND_COVERAGE for _, row in rows),
        "distance_mm": by_patient((patient, row.distance_mm) for patient, row in rows if row.distance_mm is not None),
    }


def _tip(results: Sequence[CaseResult]) -> dict[str, Any]:
    tips = [result.tip for result in results if result.tip is not None]
    errors_mm = [tip.error for tip in tips if tip.error is not None and tip.in_mm]
    return {
        "found": _share(tip.reported for tip in tips if tip.present),
        "falsely_reported": _share(tip.reported for tip in tips if not tip.present),
        "error_mm": {
            "median": _rounded(np.median(errors_mm)) if errors_mm else None,
            "p95": _rounded(np.percentile(errors_mm, 95)) if errors_mm else None,
            "num": len(errors_mm),
        },
    }


def _view(results: Sequence[CaseResult], thresholds: tuple[float, float]) -> dict[str, Any]:
    unrecognised_below, recognised_from = thresholds
    hip = [result.view_score for result in results if result.case.hip_view is True]
    other = [result.view_score for result in results if result.case.hip_view is False]
    return {
        "hip_recognised": _share(score >= recognised_from for score in hip),
        "other_unrecognised": _share(score < unrecognised_below for score in other),
    }


def _share(flags: Iterable[bool]) -> dict[str, Any]:
    values = list(flags)
    return {"share": _rounded(np.mean(values)) if values else None, "num": len(values)}


def _rounded(value: Any) -> float:
    return round(float(value), 4)
