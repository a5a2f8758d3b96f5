"""Structures of an image plane as polygons in millimetres, finer than the samples that they are found on."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from hipseg.simulation.surfaces import Array

Points = npt.NDArray[np.float64]
"""Positions [n, 2] as u, w in millimetres."""
_SMALLEST_POLYGON = 3
_REFINEMENTS = 2


@dataclass(frozen=True, slots=True)
class Region:
    """A structure as it is cut by the image plane, whole where other structures cover it.

    Attributes:
        outlines: closed polygons [n, 2], one for each part.
        cut: whether it reaches the edge of the scan and is longer than it shows.
    """

    outlines: tuple[Points, ...]
    cut: bool

    @classmethod
    def of(cls, distance_SL: Array, u: Array, w: Array) -> Region | None:
        """The region in which a distance is negative, None if there is none.

        Args:
            distance_SL: signed distance, or anything with the same zero, [S, L].
            u, w: of the samples.
        """
        inside = (distance_SL < 0).astype(np.uint8)
        contours, _ = cv2.findContours(inside, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        contours = [contour[:, 0] for contour in contours if len(contour) >= _SMALLEST_POLYGON]
        if not contours:
            return None
        outlines = [_on_zero(distance_SL, contour.astype(np.float32)) for contour in contours]
        edge = np.concatenate([inside[0], inside[-1], inside[:, 0], inside[:, -1]])
        return cls(tuple(_to_plane(outline, u, w) for outline in outlines), bool(edge.any()))

    @property
    def area_mm2(self) -> float:
        """Of all parts together."""
        return float(sum(cv2.contourArea(outline.astype(np.float32)) for outline in self.outlines))

    @property
    def centre_uw(self) -> tuple[float, float]:
        """Centre of gravity of the largest part."""
        moments = cv2.moments(max(self.outlines, key=len).astype(np.float32))
        area = max(moments["m00"], 1e-9)
        return moments["m10"] / area, moments["m01"] / area

    @property
    def size_mm(self) -> tuple[float, float]:
        """Width along u and height along w of the largest part."""
        largest = max(self.outlines, key=len)
        width, height = largest.max(axis=0) - largest.min(axis=0)
        return float(width), float(height)

    @property
    def equivalent_diameter_mm(self) -> float:
        """Of the circle of the same area."""
        return 2 * math.sqrt(self.area_mm2 / math.pi)

    def signed_mm(self, points: Points) -> Points:
        """Distance [n] of points [n, 2] to the outline, negative inside."""
        polygons = [outline.astype(np.float32) for outline in self.outlines]
        signed = [
            min(-cv2.pointPolygonTest(polygon, (float(u), float(w)), True) for polygon in polygons) for u, w in points
        ]
        return np.array(signed, np.float64)


def _on_zero(distance_SL: Array, contour_xy: Array) -> Array:
    """Moves the samples of a contour onto the distance's zero between them; those on the scan's edge stay there."""
    rows, columns = distance_SL.shape
    slopes: list[Array] = list(np.gradient(distance_SL.astype(np.float32)))
    x: Array = contour_xy[:, 0]
    y: Array = contour_xy[:, 1]
    free = (x > 0) & (x < columns - 1) & (y > 0) & (y < rows - 1)
    for _ in range(_REFINEMENTS):
        value, across, along = (_read(values, x, y) for values in (distance_SL, slopes[1], slopes[0]))
        step = value / np.maximum(across * across + along * along, 1e-6) * free
        # A zero lies within a sample of its contour; a longer step would leave a kink for another surface.
        x = x - np.clip(step * across, -1, 1)
        y = y - np.clip(step * along, -1, 1)
    return np.stack([x, y], axis=1)


def _to_plane(outline_xy: Array, u: Array, w: Array) -> Points:
    x, y = outline_xy[:, 0], outline_xy[:, 1]
    return np.stack([_read(u, x, y), _read(w, x, y)], axis=1).astype(np.float64)


def _read(values: Array, x: Array, y: Array) -> Array:
    """Values between samples, interpolated."""
    found = cv2.remap(np.ascontiguousarray(values, np.float32), x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(found, np.float32).ravel()
