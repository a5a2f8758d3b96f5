"""Millimetres on the image plane: where grid cells lie, surfaces finer than a cell, distances and lines."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hipseg.frame import ScanRegion, Spacing
from hipseg.runtime.grid import Grid

Points = npt.NDArray[np.float64]
"""Positions [n, 2] as x (right), y (down), or one of them [2]."""
Labels = npt.NDArray[np.uint8]
Probabilities = npt.NDArray[np.float32]

NOMINAL_DEPTH_MM = 50.0
"""Depth assumed where no scale is known, only to tell a needle from a speck; it never reaches a record."""


@dataclass(frozen=True, slots=True)
class ScanPlane:
    """How cells of the occupied part of the network's grid, frame pixels and millimetres lie to each other.

    The origin in millimetres is the centre of the scan region's first pixel; x runs right, y deep.

    Attributes:
        grid: of the segmented image.
        column_mm, row_mm: pixel size; nominal when `scale_known` is false.
        scale_known: whether millimetres may be shown.
        region: of the frame.
    """

    grid: Grid
    column_mm: float
    row_mm: float
    scale_known: bool
    region: ScanRegion

    @classmethod
    def of(cls, grid: Grid, spacing: Spacing | None, region: ScanRegion) -> ScanPlane:
        """The plane of a frame, with a nominal scale when its own is unknown."""
        if spacing is None:
            nominal_mm = NOMINAL_DEPTH_MM / max(grid.height, 1)
            return cls(grid, nominal_mm, nominal_mm, False, region)
        return cls(grid, spacing.column_mm, spacing.row_mm, True, region)

    @property
    def cell_mm(self) -> float:
        """Side of a cell, geometric mean of both axes."""
        return float(np.sqrt(self.cell_area_mm2))

    @property
    def cell_area_mm2(self) -> float:
        """Area of a cell."""
        return self.grid.scale**2 * self.column_mm * self.row_mm

    @property
    def pixel_mm(self) -> float:
        """Side of a pixel, geometric mean of both axes."""
        return float(np.sqrt(self.column_mm * self.row_mm))

    @property
    def size_mm(self) -> Points:
        """Width and height of the scan region, from the first pixel centre to the last."""
        return np.array([(self.grid.width - 1) * self.column_mm, (self.grid.height - 1) * self.row_mm])

    def from_cells(self, cells_xy: npt.ArrayLike) -> Points:
        """Occupied-grid coordinates [..., 2] to millimetres."""
        rows, columns = self.grid.occupied
        first = np.array([columns.start, rows.start])
        return self.grid.to_image(np.asarray(cells_xy) + first) * (self.column_mm, self.row_mm)

    def to_cells(self, points_mm: npt.ArrayLike) -> Points:
        """Millimetres [..., 2] to occupied-grid coordinates."""
        rows, columns = self.grid.occupied
        first = np.array([columns.start, rows.start])
        cells: Points = self.grid.to_grid(np.asarray(points_mm) / (self.column_mm, self.row_mm)) - first
        return cells

    def from_scan_px(self, points_px: npt.ArrayLike) -> Points:
        """Pixels of the scan region [..., 2] to millimetres."""
        points: Points = np.asarray(points_px, dtype=np.float64)
        points_mm: Points = points * np.array([self.column_mm, self.row_mm])
        return points_mm

    def from_frame_px(self, points_px: npt.ArrayLike) -> Points:
        """Pixels of the source frame [..., 2] to millimetres."""
        return self.from_scan_px(np.subtract(points_px, (self.region.x, self.region.y)))

    def to_frame_px(self, points_mm: npt.ArrayLike) -> Points:
        """Millimetres [..., 2] to pixels of the source frame."""
        return np.asarray(points_mm) / (self.column_mm, self.row_mm) + (self.region.x, self.region.y)


def occupied_labels(labels_HW: Labels, grid: Grid) -> Labels:
    """The labels of an image on the occupied part of its grid: each cell takes the pixel under its centre."""
    rows, columns = _pixels_under(grid)
    return labels_HW.take(rows, axis=0).take(columns, axis=1)


def image_labels(cells_HW: Labels, grid: Grid) -> Labels:
    """Labels at an image's size of which `occupied_labels` gives these cells again; pixels under no centre are 0."""
    labels_HW = np.zeros((grid.height, grid.width), np.uint8)
    labels_HW[np.ix_(*_pixels_under(grid))] = cells_HW
    return labels_HW


def _pixels_under(grid: Grid) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Rows and columns of the pixels under the occupied cells' centres."""
    rows, columns = (np.arange(part.start, part.stop) for part in grid.occupied)
    pixel_rows = np.clip(np.floor((rows + 0.5) * grid.scale), 0, grid.height - 1).astype(np.intp)
    pixel_columns = np.clip(np.floor((columns + 0.5 - grid.left) * grid.scale), 0, grid.width - 1).astype(np.intp)
    return pixel_rows, pixel_columns


@dataclass(frozen=True, slots=True)
class Surface:
    """The border of a structure, finer than a cell.

    Attributes:
        outline_mm: crossings between neighbouring cells, all around, in no order.
        superficial_mm: the crossing nearest to the skin of each column, by column, needle left out.
        deep_mm: likewise the deepest crossing.
    """

    outline_mm: Points
    superficial_mm: Points
    deep_mm: Points


def surface_of(
    inside_HW: npt.NDArray[np.bool_],
    labels_HW: Labels,
    probabilities_CHW: Probabilities,
    plane: ScanPlane,
    *,
    cells_offset_xy: tuple[int, int] = (0, 0),
    cover: int,
) -> Surface:
    """Finds where a structure ends, between the centres of the last cell inside and the first one outside.

    The crossing lies where the line between both cells' probability margins is zero (as marching squares does).
    The edge of the image is no border: beyond it nothing is known.

    Args:
        inside_HW: cells of the structure.
        labels_HW, probabilities_CHW: of the same part of the occupied grid.
        plane: to millimetres.
        cells_offset_xy: first column and row of that part.
        cover: id of a class drawn on top of others (the needle): a face against it is not the structure's own.
    """
    width = inside_HW.shape[1]
    faces = _faces(inside_HW)
    counts = [len(cells) for cells in faces]
    cells = np.concatenate(faces)
    rows, columns = np.divmod(cells, width)
    steps = np.repeat(_STEPS, counts, axis=0)
    crossings, other = _crossings(rows, columns, steps, labels_HW, probabilities_CHW)
    outline_mm = plane.from_cells(crossings + cells_offset_xy)
    top, bottom = np.arange(counts[0]), np.arange(counts[0], counts[0] + counts[1])
    shallowest = _last_of_columns(top[other[top] != cover][::-1], columns)
    deepest = _last_of_columns(bottom[other[bottom] != cover], columns)
    return Surface(outline_mm, outline_mm[shallowest], outline_mm[deepest])


_STEPS = np.array([(-1, 0), (1, 0), (0, -1), (0, 1)])
"""Steps (row, column) from a cell to its neighbours: up, down, left, right."""
_Indices = npt.NDArray[np.intp]


def _faces(inside_HW: npt.NDArray[np.bool_]) -> tuple[_Indices, _Indices, _Indices, _Indices]:
    """For each of `_STEPS` the inside cells whose neighbour there is outside, row by row, as indices of the flat array.

    Seen flat, a row's first cell has the last one of the row above to its left: those pairs are left out.
    """
    width = inside_HW.shape[1]
    inside = inside_HW.ravel()
    up = np.flatnonzero(inside[width:] > inside[:-width]) + width
    down = np.flatnonzero(inside[:-width] > inside[width:])
    left = np.flatnonzero(inside[1:] > inside[:-1]) + 1
    right = np.flatnonzero(inside[:-1] > inside[1:])
    return up, down, left[left % width > 0], right[right % width < width - 1]


def _crossings(
    rows: _Indices, columns: _Indices, steps: _Indices, labels_HW: Labels, probabilities_CHW: Probabilities
) -> tuple[Points, Labels]:
    """Crossings [n, 2] in cells from inside cells to their neighbours `steps` [n, 2] away, and those one's labels."""
    next_rows, next_columns = rows + steps[:, 0], columns + steps[:, 1]
    own, other = labels_HW[rows, columns], labels_HW[next_rows, next_columns]
    lead = probabilities_CHW[own, rows, columns] - probabilities_CHW[other, rows, columns]
    lag = probabilities_CHW[other, next_rows, next_columns] - probabilities_CHW[own, next_rows, next_columns]
    total = lead + lag
    fraction = np.clip(np.divide(lead, total, out=np.full_like(total, 0.5), where=total > 1e-6), 0, 1)
    return np.stack([columns + fraction * steps[:, 1], rows + fraction * steps[:, 0]], axis=1), other


def _last_of_columns(faces: _Indices, columns: _Indices) -> _Indices:
    """Of faces in order of depth, the last one in each column, by column."""
    last = np.full(columns[faces].max() + 1 if len(faces) else 0, -1)
    last[columns[faces]] = faces
    return last[last >= 0]


_PAIRS_AT_ONCE = 16_384
"""So many distances stay in a processor's cache while they are worked on."""


def distances_to(points_mm: Points, surface_mm: Points) -> npt.NDArray[np.float64]:
    """Distance [n] of each point to the nearest surface point; infinite when there is no surface."""
    if len(surface_mm) == 0:
        return np.full(len(points_mm), np.inf)
    count = max(_PAIRS_AT_ONCE // len(surface_mm), 1)
    nearest = [
        _least_squares(points_mm[first : first + count], surface_mm) for first in range(0, len(points_mm), count)
    ]
    return np.asarray(np.sqrt(np.concatenate(nearest))) if nearest else np.zeros(0)


def _least_squares(points_mm: Points, surface_mm: Points) -> npt.NDArray[np.float64]:
    """Squared distance of each point to the nearest surface point; columns are quicker to search than rows."""
    squares = np.subtract.outer(surface_mm[:, 0], points_mm[:, 0])
    squares *= squares
    down = np.subtract.outer(surface_mm[:, 1], points_mm[:, 1])
    down *= down
    squares += down
    return np.asarray(squares.min(axis=0))


def segment_distances(starts_mm: Points, ends_mm: Points, surface_mm: Points) -> npt.NDArray[np.float64]:
    """Distance [n] of each straight segment to the nearest surface point; the surface must not be empty."""
    ways = ends_mm - starts_mm
    offsets = surface_mm[:, None] - starts_mm
    lengths_mm2 = np.maximum(np.sum(ways * ways, axis=1), np.finfo(np.float64).tiny)
    shares = np.clip(np.sum(offsets * ways, axis=2) / lengths_mm2, 0, 1)
    offsets -= shares[..., None] * ways
    return np.asarray(np.sqrt(np.sum(offsets * offsets, axis=2).min(axis=0)))


def nearest_to(point_mm: Points, surface_mm: Points) -> Points:
    """The surface point [2] nearest to one point; the surface must not be empty."""
    nearest: Points = surface_mm[np.argmin(np.hypot(*(surface_mm - point_mm).T))]
    return nearest


def is_inside(points_mm: Points, outline_mm: Points) -> npt.NDArray[np.bool_]:
    """Which points [n, 2] lie inside a closed polygon [m, 2], by the number of edges to their right."""
    x, y = points_mm[:, 0], points_mm[:, 1]
    x1, y1 = outline_mm[:, 0, None], outline_mm[:, 1, None]
    x2, y2 = np.roll(x1, -1), np.roll(y1, -1)
    above = y1 > y
    crosses = above != np.concatenate([above[1:], above[:1]])
    run_per_rise = (x2 - x1) / np.where(y2 == y1, 1.0, y2 - y1)
    crosses &= x - y * run_per_rise < x1 - y1 * run_per_rise
    return np.asarray(np.count_nonzero(crosses, axis=0) % 2 == 1)


def quantile(values: npt.NDArray[np.float64], share: float) -> float:
    """Of values [n], n > 0, interpolated between two of them; as NumPy's, whose checks cost more than few values do."""
    ordered = np.sort(values)
    place = share * (len(ordered) - 1)
    below = int(place)
    lower, upper = float(ordered[below]), float(ordered[min(below + 1, len(ordered) - 1)])
    return lower + (place - below) * (upper - lower)


def median(values: npt.NDArray[np.float64]) -> float:
    """Of values [n], n > 0."""
    return quantile(values, 0.5)


@dataclass(frozen=True, slots=True)
class Line:
    """A straight line: a point on it and a unit direction, millimetres."""

    point_mm: Points
    direction: Points

    def along(self, points_mm: Points) -> npt.NDArray[np.float64]:
        """Signed position along the line, from `point_mm`."""
        return (points_mm - self.point_mm) @ self.direction

    def across(self, points_mm: Points) -> npt.NDArray[np.float64]:
        """Signed distance from the line."""
        offsets = points_mm - self.point_mm
        return np.asarray(offsets[..., 0] * self.direction[1] - offsets[..., 1] * self.direction[0])

    def at(self, position_mm: npt.ArrayLike) -> Points:
        """The point(s) at a position along the line."""
        return self.point_mm + np.multiply.outer(np.asarray(position_mm, dtype=np.float64), self.direction)


def fit_line(points_mm: Points, weights: npt.NDArray[np.float64]) -> Line:
    """Weighted total least squares: the principal axis through the weighted centroid."""
    centroid = weights @ points_mm / weights.sum()
    offsets = points_mm - centroid
    (xx, xy), (_, yy) = (offsets * weights[:, None]).T @ offsets
    angle = math.atan2(2 * xy, xx - yy) / 2
    return Line(centroid, np.array([math.cos(angle), math.sin(angle)]))


_FLAT = 1e-12
"""Share of the squared spread below which points lie on a line but for rounding."""


def fit_circle(points_mm: Points) -> tuple[Points, float] | None:
    """Centre [2] and radius of the circle through points [n, 2], by linear least squares (Kasa 1976).

    None for fewer than five points or for points on a line.
    """
    if len(points_mm) < 5:
        return None
    origin = points_mm.mean(axis=0)
    x, y = (points_mm - origin).T
    xx, xy, yy = float(x @ x), float(x @ y), float(y @ y)
    squares = x * x + y * y
    right, down = float(x @ squares) / 2, float(y @ squares) / 2
    determinant = xx * yy - xy * xy
    if not determinant > _FLAT * (xx + yy) ** 2:
        return None
    centre_x, centre_y = (yy * right - xy * down) / determinant, (xx * down - xy * right) / determinant
    radius = math.sqrt(float(squares.mean()) + centre_x**2 + centre_y**2)
    return origin + np.array([centre_x, centre_y]), radius


def entry_into(size_mm: Points, tip_mm: Points, direction: Points) -> Points | None:
    """Where a line came into the image: backwards from a tip inside it to the border of [0, size]. None if outside."""
    if np.any(tip_mm < 0) or np.any(tip_mm > size_mm):
        return None
    with np.errstate(divide="ignore", invalid="ignore"):
        steps = np.where(direction > 0, tip_mm / direction, (tip_mm - size_mm) / direction)
    steps[direction == 0] = np.inf
    return tip_mm - np.min(steps) * direction if np.isfinite(np.min(steps)) else None


def angle_to_skin_deg(direction: Points) -> float:
    """Angle between a shaft and the skin (the image's top edge), 0 flat to 90 straight down."""
    return float(np.degrees(np.arctan2(abs(direction[1]), abs(direction[0]))))
