"""Where the needle goes if it is pushed on: a straight way ahead of the tip that grows wider as doubt does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hipseg.guidance.geometry import Points


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
