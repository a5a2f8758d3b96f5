"""Clearances of the needle's tip and projected path, signed and with their doubt. None: not known."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hipseg import anatomy
from hipseg.guidance.config import MeasurementConfig
from hipseg.guidance.flow import FlowRegion, distances_to_flow
from hipseg.guidance.geometry import Line, Points, distances_to
from hipseg.guidance.path import PathCone
from hipseg.guidance.structures import Scene
from hipseg.guidance.target import Target

_Lengths = npt.NDArray[np.float64]


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


def signed_distances(scene: Scene, points_mm: Points, class_ids: tuple[int, ...]) -> _Lengths | None:
    """Distance [n] from each point to any of some structures, negative inside; None when none of them is present.

    A structure without a border in the picture covers it all: there is no distance to tell.
    """
    surfaces = [surface.outline_mm for class_id in class_ids if (surface := scene.surface(class_id)) is not None]
    outline_mm = np.concatenate(surfaces) if surfaces else np.zeros((0, 2))
    if not len(outline_mm):
        return None
    distances = distances_to(points_mm, outline_mm)
    return np.where(scene.inside(points_mm, class_ids), -distances, distances)


def clearance_mm(scene: Scene, points_mm: Points, class_ids: tuple[int, ...]) -> float | None:
    """Least signed distance from points [n, 2] to any of some structures, None when none of them is present."""
    return _least(signed_distances(scene, points_mm, class_ids))


def miss_mm(line: Line, tip_mm: Points, target_mm: Points) -> float:
    """How far the projected path passes the target by; a target left behind is missed by its distance."""
    ahead = float((target_mm - tip_mm) @ line.direction)
    return float(np.hypot(*(target_mm - tip_mm))) if ahead < 0 else abs(float(line.across(target_mm)))


@dataclass(frozen=True, slots=True)
class PathDistances:
    """Signed distance [n] of each point of the projected path to what it is to keep clear of; None: not present."""

    vessel: _Lengths | None
    nerve: _Lengths | None
    flow: _Lengths | None


def path_distances(scene: Scene, path_mm: Points, flow: tuple[FlowRegion, ...] = ()) -> PathDistances:
    """Of points [n, 2] from the tip on, see `path.path_ahead`."""
    return PathDistances(
        vessel=signed_distances(scene, path_mm, anatomy.VESSELS),
        nerve=signed_distances(scene, path_mm, (anatomy.FEMORAL_NERVE,)),
        flow=distances_to_flow(path_mm, flow) if flow else None,
    )


def measure_distances(
    scene: Scene,
    tip_mm: Points,
    line: Line,
    target: Target | None,
    path: PathDistances,
    flow: tuple[FlowRegion, ...] = (),
) -> Distances:
    """Every clearance of a needle whose tip and direction are known."""
    tip = tip_mm[None]
    return Distances(
        tip_to_target=None if target is None else float(np.hypot(*(target.point_mm - tip_mm))),
        tip_to_artery=clearance_mm(scene, tip, (anatomy.FEMORAL_ARTERY,)),
        tip_to_vein=clearance_mm(scene, tip, (anatomy.FEMORAL_VEIN,)),
        tip_to_nerve=clearance_mm(scene, tip, (anatomy.FEMORAL_NERVE,)),
        tip_to_bone=clearance_mm(scene, tip, anatomy.BONES),
        path_to_vessel=_least(path.vessel),
        path_miss_target=None if target is None else miss_mm(line, tip_mm, target.point_mm),
        tip_to_labrum=clearance_mm(scene, tip, (anatomy.LABRUM,)),
        tip_to_flow=float(distances_to_flow(tip, flow)[0]) if flow else None,
        path_to_nerve=_least(path.nerve),
        path_to_flow=_least(path.flow),
    )


def _least(distances: _Lengths | None) -> float | None:
    return None if distances is None else float(distances.min())


def distances_sigma(
    found: Distances,
    path: PathDistances,
    cone: PathCone,
    tip_sigma_mm: float,
    target: Target | None,
    config: MeasurementConfig,
    flow: tuple[FlowRegion, ...] = (),
) -> Distances:
    """Standard deviation of each clearance: of the tip or of the path where it comes nearest, and of the surface."""
    surface_mm = config.surface_sigma_mm
    tip = math.hypot(tip_sigma_mm, surface_mm)
    flow_mm = max((region.sigma_mm for region in flow), default=0.0)

    def along(distances: _Lengths | None, border_mm: float = surface_mm) -> float:
        nearest = 0 if distances is None else int(np.argmin(distances))
        return math.hypot(float(cone.sigma_mm[nearest]), border_mm)

    at_target = 0.0 if target is None else cone.sigma_at(target.point_mm)
    sigmas = Distances(
        tip_to_target=tip,
        tip_to_artery=tip,
        tip_to_vein=tip,
        tip_to_nerve=tip,
        tip_to_bone=tip,
        path_to_vessel=along(path.vessel),
        path_miss_target=math.hypot(at_target, surface_mm),
        tip_to_labrum=tip,
        tip_to_flow=math.hypot(tip_sigma_mm, flow_mm),
        path_to_nerve=along(path.nerve),
        path_to_flow=along(path.flow, flow_mm),
    )
    return Distances(
        **{name: None if getattr(found, name) is None else getattr(sigmas, name) for name in Distances.__slots__}
    )
