"""Drawn shapes as masks. A pixel belongs to a shape when its centre, at integer x and y, lies inside."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt

MaskHW = npt.NDArray[np.bool_]


def polygon(points_xy: npt.ArrayLike, height: int, width: int) -> MaskHW:
    """A closed polygon by the even-odd rule; self-crossings make holes.

    Args:
        points_xy: corners [N, 2] in pixels; the last joins the first.
        height, width: of the mask.
    """
    x, y = np.asarray(points_xy, np.float64).T
    box = top, bottom, left, right = *_reach(y, height), *_reach(x, width)
    inside_HW = np.zeros((height, width), bool)
    inside_HW[top:bottom, left:right] = _inside_box(x, y, box)
    return inside_HW


def _reach(values: npt.NDArray[np.float64], size: int) -> tuple[int, int]:
    """First and last-but-one whole number between the least and the greatest value, within an axis."""
    low, high = np.clip([np.ceil(values.min()), np.floor(values.max()) + 1], 0, size)
    return int(low), max(int(low), int(high))


def _inside_box(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64], box: tuple[int, int, int, int]) -> MaskHW:
    """By the edges that a row crosses left of a pixel: an odd number of them and it lies inside."""
    top, bottom, left, right = box
    x_next, y_next = np.roll(x, -1), np.roll(y, -1)
    rows = np.arange(top, bottom)
    edge, row = np.nonzero((y[:, None] <= rows) != (y_next[:, None] <= rows))
    crossing = x[edge] + (rows[row] - y[edge]) * (x_next[edge] - x[edge]) / (y_next[edge] - y[edge])
    first_column_beyond = np.clip(np.ceil(crossing), left, right).astype(np.intp) - left
    crossings_HW = np.zeros((bottom - top, right - left + 1), np.intp)
    np.add.at(crossings_HW, (row, first_column_beyond), 1)
    return np.asarray(np.cumsum(crossings_HW, axis=1)[:, :-1] % 2 == 1)


def ellipse(
    centre_xy: tuple[float, float], radii_xy: tuple[float, float], angle_deg: float, height: int, width: int
) -> MaskHW:
    """An ellipse whose first radius points `angle_deg` from the x axis towards y."""
    rows, columns = np.ogrid[:height, :width]
    cos, sin = np.cos(np.deg2rad(angle_deg)), np.sin(np.deg2rad(angle_deg))
    dx, dy = columns - centre_xy[0], rows - centre_xy[1]
    along, across = (dx * cos + dy * sin) / radii_xy[0], (dy * cos - dx * sin) / radii_xy[1]
    return np.asarray(along**2 + across**2 <= 1)


def band_below(line_xy: npt.ArrayLike, depth_px: float, height: int, width: int) -> MaskHW:
    """The band from a polyline down to a depth, column by column; where the line folds back its upper part counts.

    Args:
        line_xy: points [N, 2] in pixels.
        depth_px: thickness of the band along the beam, which runs down the image.
        height, width: of the mask.
    """
    points = np.asarray(line_xy, np.float64)
    columns = np.arange(width)
    top_W = np.full(width, np.inf)
    for segment in itertools.pairwise(points):
        (x_left, y_left), (x_right, y_right) = sorted(segment, key=lambda point: point[0])
        crossed = (columns >= x_left) & (columns <= x_right)
        slope = (y_right - y_left) / (x_right - x_left) if x_right > x_left else 0.0
        top_W[crossed] = np.minimum(top_W[crossed], y_left + (columns[crossed] - x_left) * slope)
    rows = np.arange(height)[:, None]
    return (rows >= top_W) & (rows <= top_W + depth_px)


def thick_line(start_xy: npt.ArrayLike, end_xy: npt.ArrayLike, width_px: float, height: int, width: int) -> MaskHW:
    """A straight line with square ends, such as a needle's shaft from entry to tip."""
    start, end = np.asarray(start_xy, np.float64), np.asarray(end_xy, np.float64)
    along = (end - start) / max(float(np.hypot(*(end - start))), 1e-9)
    aside = np.array([-along[1], along[0]]) * width_px / 2
    return polygon([start + aside, end + aside, end - aside, start - aside], height, width)
