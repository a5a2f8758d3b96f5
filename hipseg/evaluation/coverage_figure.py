"""The picture of how often intervals hold the truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hipseg.evaluation.bootstrap import LEVEL
from hipseg.evaluation.plots import GREY, Look, new_figure, to_svg

ACCEPTED = (0.92, 0.97)
"""Shares between which 95 % intervals are taken to keep their promise."""
_WORDS = {"patient": "patients resampled", "frame": "frames resampled"}


def coverage_svg(rows: Sequence[Mapping[str, Any]]) -> str:
    """Share of studies whose interval of the mean held the truth, by number of patients.

    Args:
        rows: of `coverage.coverage_table`.
    """
    figure, axes = new_figure(width_mm=150, height_mm=80)
    axes.axhspan(*ACCEPTED, color=GREY, alpha=0.2, linewidth=0, label="92-97 %")
    axes.axhline(LEVEL, color=GREY, linestyle="-", linewidth=0.8)
    for index, unit in enumerate(_WORDS):
        chosen = [row for row in rows if row["figure"] == "mean" and row["unit"] == unit]
        look = Look.of(index)
        axes.plot(
            [row["num_patients"] for row in chosen],
            [row["held"] for row in chosen],
            color=look.colour,
            linestyle=look.line,
            marker=look.marker,
            label=_WORDS[unit],
        )
    axes.set_xlabel("patients in a study")
    axes.set_ylabel("studies whose 95 % interval\nheld the true mean Dice")
    axes.set_ylim(0, 1)
    axes.legend(loc="center right")
    return to_svg(figure)
