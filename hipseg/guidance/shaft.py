"""Needle shafts in a map of needle probability: lines, straight or bent as a shallow arc, and where they are seen."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from hipseg.guidance.config import NeedleConfig
from hipseg.guidance.geometry import Line, Points, ScanPlane, fit_line, quantile
from hipseg.guidance.robust_lines import Weights, is_one_of, refine_lines, tukey

_MAX_PIECES = 5
_MAX_SHAFTS = 5
_MAX_SHARE_OF_IMAGE = 0.2
_SPECK_MM2 = 0.25
"""Pieces with less probability than such an area may lie on a shaft, but no line is sought through them."""
_STEP_MM = 0.1
_BEND_SIGMAS = 3.0
_WIDTHS_AROUND = 3.0
"""A shaft's width is judged over so many inlier distances: a strip cut out of a blob is no shaft."""


@dataclass(frozen=True, slots=True)
class Shaft:
    """The visible part of a needle.

    Attributes:
        line: through its tip, in the direction it has there, from entry to tip.
        shallow_mm, end_mm: its first and last visible point [2]; `end_mm` is the tip as the mask has it.
        confidence: mean needle probability along it, gaps included, 0-1.
        bend_mm: offset of its middle from the straight line between its ends, positive to the right of its way.
        support: probability on it, summed over cells.
        sigma_across_mm, sigma_direction_deg: doubt about the line.
        shallow_haze_mm, end_haze_mm: length over which the probability fades at its ends, beyond the grid's own blur.
    """

    line: Line
    shallow_mm: Points
    end_mm: Points
    confidence: float
    bend_mm: float = 0.0
    support: float = 0.0
    sigma_across_mm: float = 0.2
    sigma_direction_deg: float = 0.7
    shallow_haze_mm: float = 0.0
    end_haze_mm: float = 0.0

    @property
    def length_mm(self) -> float:
        """Of the visible part."""
        return float(np.hypot(*(self.end_mm - self.shallow_mm)))

    @property
    def chord(self) -> Line:
        """The straight line from its first to its last visible point."""
        way = self.end_mm - self.shallow_mm
        return Line(self.shallow_mm, way / max(float(np.hypot(*way)), 1e-9))

    def turned(self) -> Shaft:
        """The same shaft, its tip at the other end."""
        chord = self.chord.direction
        return Shaft(
            Line(self.shallow_mm, _mirrored(-self.line.direction, chord)),
            self.end_mm,
            self.shallow_mm,
            self.confidence,
            -self.bend_mm,
            self.support,
            self.sigma_across_mm,
            self.sigma_direction_deg,
            self.end_haze_mm,
            self.shallow_haze_mm,
        )


def _mirrored(direction: Points, axis: Points) -> Points:
    """A direction mirrored at an axis: an arc's tangents at both ends mirror each other at the chord."""
    mirrored: Points = 2 * (direction @ axis) * axis - direction
    return mirrored


@dataclass(frozen=True, slots=True)
class _Cells:
    """The cells that may belong to needles: places [n, 2] and probabilities [n]."""

    points_mm: Points
    weights: Weights

    def only(self, chosen: npt.NDArray[np.bool_]) -> _Cells:
        return _Cells(self.points_mm[chosen], self.weights[chosen])


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A line to begin with, and the outermost positions on it of the pieces that it was laid through."""

    line: Line
    first_mm: float
    last_mm: float

    @classmethod
    def through(cls, line: Line, ends_mm: Points) -> _Candidate:
        along = line.along(ends_mm)
        return cls(line, float(along.min()), float(along.max()))

    def reaches(self, points_mm: Points, max_gap_mm: float) -> npt.NDArray[np.bool_]:
        """Which points may belong to it: what another line shows where both cross, far ahead, must not turn it."""
        along = self.line.along(points_mm)
        return np.asarray((along >= self.first_mm - max_gap_mm) & (along <= self.last_mm + max_gap_mm))

    @property
    def ends_mm(self) -> Points:
        return self.line.at([self.first_mm, self.last_mm])


@dataclass(frozen=True, slots=True)
class _Arc:
    """A line with a parabola across it: offset, slope and curvature along it; shallow arcs are parabolas."""

    line: Line
    polynomial: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def offset(self, along: Weights) -> Weights:
        constant, slope, curvature = self.polynomial
        return np.asarray(constant + along * (slope + along * curvature))

    def across(self, points_mm: Points) -> Weights:
        return np.asarray(self.line.across(points_mm) - self.offset(self.line.along(points_mm)))

    def at(self, along: npt.ArrayLike) -> Points:
        positions = np.asarray(along, dtype=np.float64)
        normal = np.array([self.line.direction[1], -self.line.direction[0]])
        points: Points = self.line.at(positions) + np.multiply.outer(self.offset(positions), normal)
        return points

    def direction(self, along: float) -> Points:
        _, slope, curvature = self.polynomial
        normal = np.array([self.line.direction[1], -self.line.direction[0]])
        tangent = self.line.direction + (slope + 2 * curvature * along) * normal
        return np.asarray(tangent / np.hypot(*tangent))


def find_shafts(needle_HW: npt.NDArray[np.float32], plane: ScanPlane, config: NeedleConfig) -> list[Shaft]:
    """Every line of needle probability that could be a shaft, best supported first.

    Candidates are the axes of the largest connected pieces and the lines through pairs of them, so that a shaft in
    pieces is put together and a parallel copy, a speck or a second needle does not bend the line. Each is
    refined by reweighted least squares with Tukey's biweight, bent if a parabola fits markedly better, and kept if it
    is seen along its length. Shafts point downwards; which end is the tip is decided later.
    """
    mask_HW = (needle_HW >= config.min_probability).view(np.uint8)
    rows, columns = np.nonzero(mask_HW)
    if len(rows) < 2 or len(rows) > _MAX_SHARE_OF_IMAGE * needle_HW.size:
        return []
    points = plane.from_cells(np.stack([columns, rows], axis=1))
    cells = _Cells(points, needle_HW[rows, columns].astype(np.float64))
    pieces = _largest_pieces(mask_HW, rows, columns, cells.weights, _SPECK_MM2 / plane.cell_area_mm2)
    supported = sorted(_candidates(cells, pieces), key=lambda one: -_support(one.line, cells, config.inlier_mm))
    reach_LN = np.array([one.reaches(cells.points_mm, config.max_gap_mm) for one in supported])
    lines = [one.line for one in supported]
    refined = refine_lines(lines, cells.points_mm, cells.weights * reach_LN, config.inlier_mm)
    shafts: list[Shaft] = []
    tried: list[Line] = []
    for candidate, line, reach in zip(lines, refined, reach_LN, strict=True):
        if len(shafts) == _MAX_SHAFTS:
            break
        if is_one_of(line, tried) or any(_is_same_line(candidate, shaft, config.inlier_mm) for shaft in shafts):
            continue
        tried.append(line)
        shaft = _visible_part(_bent(line, cells.only(reach), config), needle_HW, cells, plane, config)
        if shaft is not None and not any(_is_same(shaft, other, config.inlier_mm) for other in shafts):
            shafts.append(shaft)
    return sorted(shafts, key=lambda shaft: -shaft.support)


def _largest_pieces(
    mask_HW: npt.NDArray[np.uint8],
    rows: npt.NDArray[np.intp],
    columns: npt.NDArray[np.intp],
    weights: Weights,
    speck: float,
) -> list[npt.NDArray[np.intp]]:
    """Indices of the points of each connected piece, heaviest first; beside the heaviest one, none below `speck`."""
    _, pieces_HW = cv2.connectedComponents(mask_HW, connectivity=8)
    piece_of_point = pieces_HW[rows, columns]
    mass = np.bincount(piece_of_point, weights=weights)
    heaviest = np.argsort(-mass, kind="stable")[:_MAX_PIECES]
    least = min(speck, float(mass[heaviest[0]]))
    return [np.flatnonzero(piece_of_point == piece) for piece in heaviest if mass[piece] >= least]


def _candidates(cells: _Cells, pieces: list[npt.NDArray[np.intp]]) -> Iterator[_Candidate]:
    axes = [
        _Candidate.through(fit_line(cells.points_mm[piece], cells.weights[piece]), cells.points_mm[piece])
        for piece in pieces
    ]
    yield from axes
    for one, other in itertools.combinations(axes, 2):
        between = other.line.point_mm - one.line.point_mm
        if (apart_mm := np.hypot(*between)) > 0:
            line = Line(one.line.point_mm, between / apart_mm)
            yield _Candidate.through(line, np.concatenate([one.ends_mm, other.ends_mm]))


def _support(line: Line, cells: _Cells, inlier_mm: float) -> float:
    return float(cells.weights[np.abs(line.across(cells.points_mm)) < inlier_mm].sum())


def _is_same_line(line: Line, shaft: Shaft, inlier_mm: float) -> bool:
    ends = np.stack([shaft.shallow_mm, shaft.end_mm])
    return bool(np.abs(line.across(ends)).max() < inlier_mm)


def _is_same(one: Shaft, other: Shaft, inlier_mm: float) -> bool:
    return _is_same_line(one.chord, other, inlier_mm) or _is_same_line(other.chord, one, inlier_mm)


def _bent(line: Line, cells: _Cells, config: NeedleConfig) -> _Arc:
    """The line with a parabola, when the shaft is long and bends by more than its own scatter can."""
    along, across = line.along(cells.points_mm), line.across(cells.points_mm)
    arc = _Arc(line)
    for _ in range(3):
        biweight = tukey(across - arc.offset(along), cells.weights, 1.5 * config.inlier_mm)
        used = biweight > 0
        near_along, near_weights = along[used], biweight[used]
        if len(near_along) < 8 or (length := float(np.ptp(near_along))) < config.min_bent_length_mm:
            return _Arc(line)
        arc = _Arc(line, _parabola(near_along, across[used], near_weights))
    scatter = _spread(across[used] - arc.offset(near_along), near_weights, 0.0)
    sagitta = abs(arc.polynomial[2]) * length**2 / 4
    doubt = _BEND_SIGMAS * scatter / math.sqrt(max(length, 1.0))
    return arc if doubt < sagitta <= config.max_bend * length else _Arc(line)


def _parabola(along: Weights, across: Weights, weights: Weights) -> tuple[float, float, float]:
    """Constant, slope and curvature of weighted least squares."""
    powers = np.stack([np.ones_like(along), along, along**2], axis=1)
    weighted = powers * weights[:, None]
    constant, slope, curvature = np.linalg.solve(powers.T @ weighted, weighted.T @ across)
    return float(constant), float(slope), float(curvature)


def _visible_part(
    arc: _Arc, needle_HW: npt.NDArray[np.float32], cells: _Cells, plane: ScanPlane, config: NeedleConfig
) -> Shaft | None:
    across, along = arc.across(cells.points_mm), arc.line.along(cells.points_mm)
    near = np.abs(across) < config.inlier_mm
    run = _heaviest_run(along[near], cells.weights[near], config.max_gap_mm + 2 * plane.cell_mm)
    if run is None:
        return None
    if run[1] - run[0] + 4 * plane.cell_mm < config.min_length_mm:
        return None
    ends = _ends(arc, needle_HW, run, plane)
    within = (along >= ends.first) & (along <= ends.last)
    around = within & (np.abs(across) < _WIDTHS_AROUND * config.inlier_mm)
    shaft = _shaft(arc, ends, across[within & near], cells.weights[within & near], plane, config)
    width_mm = 4 * _spread(across[around], cells.weights[around], plane.cell_mm)
    long_enough = shaft.length_mm >= max(config.min_length_mm, config.min_elongation * width_mm)
    seen = float(np.mean(ends.profile >= config.min_probability))
    return shaft if long_enough and seen >= config.min_coverage else None


def _heaviest_run(along: Weights, weights: Weights, max_gap_mm: float) -> tuple[float, float] | None:
    """The stretch without a long gap that carries the most weight."""
    if len(along) == 0:
        return None
    order = np.argsort(along, kind="stable")
    positions = along[order]
    starts = np.concatenate([[0], 1 + np.flatnonzero(positions[1:] - positions[:-1] > max_gap_mm)])
    ends = np.concatenate([starts[1:], [len(positions)]]) - 1
    heaviest = int(np.argmax(np.add.reduceat(weights[order], starts)))
    return float(positions[starts[heaviest]]), float(positions[ends[heaviest]])


@dataclass(frozen=True, slots=True)
class _Ends:
    """First and last position of a shaft, its profile between them, and how each end fades."""

    first: float
    last: float
    profile: Weights
    first_haze_mm: float
    last_haze_mm: float


def _ends(arc: _Arc, needle_HW: npt.NDArray[np.float32], run: tuple[float, float], plane: ScanPlane) -> _Ends:
    """Where the probability crosses half of the shaft's own level."""
    margin_mm = 2 * plane.cell_mm
    positions = np.arange(run[0] - margin_mm, run[1] + margin_mm, _STEP_MM)
    cells = plane.to_cells(arc.at(positions)).astype(np.float32)
    sampled = cv2.remap(needle_HW, cells[:, 0], cells[:, 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    profile = sampled.ravel().astype(np.float64)
    level = quantile(profile, 0.75)
    bright = np.flatnonzero(profile >= level / 2)
    first, last = int(bright[0]), int(bright[-1])
    full = np.flatnonzero(profile >= 0.8 * level)
    blur_mm = 2 * plane.cell_mm
    hazes = (full[0] - first) * _STEP_MM - blur_mm, (last - full[-1]) * _STEP_MM - blur_mm
    return _Ends(
        float(positions[first]),
        float(positions[last]),
        profile[first : last + 1],
        max(float(hazes[0]), 0.0),
        max(float(hazes[1]), 0.0),
    )


def _shaft(arc: _Arc, ends: _Ends, across: Weights, weights: Weights, plane: ScanPlane, config: NeedleConfig) -> Shaft:
    first_mm, last_mm = arc.at(ends.first), arc.at(ends.last)
    length = ends.last - ends.first
    scatter = max(_spread(across, weights, plane.cell_mm) if len(across) else 0.0, plane.cell_mm / 2)
    slope_deg = math.degrees(math.atan(math.sqrt(12) * scatter / max(length, 0.1) / math.sqrt(max(length, 1.0))))
    return Shaft(
        line=Line(last_mm, arc.direction(ends.last)),
        shallow_mm=first_mm,
        end_mm=last_mm,
        confidence=float(ends.profile.mean()),
        bend_mm=arc.polynomial[2] * length**2 / 4,
        support=float(weights.sum()),
        sigma_across_mm=math.hypot(config.across_sigma_mm, 2 * scatter / math.sqrt(max(length, 1.0))),
        sigma_direction_deg=math.hypot(config.direction_sigma_deg, slope_deg),
        shallow_haze_mm=ends.first_haze_mm,
        end_haze_mm=ends.last_haze_mm,
    )


def _spread(across: Weights, weights: Weights, cell_mm: float) -> float:
    """Standard deviation across the line, the cell's own width taken off."""
    if len(across) == 0:
        return math.inf
    return math.sqrt(max(float(across**2 @ weights / weights.sum()) - cell_mm**2 / 12, 0.0))
