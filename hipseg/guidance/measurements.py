"""Lengths and areas a clinician reads: clearances of needle and path, and the joint's own measures. None: not known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hipseg import anatomy
from hipseg.guidance.config import CapsuleFace, MeasurementConfig
from hipseg.guidance.geometry import Line, Points, distances_to
from hipseg.guidance.structures import Scene
from hipseg.guidance.target import Target

_PATH_STEP_MM = 0.5
_WIDEST_PERCENTILE = 95
"""The widest place, a single frayed cell left out."""


@dataclass(frozen=True, slots=True)
class Distances:
    """Clearances in millimetres, negative inside a structure; None where either end is not known."""

    tip_to_target: float | None = None
    tip_to_artery: float | None = None
    tip_to_vein: float | None = None
    tip_to_nerve: float | None = None
    tip_to_bone: float | None = None
    path_to_vessel: float | None = None
    path_miss_target: float | None = None
    tip_to_labrum: float | None = None
    tip_to_flow: float | None = None
    path_to_nerve: float | None = None
    path_to_flow: float | None = None


@dataclass(frozen=True, slots=True)
class Measurements:
    """Of the joint."""

    neck_capsule_distance_mm: float | None = None
    capsule_thickness_mm: float | None = None
    recess_area_mm2: float | None = None
    recess_width_mm: float | None = None
    artery_diameter_mm: float | None = None
    vein_diameter_mm: float | None = None
    hyperaemia: float | None = None


def clearance_mm(scene: Scene, points_mm: Points, class_ids: tuple[int, ...]) -> float | None:
    """Least signed distance from points [n, 2] to any of some structures, None when none of them is present."""
    surfaces = [surface.outline_mm for class_id in class_ids if (surface := scene.surface(class_id)) is not None]
    if not surfaces:
        return None
    distances = distances_to(points_mm, np.concatenate(surfaces))
    return float(np.min(np.where(scene.inside(points_mm, class_ids), -distances, distances)))


def path_ahead(line: Line, tip_mm: Points, length_mm: float) -> Points:
    """Points [n, 2] of the projected path, from the tip on."""
    steps = np.arange(0, length_mm + _PATH_STEP_MM / 2, _PATH_STEP_MM)
    return Line(tip_mm, line.direction).at(steps)


def miss_mm(line: Line, tip_mm: Points, target_mm: Points) -> float:
    """How far the projected path passes the target by; a target left behind is missed by its distance."""
    ahead = float((target_mm - tip_mm) @ line.direction)
    return float(np.hypot(*(target_mm - tip_mm))) if ahead < 0 else abs(float(line.across(target_mm)))


def measure_distances(
    scene: Scene, tip_mm: Points, line: Line, target: Target | None, config: MeasurementConfig
) -> Distances:
    """Every clearance of a needle whose tip and direction are known."""
    tip = tip_mm[None]
    path = path_ahead(line, tip_mm, config.path_mm)
    return Distances(
        tip_to_target=None if target is None else float(np.hypot(*(target.point_mm - tip_mm))),
        tip_to_artery=clearance_mm(scene, tip, (anatomy.FEMORAL_ARTERY,)),
        tip_to_vein=clearance_mm(scene, tip, (anatomy.FEMORAL_VEIN,)),
        tip_to_nerve=clearance_mm(scene, tip, (anatomy.FEMORAL_NERVE,)),
        tip_to_bone=clearance_mm(scene, tip, anatomy.BONES),
        path_to_vessel=clearance_mm(scene, path, anatomy.VESSELS),
        path_miss_target=None if target is None else miss_mm(line, tip_mm, target.point_mm),
    )


def measure_joint(scene: Scene, target: Target | None, config: MeasurementConfig) -> Measurements:
    """The joint's own measures, each where its structures are seen."""
    recess = scene.findings[anatomy.STRUCTURES[anatomy.JOINT_RECESS].name]
    return Measurements(
        neck_capsule_distance_mm=_neck_capsule_distance(scene, target, config),
        capsule_thickness_mm=_capsule_thickness(scene),
        recess_area_mm2=recess.area_mm2,
    )


def _neck_capsule_distance(scene: Scene, target: Target | None, config: MeasurementConfig) -> float | None:
    """From the cortex of the neck to the capsule above it, where that is widest (as collum-capsule distance is)."""
    neck, capsule = scene.surface(anatomy.FEMORAL_NECK), scene.surface(anatomy.ANTERIOR_CAPSULE)
    if neck is None or capsule is None or target is None:
        return None
    near = np.hypot(*(neck.superficial_mm - target.foot_mm).T) <= config.neck_length_mm
    face = capsule.deep_mm if config.neck_capsule_to is CapsuleFace.deep else capsule.superficial_mm
    covered = _beneath(neck.superficial_mm, face)
    cortex = neck.superficial_mm[near & covered]
    return float(np.percentile(distances_to(cortex, face), _WIDEST_PERCENTILE)) if len(cortex) else None


def _beneath(points_mm: Points, face_mm: Points) -> np.ndarray:
    """Which points lie under a face: beyond its ends the nearest point of it would be no distance to it."""
    if len(face_mm) == 0:
        return np.zeros(len(points_mm), dtype=bool)
    x = points_mm[:, 0]
    return np.asarray((x >= face_mm[:, 0].min()) & (x <= face_mm[:, 0].max()))


def _capsule_thickness(scene: Scene) -> float | None:
    """Median distance between both faces of the capsule."""
    capsule = scene.surface(anatomy.ANTERIOR_CAPSULE)
    if capsule is None or not len(capsule.deep_mm) or not len(capsule.superficial_mm):
        return None
    return float(np.median(distances_to(capsule.deep_mm, capsule.superficial_mm)))
