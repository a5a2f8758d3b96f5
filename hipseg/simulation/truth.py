"""What is true of a simulated frame, as numbers: docs/simulated-clips.md lists every key.

Lengths are in the image plane's millimetres (u to the right before mirroring, w down from the probe's face).
Clearances are signed: negative inside the structure. None stands for what is not in the picture or does not apply.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hipseg import anatomy
from hipseg.simulation.amodal import Bits, has
from hipseg.simulation.needle import Needle
from hipseg.simulation.outlines import Outline, Points, samples_at
from hipseg.simulation.scene import PointUW, Scene, Survey

PATH_MM, _PATH_STEP_MM = 40.0, 0.25
"""How far ahead of the tip the projected path is followed."""
_CLEARANCES: dict[str, tuple[int, ...]] = {
    "artery": (anatomy.FEMORAL_ARTERY,),
    "vein": (anatomy.FEMORAL_VEIN,),
    "nerve": (anatomy.FEMORAL_NERVE,),
    "labrum": (anatomy.LABRUM,),
    "bone": anatomy.BONES,
}


def truth_of(scene: Scene, seen: Survey, bits_SL: Bits) -> dict[str, Any]:
    """Numbers of a frame by name.

    Args:
        scene: what is scanned.
        seen: its geometry.
        bits_SL: sets of structures, from `amodal_section`.
    """
    patient, needle = scene.patient, scene.needle
    lifted_mm = patient.joint.neck_capsule_distance_mm + patient.joint.effusion_mm + scene.state.recess_mm
    return {
        "habitus": round(patient.habitus, 4),
        "apex_depth_mm": round(patient.apex_depth_mm, 3),
        "neck_capsule_distance_mm": round(lifted_mm, 3),
        "recess_mm": _rounded(seen.recess_mm),
        "target_mm": None if seen.target_uw is None else [round(value, 3) for value in seen.target_uw],
        "needle": None if needle is None else _needle_truth(needle, scene, seen, bits_SL),
    }


def _needle_truth(needle: Needle, scene: Scene, seen: Survey, bits_SL: Bits) -> dict[str, Any]:
    """The needle, its tip's clearances and those of the path that it would take."""
    tip, target = needle.tip_uw, seen.target_uw
    outlines = _outlines(seen, bits_SL)
    return {
        "look": needle.look.value,
        "tip_mm": [round(value, 3) for value in tip],
        "entry_mm": [round(value, 3) for value in needle.entry_uw],
        "angle_deg": round(float(np.degrees(needle.angle_rad)), 3),
        "length_mm": round(needle.length_mm, 3),
        "diameter_mm": round(needle.diameter_mm, 3),
        "tip_out_of_plane_mm": round(float(needle.out_of_plane_mm(needle.length_mm)), 3),
        "tip_visible": needle.tip_is_visible(scene.probe),
        "tip_to_target_mm": None if target is None else round(float(np.hypot(*np.subtract(tip, target))), 3),
        **{f"tip_to_{name}_mm": _clearance(outline, tip, scene) for name, outline in outlines.items()},
        "tip_in": _structures_at(tip, scene, bits_SL),
        "path": path_truth(needle, scene, outlines, bits_SL, target),
    }


def path_truth(
    needle: Needle, scene: Scene, outlines: dict[str, Outline | None], bits_SL: Bits, target: PointUW | None
) -> dict[str, Any]:
    """Of the straight path ahead of the tip: least clearances, where it first enters a vessel, by what it misses."""
    path = path_ahead(needle)
    vessel = has(samples_at(bits_SL, path, scene.probe), *anatomy.VESSELS)
    entry_mm = float(vessel.argmax()) * _PATH_STEP_MM if vessel.any() else None
    clearances = {f"to_{name}_mm": _least(outline, path, scene) for name, outline in outlines.items()}
    miss_mm, heading_deg = (None, None) if target is None else _miss(path, target)
    return {**clearances, "to_vessel_entry_mm": entry_mm, "miss_target_mm": miss_mm, "heading_error_deg": heading_deg}


def path_ahead(needle: Needle) -> Points:
    """Points [n, 2] on the straight line that continues the needle, from its tip on."""
    du, dw = needle.direction_at_tip()
    steps = np.arange(0, PATH_MM + _PATH_STEP_MM / 2, _PATH_STEP_MM)
    return np.stack([needle.tip_uw[0] + steps * du, needle.tip_uw[1] + steps * dw], axis=1)


def _outlines(seen: Survey, bits_SL: Bits) -> dict[str, Outline | None]:
    outlines = {name: Outline.of(has(bits_SL, *ids), seen.u, seen.w) for name, ids in _CLEARANCES.items()}
    return outlines | {"cartilage": Outline.of((seen.section.cartilage < 0) & (seen.section.bone > 0), seen.u, seen.w)}


def _clearance(outline: Outline | None, point: PointUW, scene: Scene) -> float | None:
    return None if outline is None else _rounded(float(outline.signed_mm(np.array([point]), scene.probe)[0]))


def _least(outline: Outline | None, path: Points, scene: Scene) -> float | None:
    return None if outline is None else _rounded(float(outline.signed_mm(path[::2], scene.probe).min()))


def _structures_at(tip: PointUW, scene: Scene, bits_SL: Bits) -> list[str]:
    """Names of the structures around the tip."""
    bits = int(samples_at(bits_SL, np.array([tip]), scene.probe)[0])
    return [name for index, name in enumerate(anatomy.CLASS_NAMES) if index and bits >> index & 1]


def _miss(path: Points, target: PointUW) -> tuple[float, float]:
    """Distance of a target from the path, and the angle between the path and the way to the target, degrees."""
    heading = (path[1] - path[0]) / np.hypot(*(path[1] - path[0]))
    way = np.asarray(target) - path[0]
    ahead, aside = float(way @ heading), abs(float(way[0] * heading[1] - way[1] * heading[0]))
    miss_mm = float(np.hypot(*way)) if ahead < 0 else aside
    return round(miss_mm, 3), round(float(np.degrees(np.arctan2(aside, ahead))), 3)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
