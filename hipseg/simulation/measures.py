"""What a frame's anatomy measures: the truth that measuring programs are held against.

Everything is of the body itself, not of the drawn labels: whole vessels under a needle, the head's circle although its
flanks return no echo, lengths between surfaces rather than pixels. None stands for what is not in the picture.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hipseg import anatomy
from hipseg.simulation.phantom import Section
from hipseg.simulation.regions import Points, Region
from hipseg.simulation.scene import PointUW, Scene, Survey
from hipseg.simulation.surfaces import Array

TARGET_LENGTH_MM = 10.0
"""Along the neck from the head-neck junction: where an injection may aim (clinical.md section 1)."""
_PATH_STEP_MM = 0.1


@dataclass(frozen=True, slots=True)
class Circle:
    """The head in the image plane."""

    centre_uw: PointUW
    radius_mm: float


@dataclass(frozen=True, slots=True)
class JointMeasures:
    """Of the anterior recess.

    Attributes:
        neck_capsule_distance_mm: from the neck's cortex to the capsule's outer face where it is widest, within
            `TARGET_LENGTH_MM` of the junction.
        recess_thickness_mm: the same, to the capsule's deep face: what fluid fills.
        capsule_thickness_mm: median over the picture.
        recess_area_mm2: of the recess in the picture, between capsule and cartilage or cortex.
    """

    neck_capsule_distance_mm: float | None
    recess_thickness_mm: float | None
    capsule_thickness_mm: float | None
    recess_area_mm2: float | None


def head_circle(scene: Scene) -> Circle | None:
    """The circle in which the plane cuts the femoral head's sphere, None where it misses it."""
    pose, radius_mm = scene.pose, scene.patient.bone.head_radius_mm
    to_centre = -np.array([pose.x_mm, pose.y_mm, pose.skin_z_mm])
    u, w, normal = (float(axis @ to_centre) for axis in pose.axes())
    if abs(normal) >= radius_mm:
        return None
    return Circle((u, w), math.sqrt(radius_mm**2 - normal**2))


def regions(seen: Survey) -> dict[str, Region | None]:
    """Every structure of the plane as polygons: vessels and nerve, joint, bones, and lymph nodes."""
    section = seen.section
    distances: dict[str, Array] = {
        "artery": section.artery,
        "branch": section.branch,
        "vein": section.vein,
        "nerve": section.nerve,
        "node": section.node,
        "labrum": section.labrum,
        "cartilage": np.maximum(section.cartilage, -section.bone),
        "capsule": np.maximum(section.capsule_outer, -np.minimum(section.capsule_inner, section.bone)),
        "recess": _recess(section),
        "bone": section.bone,
    }
    return {name: Region.of(distance, seen.u, seen.w) for name, distance in distances.items()}


def clearances_mm(found: Mapping[str, Region | None], points: Points) -> dict[str, float | None]:
    """Least signed distance of points [n, 2] to every structure, negative inside; from `regions`."""
    return {name: None if region is None else float(region.signed_mm(points).min()) for name, region in found.items()}


def path_clearances_mm(
    found: Mapping[str, Region | None], start_uw: PointUW, end_uw: PointUW
) -> dict[str, float | None]:
    """Least signed distance of a straight path to every structure; from `regions`."""
    length_mm = math.dist(start_uw, end_uw)
    share = np.linspace(0, 1, max(math.ceil(length_mm / _PATH_STEP_MM), 1) + 1)[:, None]
    return clearances_mm(found, np.asarray(start_uw) + share * np.subtract(end_uw, start_uw))


def joint_measures(scene: Scene, seen: Survey) -> JointMeasures:
    """Thickness and area of the recess and its capsule."""
    section, probe = seen.section, scene.probe
    recess = Region.of(_recess(section), seen.u, seen.w)
    outer, inner = (_face(distance, seen) for distance in (section.capsule_outer, section.capsule_inner))
    neck = _neck_cortex(scene, seen)
    median_mm = float(np.median(_distances(inner, outer))) if len(inner) and len(outer) else None
    metal = scene.patient.bone.metal
    return JointMeasures(
        neck_capsule_distance_mm=_widest(neck, outer, probe.line_mm),
        recess_thickness_mm=_widest(neck, inner, probe.line_mm),
        capsule_thickness_mm=None if metal else median_mm,
        recess_area_mm2=None if metal or recess is None else recess.area_mm2,
    )


def _recess(section: Section) -> Array:
    """Negative between the capsule's deep face and what it lies on."""
    solid = np.minimum(np.minimum(section.bone, section.cartilage), section.labrum)
    distance: Array = np.maximum(section.capsule_inner, -solid)
    return distance


def _face(distance_SL: Array, seen: Survey) -> Points:
    """Points [n, 2] where beams first enter a structure before they meet bone, between samples."""
    inside = distance_SL < 0
    first_L, lines = inside.argmax(axis=0), np.arange(distance_SL.shape[1])
    bone_L = (seen.section.bone < 0).argmax(axis=0)
    met = inside[first_L, lines] & (first_L > 0) & ((first_L <= bone_L) | (bone_L == 0))
    row, line = first_L[met], lines[met]
    outer, inner = distance_SL[row - 1, line], distance_SL[row, line]
    share = inner / np.minimum(inner - outer, -1e-6)
    u, w = (values[row, line] + share * (values[row - 1, line] - values[row, line]) for values in (seen.u, seen.w))
    return np.stack([u, w], axis=1).astype(np.float64)


def _neck_cortex(scene: Scene, seen: Survey) -> Points:
    """Points [n, 2] of the neck's surface from the head-neck junction to `TARGET_LENGTH_MM` beyond it."""
    cortex, probe = seen.cortex, scene.probe
    lines = np.flatnonzero((cortex.structure_L == anatomy.FEMORAL_NECK) & cortex.visible_L)
    sample = np.minimum(cortex.range_mm_L[lines] / probe.sample_mm, probe.beam_shape[0] - 1).astype(int)
    near = seen.section.along_neck[sample, lines] <= scene.phantom.junction_mm + TARGET_LENGTH_MM
    points = [probe.on_beam(float(line), float(cortex.range_mm_L[line])) for line in lines[near]]
    return np.array(points, np.float64).reshape(-1, 2)


def _widest(cortex: Points, face: Points, beside_mm: float) -> float | None:
    """The longest of the distances from cortex to face; of cortex under the face only, whose ends are no surface."""
    if len(cortex) == 0 or len(face) == 0:
        return None
    under = (cortex[:, 0] > face[:, 0].min() + beside_mm) & (cortex[:, 0] < face[:, 0].max() - beside_mm)
    return float(_distances(cortex[under], face).max()) if under.any() else None


def _distances(points: Points, face: Points) -> Points:
    """From each point to the nearest of a face."""
    gaps = points[:, None] - face[None]
    nearest: Points = np.sqrt((gaps**2).sum(axis=2).min(axis=1))
    return nearest
