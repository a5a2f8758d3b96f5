"""A point that moves at constant velocity but for small accelerations: a Kalman filter on the source's own times."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hipseg.guidance.geometry import Points

Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Motion:
    """Position and velocity of a point at a time, with their doubt. Immutable: each step gives a new one.

    The model is white acceleration (Bar-Shalom et al. 2001, ch. 6): a motion at constant velocity is followed without
    any lag, whatever the noise.

    Attributes:
        state: x, y in mm, then their velocities in mm/s.
        covariance: [4, 4] of the state.
        time_s: of the source.
    """

    state: npt.NDArray[np.float64]
    covariance: Matrix
    time_s: float

    @classmethod
    def begun(cls, point_mm: Points, covariance_mm2: Matrix, max_speed_mm_s: float, time_s: float) -> Motion:
        """A point first seen, its velocity unknown up to a greatest speed."""
        covariance = np.zeros((4, 4))
        covariance[:2, :2] = covariance_mm2
        covariance[2:, 2:] = np.eye(2) * max_speed_mm_s**2
        return cls(np.concatenate([point_mm, np.zeros(2)]), covariance, time_s)

    @property
    def point_mm(self) -> Points:
        """[2]."""
        return self.state[:2]

    @property
    def velocity_mm_s(self) -> Points:
        """[2]."""
        return self.state[2:]

    def at(self, time_s: float, acceleration_mm_s2: float) -> Motion:
        """Carried on to a later time, doubt growing with accelerations of that standard deviation."""
        elapsed_s = max(time_s - self.time_s, 0.0)
        carry = np.array([[1, 0, elapsed_s, 0], [0, 1, 0, elapsed_s], [0, 0, 1, 0], [0, 0, 0, 1.0]])
        place, speed = acceleration_mm_s2 * elapsed_s**2 / 2, acceleration_mm_s2 * elapsed_s
        pp, pv, vv = place * place, place * speed, speed * speed
        noise = np.array([[pp, 0, pv, 0], [0, pp, 0, pv], [pv, 0, vv, 0], [0, pv, 0, vv]])
        return Motion(carry @ self.state, carry @ self.covariance @ carry.T + noise, time_s)

    def corrected(self, point_mm: Points, covariance_mm2: Matrix) -> Motion:
        """With what was measured at its own time."""
        innovation = self.covariance[:2, :2] + covariance_mm2
        gain = np.linalg.solve(innovation, self.covariance[:2]).T
        state = self.state + gain @ (point_mm - self.point_mm)
        covariance = self.covariance - gain @ self.covariance[:2]
        return Motion(state, (covariance + covariance.T) / 2, self.time_s)


def covariance_of(direction: Points, along_mm: float, across_mm: float) -> Matrix:
    """Covariance [2, 2] of an ellipse with one axis along a unit direction."""
    normal = np.array([-direction[1], direction[0]])
    return np.asarray(along_mm**2 * np.outer(direction, direction) + across_mm**2 * np.outer(normal, normal))
