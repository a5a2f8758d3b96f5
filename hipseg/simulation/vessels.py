"""Vessels, nerve, plaques and lymph nodes as signed distances."""

from __future__ import annotations

import numpy as np

from hipseg.simulation.capsule import FAR
from hipseg.simulation.patient import Branch, LymphNode, Patient, Plaque, Vessel
from hipseg.simulation.surfaces import Array, ellipse, ellipsoid, smooth_step

_NARROWING_MM = 15.0
_BETWEEN_VESSELS_MM = 0.5
_OFF_NERVE_MM = 0.6
_OFF_BONE_MM = 0.6
_OUTER_WALL_MM = 0.25


def kept_apart(artery: Array, vein: Array, nerve: Array, solid: Array) -> dict[str, Array]:
    """`artery`, `vein` and `nerve` of `Section`: tubes that press each other in and keep off bone and capsule.

    Args:
        artery, vein, nerve: distances to the tubes as if each were alone.
        solid: distance to what they cannot enter.
    """
    outside = np.float32(_OFF_BONE_MM) - solid
    artery = np.maximum(artery, outside)
    vein = np.maximum(np.maximum(vein, _BETWEEN_VESSELS_MM - artery), outside)
    nerve = np.maximum(np.maximum(nerve, _OFF_NERVE_MM - np.minimum(artery, vein)), outside)
    return {"artery": artery, "vein": vein, "nerve": nerve}


def tube(vessel: Vessel, x: Array, y: Array, z: Array, scale: float = 1.0) -> Array:
    """First-order distance to a vessel's outer wall, its radii times `scale`."""
    beside = x - np.float32(vessel.x_mm) + np.float32(vessel.drift_x) * y
    below = z - np.float32(vessel.z_mm) + np.float32(vessel.drift_z) * y
    cos_r, sin_r = np.float32(np.cos(vessel.roll_rad)), np.float32(np.sin(vessel.roll_rad))
    first, second = cos_r * beside - sin_r * below, sin_r * beside + cos_r * below
    second = second - np.float32(vessel.bend_per_mm) * first * first
    semi_x_mm = vessel.semi_x_mm * scale
    if vessel.taper:
        second = second / (1 + np.float32(vessel.taper) * np.clip(first / np.float32(semi_x_mm), -1, 1))
    return ellipse(first, second, semi_x_mm, vessel.semi_z_mm * scale)


def branches(patient: Patient, x: Array, y: Array, capsule: Array, others: Array) -> Array:
    """Distance to the branches of the lateral circumflex artery.

    Args:
        patient: whose they are.
        x, y: the points.
        capsule: their distance to its outer face, over which the branches run.
        others: distance to what they keep off.
    """
    distance = np.full(x.shape, FAR, np.float32)
    for branch in patient.branches:
        distance = np.minimum(distance, _branch(branch, x, y, capsule))
    return np.maximum(distance, _BETWEEN_VESSELS_MM - others) if patient.branches else distance


def _branch(branch: Branch, x: Array, y: Array, capsule: Array) -> Array:
    slope = np.float32(branch.drift_y)
    # The distance across a tube that runs obliquely is shorter than that along y.
    beside = (y - np.float32(branch.y_mm) - slope * x) / np.sqrt(1 + slope * slope)
    above = capsule - np.float32(branch.above_capsule_mm)
    wide = smooth_step(x - np.float32(branch.start_x_mm), _NARROWING_MM, 0.0)
    radius = np.float32(branch.radius_mm) + np.float32(branch.origin_radius_mm - branch.radius_mm) * wide
    distance: Array = np.maximum(np.hypot(beside, above) - radius, np.float32(branch.start_x_mm) - x)
    return distance


def plaques(patient: Patient, x: Array, y: Array, z: Array, artery: Array) -> Array:
    """Distance to the calcium in the artery's wall."""
    distance = np.full(x.shape, FAR, np.float32)
    for plaque in patient.plaques:
        distance = np.minimum(distance, _plaque(plaque, patient.artery, x, y, z, artery))
    return distance


def _plaque(plaque: Plaque, vessel: Vessel, x: Array, y: Array, z: Array, artery: Array) -> Array:
    beside = x - np.float32(vessel.x_mm) + np.float32(vessel.drift_x) * y
    below = z - np.float32(vessel.z_mm) + np.float32(vessel.drift_z) * y
    turn = np.arctan2(below, beside) - np.float32(plaque.angle_rad)
    turn = np.abs(np.remainder(turn + np.pi, 2 * np.pi) - np.pi)
    around = (turn - np.float32(plaque.half_width_rad)) * np.float32(vessel.semi_z_mm)
    along = np.abs(y - np.float32(plaque.y_mm)) - np.float32(plaque.half_length_mm)
    half_mm = plaque.thickness_mm / 2
    in_wall = np.abs(artery + np.float32(_OUTER_WALL_MM + half_mm)) - np.float32(half_mm)
    distance: Array = np.maximum(np.maximum(in_wall, around), along).astype(np.float32)
    return distance


def nodes(patient: Patient, x: Array, y: Array, z: Array, others: Array) -> tuple[Array, Array]:
    """Distances to lymph nodes and to the hila within them.

    Args:
        patient: whose they are.
        x, y, z: the points.
        others: distance to what nodes keep off: skin, vessels, nerve, joint.
    """
    node, hilum = np.full(x.shape, FAR, np.float32), np.full(x.shape, FAR, np.float32)
    for one in patient.nodes:
        node = np.minimum(node, _ellipsoid(one, x, y, z, 1.0))
        hilum = np.minimum(hilum, _ellipsoid(one, x, y, z, one.hilum))
    if patient.nodes:
        node = np.maximum(node, 0.8 - others)
        hilum = np.maximum(hilum, node + 0.6)
    return node, hilum


def _ellipsoid(node: LymphNode, x: Array, y: Array, z: Array, scale: float) -> Array:
    cx, cy, cz = (np.float32(component) for component in node.centre_mm)
    semi_x, semi_y, semi_z = (scale * semi for semi in node.semi_mm)
    return ellipsoid(x - cx, y - cy, z - cz, semi_x, semi_y, semi_z)
