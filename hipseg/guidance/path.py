"""Where the needle goes if it is pushed on: a straight way ahead of the tip that grows wider as doubt does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hipseg.guidance.geometry import Line, Points

_STEP_MM = 0.5


@dataclass(frozen=True, slots=True)
class PathCone:
    """The projected path with its doubt.

    Attributes:
        axis_mm: points [n, 2] from the tip on, evenly spaced.
        sigma_mm: standard deviation [n] across the path at each of them, never less than the tip's own.
    """

    axis_mm: Points
    sigma_mm: npt.NDArray[np.float64]

    def sides_mm(self, sigmas: float = 2.0) -> tuple[Points, Points]:
        """Both edges [n, 2] of the cone, so many standard deviations from its axis."""
        way = self.axis_mm[-1] - self.axis_mm[0]
        across = np.array([-way[1], way[0]]) / max(float(np.hypot(*way)), 1e-9)
        offsets = sigmas * self.sigma_mm[:, None] * across
        return self.axis_mm - offsets, self.axis_mm + offsets

    def sigma_at(self, point_mm: Points) -> float:
        """The doubt where the path passes a point."""
        return float(self.sigma_mm[np.argmin(np.hypot(*(self.axis_mm - point_mm).T))])


def path_ahead(line: Line, tip_mm: Points, length_mm: float) -> Points:
    """Points [n, 2] of the projected path, from the tip on."""
    steps = np.arange(0, length_mm + _STEP_MM / 2, _STEP_MM)
    return Line(tip_mm, line.direction).at(steps)


def cone_ahead(
    line: Line, tip_mm: Points, sigma_across_mm: float, sigma_direction_deg: float, length_mm: float
) -> PathCone:
    """The cone of a needle: doubt across the tip, and that of its direction growing with the way."""
    axis_mm = path_ahead(line, tip_mm, length_mm)
    ahead_mm = np.hypot(*(axis_mm - tip_mm).T)
    return PathCone(axis_mm, np.hypot(sigma_across_mm, ahead_mm * np.tan(np.radians(sigma_direction_deg))))
