"""Plots of an evaluation, each with the numbers behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from hipseg.evaluation.aggregation import patient_means
from hipseg.evaluation.bootstrap import mean_interval
from hipseg.evaluation.plots import GREY, Look, new_figure, new_panels, to_svg
from hipseg.evaluation.report.wording import title_of
from hipseg.evaluation.values import MeasureValues

_JITTER_SEED = 5
_PANELS_A_ROW = 4
_PANEL_MM = 48.0


def per_case(values: MeasureValues, metric: str, unit: str = "1") -> str:
    """Every case as a point, and the mean over patients with its interval, structure by structure."""
    names = values.structures_with(metric, unit)
    figure, axes = new_figure(height_mm=26 + 9 * max(len(names), 2))
    rng = np.random.default_rng(_JITTER_SEED)
    labels = []
    for y, name in enumerate(names):
        rows = values.get(name, metric, unit)
        shifts = rng.uniform(-0.28, 0.28, len(rows))
        axes.scatter(rows["value"], y + shifts, s=9, alpha=0.4, c=Look.of(0).colour, linewidths=0)
        means = patient_means(rows).to_numpy(np.float64)
        low, high = mean_interval(means) or (np.nan, np.nan)
        axes.plot([low, high], [y, y], color="black", linestyle="-", marker="|", markersize=8)
        axes.scatter([means.mean()], [y], c="black", marker="D", s=22, zorder=4)
        labels.append(f"{title_of(name)}\n{len(rows)} cases, {len(means)} patients")
    axes.set_yticks(range(len(names)), labels)
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.set_xlabel(title_of(metric) if unit == "1" else f"{title_of(metric)}, {unit}")
    return to_svg(figure)


def cumulative(errors: Mapping[str, npt.NDArray[np.float64]], totals: Mapping[str, int], unit: str) -> str:
    """Share of all frames that show a tip whose reported tip lies within each distance.

    Args:
        errors: distances by series; tips that were not reported have none and count as beyond every distance.
        totals: frames that show a tip, by series.
        unit: of the distances.
    """
    figure, axes = new_figure(height_mm=75)
    reach = 1.1 * max(float(np.quantile(each, 0.95)) for each in errors.values() if len(each))
    for k, (name, each) in enumerate(errors.items()):
        shares = np.arange(1, len(each) + 1) / max(totals[name], len(each), 1)
        look = Look.of(k)
        axes.step([0, *np.sort(each)], [0, *shares], where="post", color=look.colour, linestyle=look.line, label=name)
    axes.set_xlim(0, max(reach, 1e-3))
    axes.set_ylim(0, 1)
    axes.set_xlabel(f"distance of the reported tip from the true one, {unit}")
    axes.set_ylabel("share of frames that show a tip")
    axes.legend(loc="lower right")
    return to_svg(figure)


def bland_altman(panels: Mapping[str, pd.DataFrame], figures: Mapping[str, Mapping[str, Any]]) -> str:
    """Reported minus true distance, one panel a quantity, with bias and limits of agreement.

    Args:
        panels: `difference` in mm, and `true` in mm where the true value is known, else the rows are numbered.
        figures: `figures.bland_altman_figure` of each.
    """
    figure, axes_of = new_panels(1, len(panels), height_mm=75, sharey=False)
    for axes, (name, rows) in zip(axes_of, panels.items(), strict=True):
        has_true = "true" in rows
        across = rows["true"] if has_true else np.arange(len(rows))
        axes.scatter(across, rows["difference"], s=9, alpha=0.6, c=Look.of(0).colour, linewidths=0)
        found = figures[name]
        for level, line in _levels(found):
            axes.axhline(level, color="black", linewidth=0.9, linestyle=line)
        axes.axhline(0, color=GREY, linewidth=0.6, linestyle="-")
        axes.set_title(f"{title_of(name)}\nn = {found['num_frames']} ({found['num_patients']} patients)", fontsize=8)
        axes.set_xlabel("true distance, mm" if has_true else "frames")
    axes_of[0].set_ylabel("reported - true, mm")
    return to_svg(figure)


def reliability(calibration: Mapping[str, Mapping[str, Any]]) -> str:
    """How often a structure is there where the model is so sure of it, a panel a structure."""
    rows = -(-len(calibration) // _PANELS_A_ROW)
    figure, panels = new_panels(
        rows, min(len(calibration), _PANELS_A_ROW), height_mm=10 + _PANEL_MM * rows, sharex=True, sharey=True
    )
    for axes, (name, found) in zip(panels, calibration.items(), strict=False):
        curve = found["reliability"]
        axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, linestyle="-")
        axes.plot(
            [point["confidence"] for point in curve],
            [point["frequency"] for point in curve],
            color=Look.of(0).colour,
            linestyle="-",
            marker="o",
            markersize=3,
        )
        axes.set_title(f"{title_of(name)}\n{found['num_patients']} patients", fontsize=8)
        axes.set_aspect("equal")
    for axes in panels[len(calibration) :]:
        axes.set_visible(False)
    figure.supxlabel("confidence", fontsize=9)
    figure.supylabel("frequency", fontsize=9)
    return to_svg(figure)


def roc(points: Sequence[Mapping[str, float]], figure_of_area: Mapping[str, Any]) -> str:
    """Hip views recognised against other images taken for one."""
    figure, axes = new_figure(width_mm=85, height_mm=85)
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, linestyle="-")
    x, y = ([point[name] for point in points] for name in ("false_positive", "true_positive"))
    axes.step(x, y, where="post", color=Look.of(0).colour, linestyle="-")
    axes.set_xlabel(f"other images taken for a hip (n = {figure_of_area['num_negative']})")
    axes.set_ylabel(f"hip views recognised (n = {figure_of_area['num_positive']})")
    axes.set_aspect("equal")
    return to_svg(figure)


def _levels(found: Mapping[str, Any]) -> list[tuple[float, str]]:
    """Bias solid, limits dashed."""
    limits = [(float(limit), "--") for limit in found["limits"] or ()]
    return limits if found["bias"] is None else [(float(found["bias"]), "-"), *limits]
