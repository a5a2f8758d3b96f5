"""Plots of a comparison: differences with their intervals, and every case by itself."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from hipseg.evaluation.compare.pairing import Pairs
from hipseg.evaluation.compare.statistics import Difference
from hipseg.evaluation.plots import GREY, Look, new_figure, new_panels, to_svg
from hipseg.evaluation.report.wording import title_of
from hipseg.evaluation.values import in_scheme_order

_COLUMNS = 4
_ROW_MM, _PANEL_MM = 7.0, 46.0
_MARGIN_MM = 24.0


def forest(found: Sequence[Difference], metric: str) -> str:
    """Difference of one metric by structure, a mark a candidate, with 95 % intervals; right of zero is more.

    Args:
        found: differences; those of other metrics are passed over.
        metric: to show.
    """
    shown = [each for each in found if each.metric == metric]
    names = in_scheme_order({each.structure for each in shown})
    candidates = list(dict.fromkeys(each.candidate for each in shown))
    height_mm = _MARGIN_MM + _ROW_MM * max(len(names) * len(candidates), 2)
    figure, axes = new_figure(height_mm=height_mm)
    axes.axvline(0, color=GREY, linewidth=0.8, linestyle="-")
    for k, candidate in enumerate(candidates):
        look, shift = Look.of(k), 0.6 * (k + 0.5) / len(candidates) - 0.3
        rows = [each for each in shown if each.candidate == candidate]
        for each in rows:
            y = names.index(each.structure) + shift
            low, high = each.interval or (math.nan, math.nan)
            axes.plot([low, high], [y, y], color=look.colour, linestyle="-", marker="|", markersize=5)
        heights = [names.index(each.structure) + shift for each in rows]
        axes.scatter([each.difference for each in rows], heights, c=look.colour, marker=look.marker, label=candidate)
    labels = [f"{title_of(name)} (n = {_num_patients(shown, name)})" for name in names]
    axes.set_yticks(range(len(names)), labels)
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.set_xlabel(f"difference in {title_of(metric)} to {shown[0].baseline}, mean over patients")
    axes.legend(loc="best")
    return to_svg(figure)


def scatter(pairs: Pairs, metric: str) -> str:
    """Both values of every case, a panel a structure; above the line the candidate has more."""
    values = pairs.values[pairs.values["metric"] == metric]
    names = in_scheme_order(set(values["structure"]))
    rows = -(-len(names) // _COLUMNS)
    figure, panels = new_panels(rows, min(len(names), _COLUMNS), height_mm=10 + _PANEL_MM * rows)
    for axes, name in zip(panels, names, strict=False):
        cases = values[values["structure"] == name]
        ends = _ends(cases)
        axes.plot(ends, ends, color=GREY, linewidth=0.8, linestyle="-")
        axes.scatter(cases["baseline"], cases["candidate"], s=9, alpha=0.6, c=Look.of(0).colour, linewidths=0)
        axes.set_title(f"{title_of(name)}, n = {len(cases)}", fontsize=8)
        axes.set_aspect("equal")
        axes.set_xlim(*ends)
        axes.set_ylim(*ends)
    for axes in panels[len(names) :]:
        axes.set_visible(False)
    figure.supxlabel(f"{title_of(metric)}, {pairs.baseline}", fontsize=9)
    figure.supylabel(f"{title_of(metric)}, {pairs.candidate}", fontsize=9)
    return to_svg(figure)


def waterfall(pairs: Pairs, metric: str) -> str:
    """The change of every case, mean over its structures, in order: how many gain, how many lose, how much."""
    changes = np.sort(case_changes(pairs, metric).to_numpy())
    figure, axes = new_figure(height_mm=60)
    gains, losses = Look.of(0), Look.of(1)
    axes.bar(range(len(changes)), changes, width=1.0, color=np.where(changes >= 0, gains.colour, losses.colour))
    axes.axhline(0, color=GREY, linewidth=0.8, linestyle="-")
    axes.set_xlabel(f"{len(changes)} cases, in the order of their change")
    axes.set_ylabel(f"change in {title_of(metric)}")
    axes.grid(visible=False, axis="x")
    return to_svg(figure)


def case_changes(pairs: Pairs, metric: str) -> pd.Series:
    """Candidate minus baseline by case, mean over its structures."""
    values = pairs.values[pairs.values["metric"] == metric]
    return (values["candidate"] - values["baseline"]).groupby(values["case"], sort=True).mean()


def _num_patients(shown: Sequence[Difference], name: str) -> int:
    return max(each.num_patients for each in shown if each.structure == name)


def _ends(cases: pd.DataFrame) -> tuple[float, float]:
    """Shares from 0 to 1, other metrics as far as they go, with a little room."""
    highest = float(cases[["baseline", "candidate"]].to_numpy().max(initial=0.0))
    lowest = float(cases[["baseline", "candidate"]].to_numpy().min(initial=0.0))
    if highest <= 1.0 and (cases["unit"] == "1").all():
        highest = 1.0
    room = 0.03 * max(highest - lowest, 1e-6)
    return lowest - room, highest + room
