"""Where the injection should go: the anterior recess, midway between the deep face of the capsule and the cortex.

Along the neck that is at the head-neck junction; with the probe across the head, over the head's apex.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from hipseg import anatomy
from hipseg.guidance.config import Approach, TargetConfig
from hipseg.guidance.geometry import Points, nearest_to
from hipseg.guidance.structures import Scene
from hipseg.runtime.segmentation import Landmark

_CAPSULE_END_MM = 1.0
_JUNCTION_GAP_MM = 4.0
"""Head and neck drawn further apart than this do not show their junction."""


@dataclass(frozen=True, slots=True)
class Target:
    """The place to inject.

    Attributes:
        point_mm: [2], midway in the recess.
        foot_mm: [2], the cortex below it: the head-neck junction, or the head's apex.
        approach: longitudinal or transverse.
    """

    point_mm: Points
    foot_mm: Points
    approach: Approach


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
    longitudinal = approach is Approach.longitudinal
    foot_mm = _junction(scene, landmarks.get("head_neck_junction"), config) if longitudinal else _apex(scene)
    if foot_mm is None:
        return None
    above_mm = nearest_to(foot_mm, capsule.deep_mm)
    gap_mm = float(np.hypot(*(above_mm - foot_mm)))
    if gap_mm > config.max_gap_mm or not _covers(capsule.deep_mm, foot_mm):
        return None
    return Target((foot_mm + above_mm) / 2, foot_mm, approach)


def _covers(capsule_mm: Points, foot_mm: Points) -> bool:
    """Whether the capsule goes on above the place: beyond its end it bounds nothing."""
    beside_mm = np.abs(capsule_mm[:, 0] - foot_mm[0])
    nearest_column = np.argmin(beside_mm)
    return bool(beside_mm[nearest_column] <= _CAPSULE_END_MM and capsule_mm[nearest_column, 1] <= foot_mm[1])


def _approach(scene: Scene, config: TargetConfig) -> Approach | None:
    """What was asked for, else: a neck means along it; a head with vessels beside it, across."""
    if config.approach is not Approach.auto:
        return config.approach
    if scene.has(anatomy.FEMORAL_NECK):
        return Approach.longitudinal
    return Approach.transverse if any(scene.has(vessel) for vessel in anatomy.VESSELS) else None


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
    distances = np.hypot(offsets[..., 0], offsets[..., 1])
    on_head, on_neck = np.unravel_index(np.argmin(distances), distances.shape)
    if distances[on_head, on_neck] > _JUNCTION_GAP_MM:
        return None
    return np.asarray((head_mm[on_head] + neck_mm[on_neck]) / 2)


def _apex(scene: Scene) -> Points | None:
    """The point of the head's cortex nearest to the skin: the vertex of a parabola through its shallowest part."""
    head = scene.surface(anatomy.FEMORAL_HEAD)
    if head is None or not len(head.superficial_mm):
        return None
    cortex = head.superficial_mm
    top: Points = cortex[np.argmin(cortex[:, 1])]
    cap = cortex[np.abs(cortex[:, 0] - top[0]) <= 5.0]
    if len(cap) < 5:
        return top
    curve, slope, _ = np.polyfit(cap[:, 0] - top[0], cap[:, 1], 2)
    shift = -slope / (2 * curve) if curve > 0 else 0.0
    x = top[0] + np.clip(shift, cap[0, 0] - top[0], cap[-1, 0] - top[0])
    return np.array([x, np.interp(x, cap[:, 0], cap[:, 1])])
