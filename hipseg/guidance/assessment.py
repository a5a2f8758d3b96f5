"""The measuring half of guidance: from scenes to needle, target, distances, measures and flow, frame by frame."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np

from hipseg import anatomy
from hipseg.guidance.clearances import Distances, distances_sigma, measure_distances, path_distances
from hipseg.guidance.config import GuidanceConfig
from hipseg.guidance.flow import FlowMemory, FlowPicture, FlowRegion, distances_to_flow, marked_on_path
from hipseg.guidance.fluid import Echo
from hipseg.guidance.geometry import Points, ScanPlane, angle_to_skin_deg, distances_to
from hipseg.guidance.measurements import Measurements, has_effusion, joint_sigma, measure_joint
from hipseg.guidance.needle import NeedleSighting, find_needle, find_needles
from hipseg.guidance.path import PathCone, cone_ahead
from hipseg.guidance.reach import Suggestion, suggest_way
from hipseg.guidance.recess import RecessHistory, RecessTrend
from hipseg.guidance.smoothing import TargetSmoother
from hipseg.guidance.structures import Scene
from hipseg.guidance.target import Target, find_target
from hipseg.guidance.tissue import TissueMotion
from hipseg.guidance.tracking import NeedleTracker, TrackedNeedle
from hipseg.runtime.segmentation import Landmark

_SUGGEST_EVERY_S = 0.25
"""The way to the target is looked for so often: it changes with the probe's place, not with the needle."""
_UPRIGHT = 0.1


@dataclass(frozen=True, slots=True)
class Assessment:
    """What one frame shows and what is remembered of those before; `Guidance` explains most of it.

    Attributes:
        needle: also while guidance is withdrawn: then as in a frame in which nothing is seen.
        heading_error_deg: between the needle and the way from its tip to the target.
        path_to_entry_mm: along the projected path to where it first enters a vessel or flow; infinite if it never
            does; None when none is known.
        tip_to_head_mm: to the head's cortex away from the target.
    """

    needle: TrackedNeedle
    target: Target | None = None
    distances: Distances = field(default_factory=Distances)
    distances_sigma: Distances = field(default_factory=Distances)
    measurements: Measurements = field(default_factory=Measurements)
    measurements_sigma: Measurements = field(default_factory=Measurements)
    path: PathCone | None = None
    suggestion: Suggestion | None = None
    recess: RecessTrend = field(default_factory=RecessTrend)
    effusion: bool | None = None
    flow: tuple[FlowRegion, ...] = ()
    wrong_side: bool | None = None
    angle_deg: float | None = None
    heading_error_deg: float | None = None
    path_to_entry_mm: float | None = None
    tip_to_head_mm: float | None = None


class Assessor:
    """Remembers needle, anatomy, recess and flow of one clip; one `step` a frame, in order of time.

    Args:
        config: validated.
        still: a single image.
    """

    def __init__(self, config: GuidanceConfig, *, still: bool) -> None:
        self._config, self._still = config, still
        self._tracker = NeedleTracker(config.tracking, still=still)
        self._tissue = TissueMotion()
        self._smoother = TargetSmoother(config.smoothing)
        self._recess = RecessHistory(config.recess)
        self._flow = FlowMemory(config.flow)
        self._suggested: tuple[float, Suggestion] | None = None

    def step(
        self,
        scene: Scene | None,
        landmarks: dict[str, Landmark],
        plane: ScanPlane,
        time_s: float,
        echo: Echo | None = None,
        flow: FlowPicture | None = None,
    ) -> Assessment:
        """What is known after a frame.

        Args:
            scene: of the frame, None while guidance is withdrawn.
            landmarks: of the model.
            plane: of the frame.
            time_s: of the frame.
            echo: its grey levels on the grid, for the motion of tissue.
            flow: its colour Doppler.
        """
        tissue_mm = self._tissue.step(echo, plane)
        needle = self._tracker.step(self._sightings(scene, landmarks), time_s, plane, tissue_mm)
        target = self._smoother.step(find_target(scene, landmarks, self._config.target) if scene else None, time_s)
        if scene is None:
            self._suggested = None
            return Assessment(needle)
        if not plane.scale_known:
            return Assessment(needle, target, wrong_side=_comes_from_wrong_side(needle, target))
        known = self._flow.step(flow, scene, tissue_mm, time_s)
        joint = self._assess_joint(Assessment(needle, target, flow=known), scene, flow, time_s)
        return self._assess_needle(joint, scene)

    def _sightings(self, scene: Scene | None, landmarks: dict[str, Landmark]) -> list[NeedleSighting]:
        if scene is None:
            return []
        if self._still:
            found = find_needle(scene, landmarks, self._config.needle)
            return [found] if found else []
        return find_needles(scene, landmarks, self._config.needle)

    def _assess_joint(self, known: Assessment, scene: Scene, flow: FlowPicture | None, time_s: float) -> Assessment:
        config, target = self._config, known.target
        measured = measure_joint(scene, target, config.measurements, config.target, flow)
        return replace(
            known,
            measurements=measured,
            measurements_sigma=joint_sigma(measured, scene, config.measurements, config.target),
            recess=self._recess.step(measured.recess_width_mm, measured.recess_area_mm2, time_s),
            effusion=has_effusion(measured, config.measurements),
            suggestion=self._suggestion(scene, target, known.flow, time_s),
        )

    def _suggestion(
        self, scene: Scene, target: Target | None, flow: tuple[FlowRegion, ...], time_s: float
    ) -> Suggestion | None:
        if target is None:
            self._suggested = None
            return None
        if self._suggested is None or not 0 <= time_s - self._suggested[0] < _SUGGEST_EVERY_S:
            self._suggested = time_s, suggest_way(scene, target, self._config.reach, flow)
        return self._suggested[1]

    def _assess_needle(self, known: Assessment, scene: Scene) -> Assessment:
        needle, target, config = known.needle, known.target, self._config
        tip_mm, line = needle.tip_mm, needle.line
        if tip_mm is None or line is None or needle.sigma_mm is None:
            way = known.suggestion.entry_mm if known.suggestion else None
            planned = None if way is None or target is None else np.linspace(way, target.point_mm, 60)
            return replace(known, flow=marked_on_path(known.flow, planned, config.flow))
        cone = _cone(needle, config)
        path = path_distances(scene, cone.axis_mm, known.flow)
        distances = measure_distances(scene, tip_mm, line, target, path, known.flow)
        contact = cone.axis_mm[np.hypot(*(cone.axis_mm - tip_mm).T) <= config.alerts.contact_path_mm]
        return replace(
            known,
            distances=distances,
            distances_sigma=distances_sigma(
                distances, path, cone, needle.sigma_mm, target, config.measurements, known.flow
            ),
            path=cone,
            flow=marked_on_path(known.flow, cone.axis_mm, config.flow),
            wrong_side=_comes_from_wrong_side(needle, target),
            angle_deg=angle_to_skin_deg(line.direction),
            heading_error_deg=None if target is None else _heading_error_deg(line.direction, target.point_mm - tip_mm),
            path_to_entry_mm=_path_to_entry(scene, contact, known.flow),
            tip_to_head_mm=_head_clearance(scene, tip_mm, target, config.target.span_mm),
        )


def _cone(needle: TrackedNeedle, config: GuidanceConfig) -> PathCone:
    assert needle.line is not None
    assert needle.tip_mm is not None
    across_mm = needle.sigma_across_mm or needle.sigma_mm or 0.0
    direction_deg = needle.sigma_direction_deg or config.needle.direction_sigma_deg
    return cone_ahead(needle.line, needle.tip_mm, across_mm, direction_deg, config.measurements.path_mm)


def _comes_from_wrong_side(needle: TrackedNeedle, target: Target | None) -> bool | None:
    """Whether the needle comes from the side that the approach does not use; None for an upright one."""
    if target is None or target.side is None or needle.line is None:
        return None
    right = float(needle.line.direction[0])
    return None if abs(right) < _UPRIGHT else right * target.side > 0


def _heading_error_deg(direction: Points, way_mm: Points) -> float:
    cross = direction[0] * way_mm[1] - direction[1] * way_mm[0]
    return float(np.degrees(np.arctan2(abs(cross), direction @ way_mm)))


def _path_to_entry(scene: Scene, path_mm: Points, flow: tuple[FlowRegion, ...]) -> float | None:
    """Along a path [n, 2] to the first point inside a vessel or flow; infinite if none, None if neither is known."""
    if not flow and not any(scene.has(vessel) for vessel in anatomy.VESSELS):
        return None
    in_flow = distances_to_flow(path_mm, flow) < 0
    inside = np.flatnonzero(scene.inside(path_mm, anatomy.VESSELS) | in_flow)
    return float(np.hypot(*(path_mm[inside[0]] - path_mm[0]))) if len(inside) else math.inf


def _head_clearance(scene: Scene, tip_mm: Points, target: Target | None, span_mm: float) -> float | None:
    """To the head's cortex outside of the acceptable span about the target, where the tip is meant to come near it."""
    head = scene.surface(anatomy.FEMORAL_HEAD)
    if head is None:
        return None
    cortex = head.superficial_mm
    if target is not None:
        cortex = cortex[np.hypot(*(cortex - target.foot_mm).T) > span_mm / 2]
    return float(distances_to(tip_mm[None], cortex)[0])
