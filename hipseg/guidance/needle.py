"""The needle of one frame: which of the shafts may be it, and where its tip is, from landmark and shaft."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from hipseg import anatomy
from hipseg.guidance.config import NeedleConfig
from hipseg.guidance.geometry import Points, ScanPlane, angle_to_skin_deg
from hipseg.guidance.shaft import Shaft, find_shafts
from hipseg.guidance.structures import Scene
from hipseg.runtime.segmentation import Landmark

_LEVEL_DEG = 5.0
_COPY_SUPPORT, _LOBE_SUPPORT = 0.4, 0.5
"""Share of its copy's support that a needle has at least, and of the needle's that a side lobe has at most."""
_LOBE_ANGLE_DEG, _LOBE_NEAR_MM = 40.0, 6.0


@dataclass(frozen=True, slots=True)
class Tip:
    """Where the tip is, and how far off that may be.

    Attributes:
        point_mm: [2].
        sigma_mm: standard deviation on its worse axis, disagreement between the ways to find it included.
        sigma_along_mm, sigma_across_mm: along the needle and across it; None: as `sigma_mm`.
    """

    point_mm: Points
    sigma_mm: float
    sigma_along_mm: float | None = None
    sigma_across_mm: float | None = None


@dataclass(frozen=True, slots=True)
class NeedleSighting:
    """What one frame shows of a needle; the tip is None when it isn't visible."""

    shaft: Shaft
    tip: Tip | None


def find_needle(scene: Scene, landmarks: dict[str, Landmark], config: NeedleConfig) -> NeedleSighting | None:
    """The best supported needle of a single frame, None when there is nothing like one.

    A single image shows no motion that could prove a needle: short, blurred or faint finds do not count.

    Args:
        scene: of the frame.
        landmarks: of the model; one without a needle_tip leaves the tip to the mask.
        config: thresholds.
    """
    strict = replace(config, min_length_mm=config.still_length_mm, min_elongation=config.still_elongation)
    found = find_needles(scene, landmarks, strict)
    return found[0] if found and found[0].shaft.confidence >= config.still_confidence else None


def find_needles(scene: Scene, landmarks: dict[str, Landmark], config: NeedleConfig) -> list[NeedleSighting]:
    """Everything that may be the needle of a frame, best supported first; copies of a needle are left out.

    More rivals than anyone holds needles mean that the mask is wrong: then none of them has a tip.
    """
    every = find_shafts(scene.probabilities_CHW[anatomy.NEEDLE], scene.plane, config)
    if not every:
        return []
    rivals = sum(shaft.support >= config.min_rival_support * every[0].support for shaft in every[1:])
    shafts = _without_copies(every, config)
    tip, entry = landmarks.get("needle_tip"), landmarks.get("needle_entry")
    tip_mm, entry_mm = _seen(tip, scene.plane, config), _seen(entry, scene.plane, config)
    turned = [_turned(shaft, tip_mm, entry_mm, scene.plane) for shaft in shafts]
    if rivals > config.max_rivals:
        return [NeedleSighting(shaft, None) for shaft in turned]
    owner = _owner(turned, tip_mm)
    return [
        NeedleSighting(shaft, _tip(shaft, tip, scene.plane, config, is_owner=index == owner))
        for index, shaft in enumerate(turned)
    ]


def _without_copies(shafts: list[Shaft], config: NeedleConfig) -> list[Shaft]:
    """Leaves out what reverberation and side lobes repeat of a better supported or shallower shaft.

    The best supported stays where each might be a copy of another: something made the echoes.
    """
    first = [
        shaft
        for shaft in shafts
        if not any(_is_reverberation(shaft, other, config) or _is_side_lobe(shaft, other) for other in shafts)
    ]
    return first or shafts[:1]


def _angle_between_deg(one: Shaft, other: Shaft) -> float:
    cosine = abs(float(one.chord.direction @ other.chord.direction))
    return math.degrees(math.acos(min(cosine, 1.0)))


def _is_reverberation(shaft: Shaft, other: Shaft, config: NeedleConfig) -> bool:
    """Parallel to another shaft and below it: sound that went to and fro between needle and probe, or in the needle."""
    if shaft is other or _angle_between_deg(shaft, other) > config.copy_angle_deg:
        return False
    deeper = _depth_below(shaft, other) > config.inlier_mm / 2
    return deeper and _overlap_mm(shaft, other) > 0 and other.support >= _COPY_SUPPORT * shaft.support


def _depth_below(shaft: Shaft, other: Shaft) -> float:
    """How far a shaft's middle lies below another's line, along the beam."""
    middle, line = (shaft.shallow_mm + shaft.end_mm) / 2, other.chord
    if abs(line.direction[0]) < 1e-6:
        return 0.0
    step = (middle[0] - line.point_mm[0]) / line.direction[0]
    return float(middle[1] - line.at(step)[1])


def _overlap_mm(shaft: Shaft, other: Shaft) -> float:
    """Common length of two shafts across the image, where beams pass through both."""
    one, two = (sorted((part.shallow_mm[0], part.end_mm[0])) for part in (shaft, other))
    return float(min(one[1], two[1]) - max(one[0], two[0]))


def _is_side_lobe(shaft: Shaft, other: Shaft) -> bool:
    """Faint beside a much better supported shaft, and pointing nearly the same way."""
    if shaft.support >= _LOBE_SUPPORT * other.support or _angle_between_deg(shaft, other) > _LOBE_ANGLE_DEG:
        return False
    ends = np.stack([shaft.shallow_mm, (shaft.shallow_mm + shaft.end_mm) / 2, shaft.end_mm])
    along = other.chord.along(ends)
    beside = (along > 0) & (along < other.length_mm + _LOBE_NEAR_MM)
    return bool((np.abs(other.chord.across(ends)[beside]) < _LOBE_NEAR_MM).any())


def _turned(shaft: Shaft, tip_mm: Points | None, entry_mm: Points | None, plane: ScanPlane) -> Shaft:
    """Directs a shaft from entry to tip.

    The tip landmark decides, then the entry landmark, then depth; a nearly level needle came in from the nearer side.
    """
    if tip_mm is not None:
        backwards = np.hypot(*(tip_mm - shaft.shallow_mm)) < np.hypot(*(tip_mm - shaft.end_mm))
    elif entry_mm is not None:
        backwards = np.hypot(*(entry_mm - shaft.end_mm)) < np.hypot(*(entry_mm - shaft.shallow_mm))
    elif angle_to_skin_deg(shaft.chord.direction) > _LEVEL_DEG:
        backwards = shaft.end_mm[1] < shaft.shallow_mm[1]
    else:
        backwards = _to_side(shaft.end_mm, plane) < _to_side(shaft.shallow_mm, plane)
    return shaft.turned() if backwards else shaft


def _to_side(point_mm: Points, plane: ScanPlane) -> float:
    return float(min(point_mm[0], plane.size_mm[0] - point_mm[0]))


def _owner(shafts: list[Shaft], tip_mm: Points | None) -> int | None:
    """Whose tip the landmark is: the shaft with the nearest end; None without a visible landmark."""
    if tip_mm is None:
        return None
    return int(np.argmin([np.hypot(*(shaft.end_mm - tip_mm)) for shaft in shafts]))


def _seen(landmark: Landmark | None, plane: ScanPlane, config: NeedleConfig) -> Points | None:
    """Position of a landmark that is visible, millimetres."""
    if landmark is None or not landmark.visibility >= config.min_tip_visibility:
        return None
    point_mm = plane.from_scan_px((landmark.x_px, landmark.y_px))
    return point_mm if np.isfinite(point_mm).all() and math.isfinite(landmark.sigma_px) else None


def _tip(
    shaft: Shaft, landmark: Landmark | None, plane: ScanPlane, config: NeedleConfig, *, is_owner: bool
) -> Tip | None:
    """The surer of landmark and end of the mask, on the line; their disagreement is part of the doubt.

    A mask that fades out, or a landmark that sees the tip of another shaft, adds to the doubt. A landmark on the line
    is as sure as the mask's end and goes first, whatever its heat map also shows elsewhere: a line found without it
    passes through it by chance in one case of twenty or so. Of 100 simulated validation frames with a landmark on the
    line whose map is wider than 3 mm, it was within 1 mm of the tip in 74, the mask's end in 55 (hip-fast 0.1.0,
    hip-accurate); where the two lay 1 mm or more apart, in 43 of 65 and 5 of 65.
    """
    end_sigma_mm = math.hypot(config.end_sigma_mm, plane.cell_mm / 2, shaft.end_haze_mm / 2)
    if landmark is None:
        return _on_shaft(shaft, 0.0, end_sigma_mm, 0.0, config)
    seen_mm = _seen(landmark, plane, config)
    if seen_mm is None:
        return None
    if not is_owner:
        return _on_shaft(shaft, 0.0, 2 * end_sigma_mm, 0.0, config)
    seen_sigma_mm = max(landmark.sigma_px * plane.pixel_mm, plane.cell_mm / 4)
    along = float(shaft.line.along(seen_mm) - shaft.line.along(shaft.end_mm))
    beside_mm = abs(float(shaft.line.across(seen_mm)))
    if beside_mm <= config.on_line_mm:
        seen_sigma_mm = min(seen_sigma_mm, end_sigma_mm)
    best, sigma_mm = _blend(along, seen_sigma_mm, 0.0, end_sigma_mm)
    return _on_shaft(shaft, best, math.hypot(sigma_mm, along / 2), beside_mm / 2, config)


def _on_shaft(shaft: Shaft, beyond_mm: float, along_mm: float, beside_mm: float, config: NeedleConfig) -> Tip | None:
    """A tip so far beyond the mask's end, None when it is in too much doubt."""
    lever_mm = abs(beyond_mm) * math.radians(shaft.sigma_direction_deg)
    across_mm = math.hypot(shaft.sigma_across_mm, lever_mm, beside_mm)
    sigma_mm = max(along_mm, across_mm)
    if not sigma_mm <= config.max_sigma_mm:
        return None
    point_mm = shaft.end_mm + beyond_mm * shaft.line.direction
    return Tip(point_mm, sigma_mm, along_mm, across_mm)


def _blend(one: float, one_sigma: float, other: float, other_sigma: float) -> tuple[float, float]:
    """Inverse-variance mean of two that agree within two sigma, else the surer one: a mean of two places is neither.

    The first of two that are as sure.
    """
    if abs(one - other) > 2 * math.hypot(one_sigma, other_sigma):
        return (one, one_sigma) if one_sigma <= other_sigma else (other, other_sigma)
    precisions = 1 / one_sigma**2, 1 / other_sigma**2
    total = sum(precisions)
    return (precisions[0] * one + precisions[1] * other) / total, math.sqrt(1 / total)
