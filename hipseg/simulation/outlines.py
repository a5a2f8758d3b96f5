"""Signed distances from points of the image plane to structures as they lie on the beams' samples."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from hipseg.simulation.probe import Probe
from hipseg.simulation.surfaces import Array

Points = npt.NDArray[np.float64]
"""Positions [n, 2] as u, w in millimetres."""


@dataclass(frozen=True, slots=True)
class Outline:
    """A structure in the plane.

    Attributes:
        points: samples on its border, both sides, [m, 2].
        inside_SL: its samples.
    """

    points: Points
    inside_SL: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, inside_SL: npt.NDArray[np.bool_], u: Array, w: Array) -> Outline | None:
        """The outline of a set of samples, None for an empty one."""
        if not inside_SL.any():
            return None
        solid = inside_SL.astype(np.uint8)
        core = cv2.erode(solid, np.ones((3, 3), np.uint8), borderType=cv2.BORDER_REPLICATE)
        border = inside_SL & (core == 0)
        if not border.any():
            border = inside_SL
        return cls(np.stack([u[border], w[border]], axis=1).astype(np.float64), inside_SL)

    def signed_mm(self, points: Points, probe: Probe) -> npt.NDArray[np.float64]:
        """Distance of each point to the structure's border samples, negative inside, exact to a sample's size."""
        gaps = points[:, None] - self.points[None]
        distance = np.sqrt((gaps**2).sum(axis=2).min(axis=1))
        signed: npt.NDArray[np.float64] = np.where(samples_at(self.inside_SL, points, probe), -distance, distance)
        return signed


def samples_at(values_SL: Array, points: Points, probe: Probe) -> Array:
    """The values of the samples nearest to points of the plane; 0 for a point outside the scan."""
    line, sample = probe.to_beams(points[:, 0], points[:, 1])
    row, column = np.rint(sample).astype(int), np.rint(line).astype(int)
    num_samples, num_lines = values_SL.shape
    within = (row >= 0) & (row < num_samples) & (column >= 0) & (column < num_lines)
    found = values_SL[np.clip(row, 0, num_samples - 1), np.clip(column, 0, num_lines - 1)]
    return np.where(within, found, np.zeros((), values_SL.dtype))
