"""Which way each metric is better, and the scores that a comparison is made on."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import pandas as pd

from hipseg.evaluation.results import Results

HIGHER, LOWER = 1, -1

DIRECTIONS: Mapping[str, int] = MappingProxyType(
    {
        "dice": HIGHER,
        "iou": HIGHER,
        "cldice": HIGHER,
        "nsd": HIGHER,
        "hd95": LOWER,
        "assd": LOWER,
        "presence_correct": HIGHER,
        "cortex_found": HIGHER,
        "cortex_covered": HIGHER,
        "cortex_distance": LOWER,
        "cortex_assd": LOWER,
        "tip_found": HIGHER,
        "tip_error": LOWER,
        "guided_tip_found": HIGHER,
        "guided_tip_error": LOWER,
        "angle_error": LOWER,
        "miss_at_target": LOWER,
        "clearance_reported": HIGHER,
        "clearance_error": LOWER,
        "path_clearance_reported": HIGHER,
        "path_clearance_error": LOWER,
        "neck_capsule_distance_reported": HIGHER,
        "neck_capsule_distance_error": LOWER,
        "flicker": LOWER,
        "presence_flip": LOWER,
        "tip_jitter_at_rest": LOWER,
        "guided_tip_jitter_at_rest": LOWER,
    }
)
"""Metrics that can be won or lost; others are left out of a comparison."""

_SIGNED = ("clearance_error", "path_clearance_error", "neck_capsule_distance_error")
"""Errors with a sign: compared by their size."""

_COLUMNS = ["case", "structure", "metric", "unit", "value"]


def scores_of(results: Results) -> pd.DataFrame:
    """Every value with a direction: columns case, clip, patient, structure, metric, unit, value.

    Two are made of pairs of measures: `presence_correct` (drawn where it is, not drawn where it is not) and `tip_found`
    (reported where there is one). Signed errors come as their absolute value.
    """
    measures = results.measures
    rows = measures[measures["metric"].isin(list(DIRECTIONS))].copy()
    signed = rows["metric"].isin(_SIGNED)
    rows.loc[signed, "value"] = rows.loc[signed, "value"].abs()
    derived = [_presence(measures), _tip_found(measures, ""), _tip_found(measures, "guided_")]
    together = pd.concat([rows, *derived], ignore_index=True)[_COLUMNS]
    return results.measured[["case", "clip", "patient"]].merge(together, on="case", how="inner")


def _presence(measures: pd.DataFrame) -> pd.DataFrame:
    both = _side_by_side(measures, "present_reference", "present_predicted")
    correct = (both["value_first"] == both["value_second"]).astype(float)
    return both.assign(metric="presence_correct", value=correct)


def _tip_found(measures: pd.DataFrame, prefix: str) -> pd.DataFrame:
    both = _side_by_side(measures, f"{prefix}tip_present", f"{prefix}tip_reported")
    shown = both[both["value_first"] != 0]
    return shown.assign(metric=f"{prefix}tip_found", value=shown["value_second"])


def _side_by_side(measures: pd.DataFrame, first: str, second: str) -> pd.DataFrame:
    columns = ["case", "structure", "unit", "value"]
    sides = [measures.loc[measures["metric"] == metric, columns] for metric in (first, second)]
    return sides[0].merge(sides[1], on=["case", "structure", "unit"], suffixes=("_first", "_second"))
