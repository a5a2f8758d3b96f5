"""The anatomy of a frame for its truth: who the patient is, which variants, how large what is seen."""

from __future__ import annotations

import math
from typing import Any

from hipseg.simulation.measures import head_circle
from hipseg.simulation.patient import Patient
from hipseg.simulation.population.habitus import build_of
from hipseg.simulation.regions import Region
from hipseg.simulation.scene import Scene, Survey

_PLACES = 3


def portrait(scene: Scene, seen: Survey) -> dict[str, Any]:
    """Numbers and names, ready for JSON; lengths in mm, None for what is not in the picture.

    Args:
        scene: what is scanned.
        seen: its geometry.
    """
    circle, section = head_circle(scene), seen.section
    vessels = {"artery": section.artery, "vein": section.vein, "nerve": section.nerve}
    return {
        **_patient(scene.patient),
        "head_circle": None
        if circle is None or section.metal
        else {"centre_mm": _rounded(*circle.centre_uw), "radius_mm": round(circle.radius_mm, _PLACES)},
        **{name: _vessel(Region.of(distance, seen.u, seen.w)) for name, distance in vessels.items()},
    }


def _patient(patient: Patient) -> dict[str, Any]:
    bone, joint = patient.bone, patient.joint
    return {
        "build": build_of(patient.habitus),
        "sex": patient.sex,
        "bone_shape": "prosthesis" if bone.metal else bone.shape,
        "alpha_deg": None if bone.metal else round(math.degrees(bone.alpha_rad), 1),
        "head_radius_mm": round(bone.head_radius_mm, _PLACES),
        "fat_mm": round(patient.layers.fat_mm, _PLACES),
        "effusion": joint.effusion_grade,
        "hyperaemia": round(joint.hyperaemia, _PLACES),
        "osteophytes": len(bone.osteophytes),
        "plaques": len(patient.plaques),
        "lymph_nodes": len(patient.nodes),
        "circumflex_branches": len(patient.branches),
    }


def _vessel(region: Region | None) -> dict[str, Any] | None:
    """Where a vessel lies and how large it is; `cut` says that the picture's edge cuts it."""
    if region is None:
        return None
    return {
        "centre_mm": _rounded(*region.centre_uw),
        "size_mm": _rounded(*region.size_mm),
        "equivalent_diameter_mm": round(region.equivalent_diameter_mm, _PLACES),
        "area_mm2": round(region.area_mm2, _PLACES),
        "cut": region.cut,
    }


def _rounded(*values: float) -> list[float]:
    return [round(float(value), _PLACES) for value in values]
