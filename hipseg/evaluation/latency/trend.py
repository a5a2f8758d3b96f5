"""Does a figure grow with time? A slope with its noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

_MOST_BINS = 60
_FEWEST = 4
_MOST_POINTS = 200
_SECONDS_A_MINUTE = 60.0

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Trend:
    """Slope of a figure over time (Theil and Sen, of the medians of equal spans of time).

    Attributes:
        per_minute: of the figure's unit.
        low, high: its 95 % interval.
    """

    per_minute: float
    low: float
    high: float

    @property
    def is_growth(self) -> bool:
        """Whether the figure surely grows."""
        return self.low > 0

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        values = {name: float(f"{getattr(self, name):.4g}") for name in ("per_minute", "low", "high")}
        return {**values, "is_growth": self.is_growth}


def trend_of(times_s: Floats, values: Floats) -> Trend | None:
    """The slope of values over time; None of fewer than four spans.

    Args:
        times_s, values: one each, in order.
    """
    num_bins = min(_MOST_BINS, len(values) // 2)
    if num_bins < _FEWEST:
        return None
    parts = [np.median(part) for part in np.array_split(values, num_bins)]
    moments_s = [np.median(part) for part in np.array_split(times_s, num_bins)]
    slope, _, low, high = stats.theilslopes(parts, moments_s, alpha=0.95)
    return Trend(*(float(each) * _SECONDS_A_MINUTE for each in (slope, low, high)))


def course_of(times_s: Floats, values: Floats) -> dict[str, list[float]]:
    """How a figure went, for a plot: medians of equal spans of time.

    Args:
        times_s, values: one each, in order.
    """
    num_bins = max(min(_MOST_POINTS, len(values)), 1)
    columns = {"time_s": times_s, "value": values}
    return {
        name: [round(float(np.median(part)), 3) for part in np.array_split(column, num_bins) if len(part)]
        for name, column in columns.items()
    }
