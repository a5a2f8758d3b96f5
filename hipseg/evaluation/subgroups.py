"""The main figures by subgroup: a mean over all patients may hide the ones it fails."""

from __future__ import annotations

from typing import Any

import pandas as pd

from hipseg.evaluation.figures import mean_figure, quantile_figure
from hipseg.evaluation.values import MeasureValues

DEPTH_BANDS_MM = ((0, 40), (40, 60), (60, 1000))
"""Image depths of a lean, an average and a large patient's hip (clinical convention, proposed by this project)."""
COLUMNS = ("view", "depth", "probe", "habitus", "effusion", "source", "device")
MEANS = ("dice", "cldice", "nsd", "hd95", "cortex_distance")
MEDIANS = ("tip_error", "guided_tip_error", "angle_error", "miss_at_target")


def subgroup_figures(values: MeasureValues) -> dict[str, Any]:
    """Figures by column and group; a column that nothing is known of is left out, unknown values are no group."""
    return {column: groups for column in COLUMNS if (groups := _groups(values, column))}


def group_names(cases: pd.DataFrame, column: str) -> pd.Series:
    """The group of each row in a column of `COLUMNS`, null where unknown."""
    if column != "depth":
        return cases[column].astype("string")
    names = pd.Series(pd.NA, index=cases.index, dtype="string")
    for low, high in DEPTH_BANDS_MM:
        inside = (cases["depth_mm"] >= low) & (cases["depth_mm"] < high)
        names[inside.fillna(False)] = _band(low, high)
    return names


def _band(low: int, high: int) -> str:
    if low == 0:
        return f"below {high} mm"
    return f"{low}-{high} mm" if high < DEPTH_BANDS_MM[-1][1] else f"from {low} mm"


def _groups(values: MeasureValues, column: str) -> dict[str, Any]:
    names = group_names(values.joined, column)
    found: dict[str, Any] = {}
    for name in sorted(names.dropna().unique()):
        rows = values.joined[(names == name).fillna(False)]
        found[str(name)] = {
            "num_cases": int(rows["case"].nunique()),
            "num_patients": int(rows["patient"].nunique()),
            "figures": _figures(rows),
        }
    return found


def _figures(rows: pd.DataFrame) -> dict[str, Any]:
    """By structure and metric: means over patients of scores and distances, medians over frames of errors."""
    chosen = rows[rows["metric"].isin((*MEANS, *MEDIANS))]
    figures: dict[str, Any] = {}
    for (structure, metric, unit), group in chosen.groupby(["structure", "metric", "unit"], sort=True):
        figure = mean_figure(group) if metric in MEANS else quantile_figure(group, 0.5)
        figures.setdefault(str(structure), {})[metric if unit == "1" else f"{metric}_{unit}"] = figure
    return figures
