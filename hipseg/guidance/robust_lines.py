"""Several lines fitted at once through the same weighted points, each to those near it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hipseg.guidance.geometry import Line, Points

Weights = npt.NDArray[np.float64]

_ITERATIONS = 4
_SAME_MM, _SAME_COSINE = 0.02, float(np.cos(np.radians(0.1)))


def tukey(across: Weights, weights: Weights, inlier_mm: float) -> Weights:
    """Tukey's biweight of distances, times the points' own weights; 0 beyond one and a half inlier distances."""
    relative = across / (1.5 * inlier_mm)
    return np.asarray(weights * np.square(np.clip(1 - relative**2, 0, None)))


def refine_lines(lines: list[Line], points_mm: Points, weights_LN: Weights, inlier_mm: float) -> list[Line]:
    """Each line after reweighted total least squares; one with fewer than two points near it stays as it is.

    Args:
        lines: where to begin.
        points_mm: [n, 2].
        weights_LN: [lines, n]; 0 for points that do not belong to a line.
        inlier_mm: see `tukey`.
    """
    if not lines:
        return []
    centre_mm = points_mm.mean(axis=0)
    x, y = (points_mm - centre_mm).T
    powers = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=1)
    places = np.array([line.point_mm for line in lines]) - centre_mm
    directions = np.array([line.direction for line in lines])
    for _ in range(_ITERATIONS):
        normals = np.stack([directions[:, 1], -directions[:, 0]], axis=1)
        across_LN = normals @ (powers[:, 1:3].T) - np.sum(normals * places, axis=1, keepdims=True)
        near_LN = tukey(across_LN, weights_LN, inlier_mm)
        enough = np.count_nonzero(near_LN, axis=1) >= 2
        fitted_places, fitted_directions = _axes(near_LN[enough] @ powers)
        places[enough], directions[enough] = fitted_places, fitted_directions
    return [Line(place + centre_mm, direction) for place, direction in zip(places, directions, strict=True)]


def _axes(moments: Weights) -> tuple[Points, Points]:
    """Centroid and principal axis of each row of weighted moments: 1, x, y, xx, xy, yy."""
    total, x, y, xx, xy, yy = moments.T
    centre_x, centre_y = x / total, y / total
    spread, tilt = xx - yy - total * (centre_x**2 - centre_y**2), xy - total * centre_x * centre_y
    angle = np.arctan2(2 * tilt, spread) / 2
    return np.stack([centre_x, centre_y], axis=1), np.stack([np.cos(angle), np.sin(angle)], axis=1)


def is_one_of(line: Line, others: list[Line]) -> bool:
    """Whether a line is, but for rounding, one of some others."""
    alike = (other for other in others if abs(float(line.direction @ other.direction)) > _SAME_COSINE)
    return any(abs(float(other.across(line.point_mm))) < _SAME_MM for other in alike)
