"""From tables to the figures of a test set, as they stand in JSON, cards and reports.

Every figure is computed from `Results` alone, so that tables of last year give the same figures as those of today.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd

from hipseg.evaluation.figures import (
    Figure,
    area_figure,
    bland_altman_figure,
    calibration_figure,
    mean_figure,
    quantile_figure,
    rounded,
    share_figure,
)
from hipseg.evaluation.measures.calibration import NUM_BINS
from hipseg.evaluation.measures.vocabulary import VESSELS_NAME
from hipseg.evaluation.results import Results
from hipseg.evaluation.subgroups import subgroup_figures
from hipseg.evaluation.values import MeasureValues, in_scheme_order

WITHIN_MM = (1, 2, 3)
UNSAFE_MM = 1.0
"""A clearance told this much too large is counted as unsafe."""
OVERLAP = ("dice", "iou", "cldice", "nsd")
DISTANCE = ("hd95", "assd")
AVOIDED = ("femoral_artery", "femoral_vein", "femoral_nerve")


def summarise(results: Results, view_thresholds: tuple[float, float] | None) -> dict[str, Any]:
    """The figures of a test set.

    Args:
        results: tables of an evaluation.
        view_thresholds: unrecognised below the first, recognised from the second; None without a view score.
    """
    values = MeasureValues(results)
    return {
        "num_cases": len(results.measured),
        "num_clips": int(results.measured["clip"].nunique()),
        "num_patients": int(results.measured["patient"].nunique()),
        "excluded": {"num": len(results.excluded), "reasons": _counts(results.excluded["status"])},
        "num_without_spacing": int(results.measured["spacing_row_mm"].isna().sum()),
        "structures": {name: _structure(values, name) for name in values.structures_with("present_reference")},
        "cortex": {name: _cortex(values, name) for name in values.structures_with("cortex_found")},
        "needle_tip": _tip(values, ""),
        "guidance": _guidance(values),
        "neck_capsule_distance": _joint(values),
        "view": _view(values, view_thresholds),
        "calibration": _calibration(results),
        "stability": _stability(values),
        "subgroups": subgroup_figures(values),
    }


def _structure(values: MeasureValues, name: str) -> Figure:
    """Overlap and surfaces where the reference has the structure; whether it is seen at all apart from that."""
    drawn, present = values.get(name, "present_predicted"), values.get(name, "present_reference")
    truly = drawn["case"].map(present.set_index("case")["value"]) != 0
    absent = drawn[~truly]
    figures = {metric: mean_figure(values.get(name, metric)) for metric in OVERLAP if values.has(name, metric)}
    return {
        "dice": mean_figure(values.get(name, "dice")),
        **figures,
        **_by_unit(values, name, DISTANCE, mean_figure),
        "sensitivity": share_figure(drawn[truly]),
        "specificity": share_figure(absent.assign(value=(absent["value"] == 0).astype(float))),
        "num_present": int(truly.sum()),
        "num_absent": len(absent),
    }


def _by_unit(
    values: MeasureValues, name: str, metrics: tuple[str, ...], figure: Callable[[pd.DataFrame], Figure]
) -> Figure:
    """Millimetres and pixels are never averaged together: each unit has its own figure."""
    return {
        f"{metric}_{unit}": figure(values.get(name, metric, unit))
        for metric in metrics
        for unit in ("mm", "px")
        if values.has(name, metric, unit)
    }


def _cortex(values: MeasureValues, name: str) -> Figure:
    return {
        "found": share_figure(values.get(name, "cortex_found")),
        "covered": mean_figure(values.get(name, "cortex_covered")),
        "distance_mm": mean_figure(values.get(name, "cortex_distance", "mm")),
        "assd_mm": mean_figure(values.get(name, "cortex_assd", "mm")),
    }


def _tip(values: MeasureValues, prefix: str) -> Figure:
    """Found where there is one, reported where there is none, and how far off."""
    reported = values.get("needle", f"{prefix}tip_reported")
    present = values.get("needle", f"{prefix}tip_present").set_index("case")["value"]
    truly = reported["case"].map(present) != 0
    return {
        "found": share_figure(reported[truly]),
        "falsely_reported": share_figure(reported[~truly]),
        "error_mm": {"num": 0} | _error(values.get("needle", f"{prefix}tip_error", "mm"), WITHIN_MM),
        **_by_unit_px(values, f"{prefix}tip_error"),
    }


def _by_unit_px(values: MeasureValues, metric: str) -> Figure:
    return {"error_px": _error(values.get("needle", metric, "px"))} if values.has("needle", metric, "px") else {}


def _error(errors: pd.DataFrame, within: tuple[int, ...] = ()) -> Figure:
    """Median, 95th percentile and shares within bounds of errors, each with its interval."""
    median, p95 = quantile_figure(errors, 0.5), quantile_figure(errors, 0.95)
    shares = {f"within_{bound}": share_figure(errors.assign(value=errors["value"] <= bound)) for bound in within}
    return {
        "median": median["value"],
        "median_interval": median["interval"],
        "p95": p95["value"],
        "p95_interval": p95["interval"],
        **shares,
        "num": len(errors),
        "num_patients": median["num_patients"],
    }


def _guidance(values: MeasureValues) -> Figure:
    """What reaches the operator."""
    return {
        "needle_tip": _tip(values, "guided_"),
        "angle_deg": _error(values.get("needle", "angle_error", "deg")),
        "miss_at_target_mm": _error(values.get("needle", "miss_at_target", "mm"), WITHIN_MM),
        "clearance": {name: _clearance(values, name) for name in AVOIDED if values.has(name, "clearance_reported")},
        "path_clearance": _clearance(values, VESSELS_NAME, "path_clearance"),
    }


def _clearance(values: MeasureValues, name: str, metric: str = "clearance") -> Figure:
    """Signed: a positive error says that the vessel is further away than it is."""
    errors = values.get(name, f"{metric}_error", "mm")
    return {
        "reported": share_figure(values.get(name, f"{metric}_reported")),
        "error_mm": bland_altman_figure(errors),
        "worst_overestimate_p95_mm": quantile_figure(errors, 0.95),
        f"overestimated_by_{UNSAFE_MM:g}_mm": share_figure(errors.assign(value=errors["value"] > UNSAFE_MM)),
    }


def _joint(values: MeasureValues) -> Figure:
    name = "neck_capsule_distance"
    return {
        "reported": share_figure(values.get("joint", f"{name}_reported")),
        "error_mm": bland_altman_figure(values.get("joint", f"{name}_error", "mm")),
    }


def _view(values: MeasureValues, thresholds: tuple[float, float] | None) -> Figure:
    scores = values.get("view", "score")
    hip, other = scores[scores["hip_view"].eq(True)], scores[scores["hip_view"].eq(False)]
    low, high = thresholds or (0.0, 0.0)
    return {
        "hip_recognised": share_figure(hip.assign(value=(hip["value"] >= high).astype(float))),
        "other_unrecognised": share_figure(other.assign(value=(other["value"] < low).astype(float))),
        "auc": area_figure(hip, other),
        "roc": _roc(hip, other),
    }


def _roc(hip: pd.DataFrame, other: pd.DataFrame) -> list[dict[str, float]]:
    """Points of the curve, from (0, 0) on; empty where one side is."""
    if hip.empty or other.empty:
        return []
    from sklearn.metrics import roc_curve

    truth = [1] * len(hip) + [0] * len(other)
    false, true, thresholds = roc_curve(truth, [*hip["value"], *other["value"]])
    return [
        {"false_positive": rounded(x), "true_positive": rounded(y), "threshold": rounded(min(threshold, 1.0))}
        for x, y, threshold in zip(false, true, thresholds, strict=True)
    ]


def _calibration(results: Results) -> Figure:
    bins = results.calibration.merge(results.measured[["case", "patient"]], on="case")
    names = in_scheme_order(set(bins["structure"]))
    return {name: calibration_figure(bins[bins["structure"] == name], NUM_BINS) for name in names}


def _stability(values: MeasureValues) -> Figure:
    names = values.structures_with("flicker")
    flicker = {
        name: {metric: mean_figure(values.get(name, metric)) for metric in ("flicker", "presence_flip")}
        for name in names
    }
    jitter = ("tip_jitter_at_rest", "guided_tip_jitter_at_rest")
    return {"structures": flicker, "needle": _by_unit(values, "needle", jitter, mean_figure)}


CURVES = ("reliability", "roc")


def without_curves(figures: Any) -> Any:
    """The figures without curves and subgroups: what a model carries in its own file."""
    if not isinstance(figures, dict):
        return figures
    return {key: without_curves(value) for key, value in figures.items() if key not in (*CURVES, "subgroups")}


def _counts(statuses: pd.Series) -> dict[str, int]:
    return {str(reason): int(count) for reason, count in sorted(statuses.value_counts().items())}
