"""The needle of one frame: its shaft as a line through the probabilities, its tip from landmark and shaft."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from hipseg import anatomy
from hipseg.guidance.config import NeedleConfig
from hipseg.guidance.geometry import Line, Points, ScanPlane, angle_to_skin_deg, fit_line
from hipseg.guidance.structures import Scene
from hipseg.runtime.segmentation import Landmark

_MAX_PIECES = 5
_MAX_SHARE_OF_IMAGE = 0.2
_STEP_MM = 0.1
_LEVEL_DEG = 5.0


@dataclass(frozen=True, slots=True)
class Shaft:
    """The visible part of a needle.

    Attributes:
        line: through it, directed from entry to tip.
        shallow_mm, end_mm: its first and last visible point [2]; `end_mm` is the tip as the mask has it.
        confidence: mean needle probability along it, gaps included, 0-1.
    """

    line: Line
    shallow_mm: Points
    end_mm: Points
    confidence: float

    @property
    def length_mm(self) -> float:
        """Of the visible part."""
        return float(np.hypot(*(self.end_mm - self.shallow_mm)))


@dataclass(frozen=True, slots=True)
class Tip:
    """Where the tip is, and how far off that may be.

    Attributes:
        point_mm: [2].
        sigma_mm: standard deviation, disagreement between the ways to find it included.
    """

    point_mm: Points
    sigma_mm: float


@dataclass(frozen=True, slots=True)
class NeedleSighting:
    """What one frame shows of a needle; the tip is None when it isn't visible."""

    shaft: Shaft
    tip: Tip | None


def find_needle(scene: Scene, landmarks: dict[str, Landmark], config: NeedleConfig) -> NeedleSighting | None:
    """The needle of a frame, None when there is nothing like one.

    Args:
        scene: of the frame.
        landmarks: of the model; one without a needle_tip leaves the tip to the mask.
        config: thresholds.
    """
    shaft = find_shaft(scene.probabilities_CHW[anatomy.NEEDLE], scene.plane, config)
    if shaft is None:
        return None
    entry = _seen(landmarks.get("needle_entry"), scene.plane, config)
    shaft = _turned(shaft, _seen(landmarks.get("needle_tip"), scene.plane, config), entry, scene.plane)
    return NeedleSighting(shaft, _tip(shaft, landmarks.get("needle_tip"), scene.plane, config))


def find_shaft(needle_HW: npt.NDArray[np.float32], plane: ScanPlane, config: NeedleConfig) -> Shaft | None:
    """Fits the straight line that most needle probability lies on, and finds where along it the needle is seen.

    Candidates are the axes of the largest connected pieces and the lines through pairs of them, so that a shaft in
    pieces is put together and a parallel copy, a speck or a second needle does not bend the line. Each is
    refined by reweighted least squares with Tukey's biweight; the best that is seen along its length is the shaft.
    """
    mask_HW = (needle_HW >= config.min_probability).view(np.uint8)
    rows, columns = np.nonzero(mask_HW)
    if len(rows) < 2 or len(rows) > _MAX_SHARE_OF_IMAGE * needle_HW.size:
        return None
    points = plane.from_cells(np.stack([columns, rows], axis=1))
    weights = needle_HW[rows, columns].astype(np.float64)
    candidates = _candidates(points, weights, _largest_pieces(mask_HW, rows, columns, weights))
    supported = sorted(candidates, key=lambda line: -_support(line, points, weights, config.inlier_mm))
    for candidate in supported:
        line = _refine(candidate, points, weights, config.inlier_mm)
        if (shaft := _visible_part(line, needle_HW, points, weights, plane, config)) is not None:
            return shaft
    return None


def _largest_pieces(
    mask_HW: npt.NDArray[np.uint8], rows: npt.NDArray[np.intp], columns: npt.NDArray[np.intp], weights: Points
) -> list[npt.NDArray[np.intp]]:
    """Indices of the points of each connected piece, heaviest first."""
    _, pieces_HW = cv2.connectedComponents(mask_HW, connectivity=8)
    piece_of_point = pieces_HW[rows, columns]
    mass = np.bincount(piece_of_point, weights=weights)
    heaviest = np.argsort(-mass, kind="stable")[:_MAX_PIECES]
    return [np.flatnonzero(piece_of_point == piece) for piece in heaviest if mass[piece] > 0]


def _candidates(points: Points, weights: Points, pieces: list[npt.NDArray[np.intp]]) -> Iterator[Line]:
    axes = [fit_line(points[piece], weights[piece]) for piece in pieces]
    yield from axes
    for one, other in itertools.combinations(axes, 2):
        between = other.point_mm - one.point_mm
        if (apart_mm := np.hypot(*between)) > 0:
            yield Line(one.point_mm, between / apart_mm)


def _support(line: Line, points: Points, weights: Points, inlier_mm: float) -> float:
    return float(weights[np.abs(line.across(points)) < inlier_mm].sum())


def _refine(line: Line, points: Points, weights: Points, inlier_mm: float) -> Line:
    for _ in range(4):
        relative = line.across(points) / (1.5 * inlier_mm)
        biweight = weights * np.square(np.clip(1 - relative**2, 0, None))
        if np.count_nonzero(biweight) < 2:
            break
        line = fit_line(points, biweight)
    return line


def _visible_part(
    line: Line,
    needle_HW: npt.NDArray[np.float32],
    points: Points,
    weights: Points,
    plane: ScanPlane,
    config: NeedleConfig,
) -> Shaft | None:
    near = np.abs(line.across(points)) < config.inlier_mm
    run = _heaviest_run(line.along(points[near]), weights[near], config.max_gap_mm + 2 * plane.cell_mm)
    if run is None:
        return None
    first, last, profile = _ends(line, needle_HW, run, plane)
    shaft = Shaft(line, line.at(first), line.at(last), float(profile.mean()))
    within = (line.along(points[near]) >= first) & (line.along(points[near]) <= last)
    width_mm = 4 * _spread(line.across(points[near][within]), weights[near][within], plane.cell_mm)
    seen = np.mean(profile >= config.min_probability)
    long_enough = shaft.length_mm >= max(config.min_length_mm, config.min_elongation * width_mm)
    return shaft if long_enough and seen >= config.min_coverage else None


def _heaviest_run(along: Points, weights: Points, max_gap_mm: float) -> tuple[float, float] | None:
    """The stretch without a long gap that carries the most weight."""
    if len(along) == 0:
        return None
    order = np.argsort(along, kind="stable")
    positions = along[order]
    starts = np.flatnonzero(np.diff(positions, prepend=-np.inf) > max_gap_mm)
    ends = np.append(starts[1:], len(positions)) - 1
    heaviest = int(np.argmax(np.add.reduceat(weights[order], starts)))
    return float(positions[starts[heaviest]]), float(positions[ends[heaviest]])


def _ends(
    line: Line, needle_HW: npt.NDArray[np.float32], run: tuple[float, float], plane: ScanPlane
) -> tuple[float, float, Points]:
    """First and last position where the probability crosses half of the shaft's own level, and the profile between."""
    margin_mm = 2 * plane.cell_mm
    positions = np.arange(run[0] - margin_mm, run[1] + margin_mm, _STEP_MM)
    cells = plane.to_cells(line.at(positions)).astype(np.float32)
    sampled = cv2.remap(needle_HW, cells[:, 0], cells[:, 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    profile = sampled.ravel().astype(np.float64)
    bright = np.flatnonzero(profile >= np.percentile(profile, 75) / 2)
    first, last = int(bright[0]), int(bright[-1])
    return float(positions[first]), float(positions[last]), profile[first : last + 1]


def _spread(across: Points, weights: Points, cell_mm: float) -> float:
    """Standard deviation across the line, the cell's own width taken off."""
    if len(across) == 0:
        return math.inf
    return math.sqrt(max(float(np.average(across**2, weights=weights)) - cell_mm**2 / 12, 0.0))


def _turned(shaft: Shaft, tip_mm: Points | None, entry_mm: Points | None, plane: ScanPlane) -> Shaft:
    """Directs a shaft from entry to tip.

    The tip landmark decides, then the entry landmark, then depth; a nearly level needle came in from the nearer side.
    """
    if tip_mm is not None:
        backwards = np.hypot(*(tip_mm - shaft.shallow_mm)) < np.hypot(*(tip_mm - shaft.end_mm))
    elif entry_mm is not None:
        backwards = np.hypot(*(entry_mm - shaft.end_mm)) < np.hypot(*(entry_mm - shaft.shallow_mm))
    elif angle_to_skin_deg(shaft.line.direction) > _LEVEL_DEG:
        backwards = shaft.end_mm[1] < shaft.shallow_mm[1]
    else:
        backwards = _to_side(shaft.end_mm, plane) < _to_side(shaft.shallow_mm, plane)
    if not backwards:
        return shaft
    return Shaft(Line(shaft.line.point_mm, -shaft.line.direction), shaft.end_mm, shaft.shallow_mm, shaft.confidence)


def _to_side(point_mm: Points, plane: ScanPlane) -> float:
    return float(min(point_mm[0], plane.size_mm[0] - point_mm[0]))


def _seen(landmark: Landmark | None, plane: ScanPlane, config: NeedleConfig) -> Points | None:
    """Position of a landmark that is visible, millimetres."""
    if landmark is None or not landmark.visibility >= config.min_tip_visibility:
        return None
    point_mm = plane.from_scan_px((landmark.x_px, landmark.y_px))
    return point_mm if np.isfinite(point_mm).all() and math.isfinite(landmark.sigma_px) else None


def _tip(shaft: Shaft, landmark: Landmark | None, plane: ScanPlane, config: NeedleConfig) -> Tip | None:
    """The surer of landmark and end of the mask, on the line; their disagreement is part of the doubt."""
    by_mask = Tip(shaft.end_mm, math.hypot(config.end_sigma_mm, plane.cell_mm / 2))
    if landmark is None:
        return by_mask
    seen_mm = _seen(landmark, plane, config)
    if seen_mm is None:
        return None
    by_landmark = Tip(seen_mm, max(landmark.sigma_px * plane.pixel_mm, plane.cell_mm / 4))
    apart_mm = float(np.hypot(*(by_landmark.point_mm - by_mask.point_mm)))
    best = _blend(by_landmark, by_mask, apart_mm)
    sigma_mm = math.hypot(best.sigma_mm, apart_mm / 2)
    on_line = shaft.line.at(shaft.line.along(best.point_mm))
    return Tip(on_line, sigma_mm) if sigma_mm <= config.max_sigma_mm else None


def _blend(one: Tip, other: Tip, apart_mm: float) -> Tip:
    """Inverse-variance mean of two that agree within two sigma, else the surer one: a mean of two places is neither."""
    if apart_mm > 2 * math.hypot(one.sigma_mm, other.sigma_mm):
        return min(one, other, key=lambda tip: tip.sigma_mm)
    precision = 1 / one.sigma_mm**2, 1 / other.sigma_mm**2
    total = sum(precision)
    point = (precision[0] * one.point_mm + precision[1] * other.point_mm) / total
    return Tip(point, math.sqrt(1 / total))
