"""What is true of a simulated frame, as numbers: docs/simulated-clips.md lists every key.

Lengths are in the image plane's millimetres (u to the right before mirroring, w down from the probe's face).
Clearances are signed: negative inside the structure. None stands for what is not in the picture or does not apply.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from hipseg import anatomy
from hipseg.simulation.amodal import Bits, has, samples_at
from hipseg.simulation.measures import clearances_mm, joint_measures, regions
from hipseg.simulation.needle import GAUGES_MM, SLICE_HALF_MM, Needle
from hipseg.simulation.regions import Points, Region
from hipseg.simulation.scene import PointUW, Scene, Survey
from hipseg.simulation.timeline import PROBE_TRACKS, Timeline

PATH_MM, _PATH_STEP_MM = 40.0, 0.25
"""How far ahead of the tip the projected path is followed."""
CONTACT_PATH_MM = 10.0
"""How far ahead a vessel on the path is a danger (clinical.md section 3)."""
_HIDDEN_DB, _CLEAR_DB = -6.0, 18.0
"""A tip that is so much weaker or brighter than the tissue around it is lost in it, or plain."""
_VESSELS = ("artery", "branch", "vein")
Regions = Mapping[str, Region | None]
Pixel = Callable[[PointUW], tuple[float, float]]
_NEEDLE_AVOIDS = ("artery", "vein", "nerve", "labrum", "cartilage", "bone", "capsule", "recess", "branch")


def truth_of(scene: Scene, seen: Survey, bits_SL: Bits, pixel: Pixel) -> dict[str, Any]:
    """Numbers of a frame by name.

    Args:
        scene: what is scanned.
        seen: its geometry.
        bits_SL: sets of structures, from `amodal_section`.
        pixel: where a point of the plane appears, x, y in the picture or beyond it.
    """
    patient, needle = scene.patient, scene.needle
    lifted_mm = patient.joint.neck_capsule_distance_mm + patient.joint.effusion_mm + scene.state.recess_mm
    return {
        "habitus": round(patient.habitus, 4),
        "apex_depth_mm": round(patient.apex_depth_mm, 3),
        "neck_capsule_distance_mm": round(lifted_mm, 3),
        "widest_neck_capsule_mm": _rounded(joint_measures(scene, seen).neck_capsule_distance_mm),
        "recess_mm": _rounded(seen.recess_mm),
        "prosthesis": bool(seen.section.metal),
        "vessels_shown": bool(has(bits_SL, *anatomy.VESSELS).any()),
        "target_mm": None if seen.target_uw is None else [round(value, 3) for value in seen.target_uw],
        "needle": None if needle is None else _needle_truth(needle, scene, seen, bits_SL, pixel),
    }


def _needle_truth(needle: Needle, scene: Scene, seen: Survey, bits_SL: Bits, pixel: Pixel) -> dict[str, Any]:
    """The needle, its tip's clearances and those of the path that it would take."""
    tip, target = needle.tip_uw, seen.target_uw
    found = regions(seen)
    return {
        "look": needle.look.value,
        "tip_mm": [round(value, 3) for value in tip],
        "entry_mm": [round(value, 3) for value in needle.entry_uw],
        "angle_deg": round(float(np.degrees(needle.angle_rad)), 3),
        "length_mm": round(needle.length_mm, 3),
        "diameter_mm": round(needle.diameter_mm, 3),
        "gauge": min(GAUGES_MM, key=lambda gauge: abs(GAUGES_MM[gauge] - needle.diameter_mm)),
        "bevel_deg": round(needle.bevel_deg, 1),
        "tip_px": [round(value, 3) for value in pixel(tip)],
        "entry_px": [round(value, 3) for value in pixel(needle.entry_uw)],
        "tip_out_of_plane_mm": round(float(needle.out_of_plane_mm(needle.length_mm)), 3),
        "tip_visible": needle.tip_is_visible(scene.probe),
        "tip_visibility": round(_tip_visibility(needle, scene), 3),
        "tip_to_target_mm": None if target is None else round(float(np.hypot(*np.subtract(tip, target))), 3),
        **{f"tip_to_{name}_mm": value for name, value in _clearances(found, np.array([tip])).items()},
        "tip_in": _structures_at(tip, scene, bits_SL),
        "path": path_truth(needle, found, target),
    }


def _tip_visibility(needle: Needle, scene: Scene) -> float:
    """How well the tip shows, 0-1: by its offset from the plane, and its echo (angle, gauge, bevel) over the tissue."""
    if not bool(scene.probe.shows(*needle.tip_uw)):
        return 0.0
    offset = float(needle.out_of_plane_mm(needle.length_mm)) / SLICE_HALF_MM
    contrast = (needle.echo_db + needle.tip_db - _HIDDEN_DB) / (_CLEAR_DB - _HIDDEN_DB)
    return float(np.exp(-0.7 * offset**4) * np.clip(contrast, 0, 1))


def moment_truth(scene: Scene, seen: Survey, timeline: Timeline, tick: int) -> dict[str, Any]:
    """What hands and machines do at a tick of a procedure, and what it does to the joint."""
    joint = joint_measures(scene, seen)
    strokes = timeline.strokes
    joint_ml, tissue_ml, jet = (0.0, 0.0, 0.0)
    if strokes is not None:
        joint_ml, tissue_ml, jet = (float(v[tick]) for v in (strokes.joint_ml, strokes.tissue_ml, strokes.jet))
    return {
        "recess_thickness_mm": _rounded(joint.recess_thickness_mm),
        "recess_area_mm2": _rounded(joint.recess_area_mm2),
        "capsule_thickness_mm": _rounded(joint.capsule_thickness_mm),
        "injection": {"joint_ml": round(joint_ml, 3), "tissue_ml": round(tissue_ml, 3), "flowing": jet > 0.05},
        "pressure": round(float(timeline.pressure[tick]), 3),
        "gain_db": round(scene.look.gain_db, 2),
        "contact_lost_share": round(float(timeline.lost_share[tick]), 3),
        "probe": {name: round(float(getattr(timeline, name)[tick]), 3) for name in PROBE_TRACKS},
        "doppler": None,
    }


def stroke_truth(timeline: Timeline, tick: int) -> dict[str, Any]:
    """What the needle does at a tick: its speed (negative backward) and whether bone holds it."""
    strokes = timeline.strokes
    assert strokes is not None, "a needle without strokes"
    before = max(tick - 1, 0)
    elapsed_s = float(timeline.time_s[tick] - timeline.time_s[before]) or 1.0
    speed = float(strokes.length_mm[tick] - strokes.length_mm[before]) / elapsed_s
    return {"speed_mm_s": round(speed, 3), "stopped_by_bone": bool(strokes.stopped[tick])}


def path_truth(needle: Needle, found: Regions, target: PointUW | None) -> dict[str, Any]:
    """Of the straight path ahead of the tip: least clearances, where it first enters a vessel, by what it misses."""
    path = path_ahead(needle)
    clearances = {f"to_{name}_mm": value for name, value in _clearances(found, path[::2]).items()}
    miss_mm, heading_deg = (None, None) if target is None else _miss(path, target)
    return {
        **clearances,
        "to_vessel_entry_mm": _vessel_entry(found, path),
        "to_vessel_ahead_mm": _vessel_ahead(found, path),
        "miss_target_mm": miss_mm,
        "heading_error_deg": heading_deg,
    }


def _vessel_entry(found: Regions, path: Points) -> float | None:
    """How far along the path a vessel begins, None when it meets none."""
    vessels = [region for name in _VESSELS if (region := found[name]) is not None]
    inside = np.zeros(len(path), bool)
    for region in vessels:
        inside |= region.signed_mm(path) < 0
    return float(inside.argmax()) * _PATH_STEP_MM if inside.any() else None


def _vessel_ahead(found: Regions, path: Points) -> float | None:
    """Least signed distance to a vessel of the path's first `CONTACT_PATH_MM`."""
    near = clearances_mm({name: found[name] for name in _VESSELS}, path[: round(CONTACT_PATH_MM / _PATH_STEP_MM) + 1])
    return _rounded(min((value for value in near.values() if value is not None), default=None))


def path_ahead(needle: Needle) -> Points:
    """Points [n, 2] on the straight line that continues the needle, from its tip on."""
    du, dw = needle.direction_at_tip()
    steps = np.arange(0, PATH_MM + _PATH_STEP_MM / 2, _PATH_STEP_MM)
    return np.stack([needle.tip_uw[0] + steps * du, needle.tip_uw[1] + steps * dw], axis=1)


def _clearances(found: Regions, points: Points) -> dict[str, float | None]:
    """Least signed distances; branches count as artery, as they do in the label scheme."""
    distances = clearances_mm({name: found[name] for name in _NEEDLE_AVOIDS}, points)
    arteries = [value for name in ("artery", "branch") if (value := distances[name]) is not None]
    distances["artery"] = min(arteries, default=None)
    return {name: _rounded(value) for name, value in distances.items()}


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
