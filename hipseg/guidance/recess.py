"""The recess over time: it widens when fluid flows into the joint."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hipseg.guidance.config import RecessConfig
from hipseg.guidance.geometry import median

_LEAST_FRAMES = 3
_RATE_S = 1.0


@dataclass(frozen=True, slots=True)
class RecessTrend:
    """How the recess has changed of late; every number is None until it is known.

    Attributes:
        width_mm: between deep capsule and cortex about the target, median over the last frames.
        area_mm2: of the recess, likewise.
        width_change_mm, area_change_mm2: against the level before, see `RecessConfig`.
        width_rate_mm_s: slope over the last second.
        sigma_mm, sigma_mm2: standard deviation of the two changes.
    """

    width_mm: float | None = None
    area_mm2: float | None = None
    width_change_mm: float | None = None
    area_change_mm2: float | None = None
    width_rate_mm_s: float | None = None
    sigma_mm: float | None = None
    sigma_mm2: float | None = None


Readings = npt.NDArray[np.float64]
"""Times and values [n, 2], in order."""


class RecessHistory:
    """Remembers the recess for as long as its trend looks back; one `step` a frame, in order of time."""

    def __init__(self, config: RecessConfig) -> None:
        self._config = config
        self._widths: deque[tuple[float, float]] = deque()
        self._areas: deque[tuple[float, float]] = deque()

    def step(self, width_mm: float | None, area_mm2: float | None, time_s: float) -> RecessTrend:
        """Takes what a frame shows, None where it shows nothing, and answers with the trend."""
        widths = self._followed(self._widths, width_mm, time_s)
        areas = self._followed(self._areas, area_mm2, time_s)
        width, width_change, sigma_mm = self._levels(widths, time_s)
        area, area_change, sigma_mm2 = self._levels(areas, time_s)
        rate = _slope(widths[time_s - widths[:, 0] <= _RATE_S])
        return RecessTrend(width, area, width_change, area_change, rate, sigma_mm, sigma_mm2)

    def _followed(self, readings: deque[tuple[float, float]], value: float | None, time_s: float) -> Readings:
        if readings and time_s < readings[-1][0]:
            readings.clear()
        if value is not None:
            readings.append((time_s, value))
        longest_s = self._config.before_s + self._config.baseline_s
        while readings and time_s - readings[0][0] > longest_s:
            readings.popleft()
        return np.array(readings, np.float64).reshape(-1, 2)

    def _levels(self, readings: Readings, time_s: float) -> tuple[float | None, float | None, float | None]:
        """The level now, its change against the one before, and the doubt about that change."""
        age_s, values = time_s - readings[:, 0], readings[:, 1]
        now, before = values[age_s <= self._config.level_s], values[age_s >= self._config.before_s]
        if len(now) < _LEAST_FRAMES:
            return None, None, None
        level = median(now)
        if len(before) < _LEAST_FRAMES:
            return level, None, None
        doubt = float(np.hypot(_sigma_of_median(now), _sigma_of_median(before)))
        return level, level - median(before), doubt


def _sigma_of_median(values: npt.NDArray[np.float64]) -> float:
    """By the median absolute deviation; 1.25 is the median's penalty against the mean for normal noise."""
    return 1.25 * 1.4826 * median(np.abs(values - median(values))) / float(np.sqrt(len(values)))


def _slope(readings: Readings) -> float | None:
    if len(readings) < _LEAST_FRAMES or readings[-1, 0] - readings[0, 0] < _RATE_S / 2:
        return None
    times, values = (readings - readings.mean(axis=0)).T
    return float(times @ values / (times @ times))
