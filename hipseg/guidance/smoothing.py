"""Points of the anatomy over time: noise is taken out, motion is kept."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hipseg.guidance.config import SmoothingConfig
from hipseg.guidance.geometry import Points
from hipseg.guidance.motion import Motion
from hipseg.guidance.target import Target

_FASTEST_MM_S = 50.0


class PointSmoother:
    """Follows one point at constant velocity: no lag behind a steady motion. A point that is not seen is not known."""

    def __init__(self, config: SmoothingConfig) -> None:
        self._config = config
        self._motion: Motion | None = None
        self._strayed_since_s: float | None = None

    def step(self, point_mm: Points | None, time_s: float) -> Points | None:
        """The point [2] of a frame, smoothed; a leap is believed when it has lasted for a moment."""
        if point_mm is None or self._config.sigma_mm == 0:
            self._motion = None
            return point_mm
        covariance = np.eye(2) * self._config.sigma_mm**2
        if self._motion is None or time_s < self._motion.time_s or self._has_leapt(point_mm, time_s):
            self._motion = Motion.begun(point_mm, covariance, _FASTEST_MM_S, time_s)
        carried = self._motion.at(time_s, self._config.acceleration_mm_s2)
        if self._strayed_since_s is not None:
            return carried.point_mm
        self._motion = carried.corrected(point_mm, covariance) if time_s > self._motion.time_s else self._motion
        return self._motion.point_mm

    def _has_leapt(self, point_mm: Points, time_s: float) -> bool:
        """Whether the point has been out of reach for long enough to be believed."""
        assert self._motion is not None
        carried = self._motion.at(time_s, self._config.acceleration_mm_s2)
        reach_mm = self._config.gate_mm + 3 * self._config.sigma_mm
        if float(np.hypot(*(point_mm - carried.point_mm))) <= reach_mm:
            self._strayed_since_s = None
            return False
        if self._strayed_since_s is None:
            self._strayed_since_s = time_s
        has_leapt = time_s - self._strayed_since_s >= self._config.hold_s
        if has_leapt:
            self._strayed_since_s = None
        return has_leapt


class TargetSmoother:
    """Smooths the target's place and its foot on the cortex; another approach begins anew."""

    def __init__(self, config: SmoothingConfig) -> None:
        self._config = config
        self._restart(None)

    def step(self, target: Target | None, time_s: float) -> Target | None:
        """The target of a frame, smoothed."""
        if target is None or self._before is None or target.approach is not self._before.approach:
            self._restart(target)
        if target is None:
            return None
        point_mm, foot_mm = self._point.step(target.point_mm, time_s), self._foot.step(target.foot_mm, time_s)
        assert point_mm is not None
        assert foot_mm is not None
        return replace(target, point_mm=point_mm, foot_mm=foot_mm)

    def _restart(self, target: Target | None) -> None:
        self._before = target
        self._point, self._foot = PointSmoother(self._config), PointSmoother(self._config)
