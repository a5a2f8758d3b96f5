"""Where injected fluid goes: under the capsule, which it lifts, or into a tissue plane outside the joint."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hipseg.simulation.surfaces import Array, ellipse

LIFT_MM, CAPACITY_ML = 8.0, 8.0
"""The anterior recess rises by at most 8 mm, most of it with the first 8 ml (no published value; injected volumes are
5-15 ml, clinical.md section 1)."""
_ASPECT = 4.0


@dataclass(frozen=True, slots=True)
class Pool:
    """Fluid outside the joint: a lens in a tissue plane that runs parallel to the capsule.

    Attributes:
        x_mm, y_mm: of its middle, patient coordinates.
        height_mm: of its middle plane over the capsule's outer face.
        volume_ml: in it.
    """

    x_mm: float
    y_mm: float
    height_mm: float
    volume_ml: float

    @property
    def half_thickness_mm(self) -> float:
        """Of the lens: an ellipsoid of aspect 4 : 4 : 1 with this volume."""
        return float(np.cbrt(3 * 1000 * self.volume_ml / (4 * np.pi * _ASPECT**2)))

    def distance(self, x: Array, y: Array, above_capsule: Array) -> Array:
        """First-order signed distance to the lens; it never enters the capsule."""
        thin = max(self.half_thickness_mm, 0.05)
        aside = np.hypot(x - np.float32(self.x_mm), y - np.float32(self.y_mm))
        lens = ellipse(aside, above_capsule - np.float32(self.height_mm), _ASPECT * thin, thin)
        return np.maximum(lens, np.float32(0.1) - above_capsule)


def lift_mm(volume_ml: float) -> float:
    """By which fluid in the joint lifts the capsule off the neck."""
    return LIFT_MM * (1 - float(np.exp(-volume_ml / CAPACITY_ML)))
