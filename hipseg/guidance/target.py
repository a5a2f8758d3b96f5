"""Where the injection should go: the anterior recess, midway between the deep face of the capsule and the cortex.

Along the neck that is at the head-neck junction; with the probe across the head, where its surface begins to fall off
laterally, whence the needle comes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from hipseg import anatomy
from hipseg.guidance.config import Approach, Side, TargetConfig
from hipseg.guidance.geometry import Points, fit_circle, nearest_to
from hipseg.guidance.structures import Scene
from hipseg.runtime.segmentation import Landmark

_CAPSULE_END_MM, _CIRCLE_MISFIT_MM = 1.0, 2.0
_MUCH_NECK = 0.4
"""Share of the head's area: with so much of the neck in view, the probe lies along it."""

_SIDES = {Side.left: -1, Side.right: 1}
_JUNCTION_GAP_MM = 4.0
"""Head and neck drawn further apart than this do not show their junction."""


@dataclass(frozen=True, slots=True)
class Target:
    """The place to inject.

    Attributes:
        point_mm: [2], midway in the recess.
        foot_mm: [2], the cortex below it: the head-neck junction, or the place on the head.
        approach: longitudinal or transverse.
        side: of the image from which the needle should come: 1 right, -1 left; None when that can't be told.
    """

    point_mm: Points
    foot_mm: Points
    approach: Approach
    side: int | None = None


def find_target(scene: Scene, landmarks: dict[str, Landmark], config: TargetConfig) -> Target | None:
    """The target of a frame; None where capsule or bone is missing, so that it can't be measured.

    Args:
        scene: of the frame.
        landmarks: of the model.
        config: approach and limits.
    """
    approach = _approach(scene, config)
    capsule = scene.surface(anatomy.ANTERIOR_CAPSULE)
    if approach is None or capsule is None or len(capsule.deep_mm) == 0:
        return None
    if approach is Approach.longitudinal:
        foot_mm = _junction(scene, landmarks.get("head_neck_junction"), config)
    else:
        foot_mm = _on_head(scene, config)
    if foot_mm is None:
        return None
    gap_mm = _gap_above(foot_mm, capsule.deep_mm)
    if gap_mm is None or not 0 <= gap_mm <= config.max_gap_mm:
        return None
    return Target(foot_mm - (0, gap_mm / 2), foot_mm, approach, _needle_side(scene, approach, config))


def _gap_above(foot_mm: Points, capsule_mm: Points) -> float | None:
    """Along the beam from the cortex up to the capsule's deep face; None beyond the capsule's end."""
    if np.min(np.abs(capsule_mm[:, 0] - foot_mm[0])) > _CAPSULE_END_MM:
        return None
    return float(foot_mm[1] - np.interp(foot_mm[0], capsule_mm[:, 0], capsule_mm[:, 1]))


def _approach(scene: Scene, config: TargetConfig) -> Approach | None:
    """What was asked for, else what the picture shows.

    The femoral vessels lie beside the head, not in line with the neck: a view of them is across, unless much of the
    neck is seen too. Small branches cross a view along the neck as well and say nothing.
    """
    if config.approach is not Approach.auto:
        return config.approach
    head, neck = scene.cells(anatomy.FEMORAL_HEAD), scene.cells(anatomy.FEMORAL_NECK)
    if head is None:
        return None
    beside_vessels = _shows_main_vessel(scene, config.main_vessel_mm2)
    if neck is not None and (not beside_vessels or np.count_nonzero(neck) > _MUCH_NECK * np.count_nonzero(head)):
        return Approach.longitudinal
    return Approach.transverse if beside_vessels else None


def _shows_main_vessel(scene: Scene, area_mm2: float) -> bool:
    cells = (scene.cells(vessel) for vessel in anatomy.VESSELS)
    return any(one is not None and np.count_nonzero(one) * scene.plane.cell_area_mm2 >= area_mm2 for one in cells)


def _junction(scene: Scene, landmark: Landmark | None, config: TargetConfig) -> Points | None:
    """The head-neck junction on the cortex, from the landmark if it is sure, else from where head meets neck."""
    head, neck = scene.surface(anatomy.FEMORAL_HEAD), scene.surface(anatomy.FEMORAL_NECK)
    if head is None or neck is None or not len(head.superficial_mm) or not len(neck.superficial_mm):
        return None
    cortex = np.concatenate([head.superficial_mm, neck.superficial_mm])
    if landmark is not None and _is_sure(landmark, scene.plane.pixel_mm, config):
        return nearest_to(scene.plane.from_scan_px((landmark.x_px, landmark.y_px)), cortex)
    return _meeting(head.superficial_mm, neck.superficial_mm)


def _is_sure(landmark: Landmark, pixel_mm: float, config: TargetConfig) -> bool:
    finite = math.isfinite(landmark.x_px) and math.isfinite(landmark.y_px)
    seen = landmark.visibility >= config.min_junction_visibility
    return finite and seen and landmark.sigma_px * pixel_mm <= config.max_junction_sigma_mm


def _meeting(head_mm: Points, neck_mm: Points) -> Points | None:
    """Midway between the nearest two points of both cortices, None when they do not meet."""
    offsets = head_mm[:, None, :] - neck_mm[None, :, :]
    squares = offsets[..., 0] ** 2 + offsets[..., 1] ** 2
    on_head, on_neck = np.unravel_index(np.argmin(squares), squares.shape)
    if squares[on_head, on_neck] > _JUNCTION_GAP_MM**2:
        return None
    return np.asarray((head_mm[on_head] + neck_mm[on_neck]) / 2)


def _on_head(scene: Scene, config: TargetConfig) -> Points | None:
    """The point of the head's cortex that slopes so much, on the side away from the vessels; the apex for 0.

    None when that part of the head is not in view.
    """
    head = scene.surface(anatomy.FEMORAL_HEAD)
    circle = None if head is None else fit_circle(head.superficial_mm)
    if head is None or circle is None:
        return None
    centre_mm, radius_mm = circle
    side = _SIDES.get(config.side) or _lateral_side(scene, float(centre_mm[0]))
    if side is None and config.transverse_slope_deg > 0:
        return None
    slope = math.radians(config.transverse_slope_deg) * (side or 0)
    sought_mm = centre_mm + radius_mm * np.array([math.sin(slope), -math.cos(slope)])
    found_mm = nearest_to(sought_mm, head.superficial_mm)
    return found_mm if np.hypot(*(found_mm - sought_mm)) <= _CIRCLE_MISFIT_MM else None


def _needle_side(scene: Scene, approach: Approach, config: TargetConfig) -> int | None:
    """As set, else: along the neck the needle comes over the neck, across the head from lateral."""
    if config.side in _SIDES:
        return _SIDES[config.side]
    head_x_mm = scene.middle_x_mm(anatomy.FEMORAL_HEAD)
    if head_x_mm is None:
        return None
    if approach is Approach.transverse:
        return _lateral_side(scene, head_x_mm)
    neck_x_mm = scene.middle_x_mm(anatomy.FEMORAL_NECK)
    return None if neck_x_mm is None else (1 if neck_x_mm > head_x_mm else -1)


def _lateral_side(scene: Scene, head_x_mm: float) -> int | None:
    """1 when lateral is to the right of the image, -1 to the left: the vessels are medial. None without them."""
    vessels_x_mm = [x_mm for vessel in anatomy.VESSELS if (x_mm := scene.middle_x_mm(vessel)) is not None]
    if not vessels_x_mm:
        return None
    return 1 if sum(vessels_x_mm) / len(vessels_x_mm) < head_x_mm else -1
