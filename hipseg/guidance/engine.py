"""Segmentation in, guidance out, one frame at a time."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import Enum

import numpy as np

from hipseg import anatomy
from hipseg.frame import ScanRegion, Spacing
from hipseg.guidance.alerts import ActiveAlert, AlertEvent, AlertMonitor, AlertState
from hipseg.guidance.config import GuidanceConfig, ViewConfig
from hipseg.guidance.flow import FlowRegion
from hipseg.guidance.fluid import Echo, FluidWatch
from hipseg.guidance.geometry import Points, ScanPlane, angle_to_skin_deg, distances_to
from hipseg.guidance.injection import Injection, InjectionWatch
from hipseg.guidance.measurements import (
    Distances,
    Measurements,
    clearance_mm,
    measure_distances,
    measure_joint,
    path_ahead,
)
from hipseg.guidance.needle import find_needle, find_needles
from hipseg.guidance.path import PathCone
from hipseg.guidance.reach import Suggestion
from hipseg.guidance.recess import RecessTrend
from hipseg.guidance.recordable import rounded
from hipseg.guidance.rules import Signals
from hipseg.guidance.structures import NOT_FOUND, Scene, StructureFinding
from hipseg.guidance.target import Target, find_target
from hipseg.guidance.tracking import NeedleState, NeedleTracker, TrackedNeedle
from hipseg.runtime.segmentation import Segmentation


class ViewState(Enum):
    """Whether the image is a view the model was trained on."""

    RECOGNISED = "recognised"
    UNCERTAIN = "uncertain"
    UNRECOGNISED = "unrecognised"


@dataclass(frozen=True, slots=True)
class View:
    """A frame's view; the score is None when the model gave no number."""

    state: ViewState
    score: float | None


@dataclass(frozen=True, slots=True)
class Guidance:
    """What is known of one frame.

    Attributes:
        frame, time_s, spacing: of the frame.
        plane: from millimetres to frame pixels.
        view: of the image.
        structures: by name, background left out.
        needle: None when guidance is withdrawn.
        angle_deg: needle to skin, None without scale: pixels need not be square.
        target: None where it can't be measured, or when guidance is withdrawn.
        distances, measurements: None inside where not known.
        alerts: that stand, most urgent first.
        events: what changed with this frame.
        distances_sigma, measurements_sigma: standard deviation of each number of `distances` and `measurements`,
            in its own unit; None where the number is None.
        path: where the needle goes if pushed on; None unless the tip is known.
        suggestion: a way to the target; None without one.
        recess: its change over time.
        effusion: whether the neck-capsule distance fulfils the configured definition; None when not measurable.
        flow: what colour Doppler has shown so far, where it lies now.
        doppler: what is said of this frame's colour, such as an assumed colour map; None when the frame is grey.
        wrong_side: the needle comes from the side that the approach does not use; None when not known.
        injection: placement of the needle and where fluid goes.
        unknown_alerts: ids of alerts whose danger can't be judged in this frame.
    """

    frame: int
    time_s: float
    spacing: Spacing | None
    plane: ScanPlane
    view: View
    structures: dict[str, StructureFinding]
    needle: TrackedNeedle | None
    angle_deg: float | None
    target: Target | None
    distances: Distances
    measurements: Measurements
    alerts: tuple[ActiveAlert, ...]
    events: tuple[AlertEvent, ...]
    distances_sigma: Distances = field(default_factory=Distances)
    measurements_sigma: Measurements = field(default_factory=Measurements)
    path: PathCone | None = None
    suggestion: Suggestion | None = None
    recess: RecessTrend = field(default_factory=RecessTrend)
    effusion: bool | None = None
    flow: tuple[FlowRegion, ...] = ()
    doppler: str | None = None
    wrong_side: bool | None = None
    injection: Injection = field(default_factory=Injection)
    unknown_alerts: tuple[str, ...] = ()


class GuidanceEngine:
    """Turns a clip's segmentations into guidance. Remembers the needle and the alerts between frames, nothing else.

    Pure: the same frames give the same guidance.

    Args:
        config: validated.
        view_thresholds: of the model, see `ModelContract.view_thresholds`; the configuration goes before them.
        still: the source is a single image, whose alerts can't wait for a second frame.
    """

    def __init__(
        self, config: GuidanceConfig, *, view_thresholds: tuple[float, float] = (0.3, 0.5), still: bool = False
    ) -> None:
        self._config = config
        self._view_thresholds = _thresholds(config.view, view_thresholds)
        self._still = still
        self._tracker = NeedleTracker(config.tracking, still=still)
        self._monitor = AlertMonitor(config.alerts, still=still)
        self._fluid = FluidWatch(config.injection)
        self._injection = InjectionWatch(config.injection)
        self._vessels_seen = False
        self._last_vessel_clearance_mm: float | None = None

    def step(
        self,
        segmentation: Segmentation,
        *,
        frame: int,
        time_s: float,
        spacing: Spacing | None,
        region: ScanRegion,
        echo: Echo | None = None,
    ) -> Guidance:
        """Guidance for the next frame of the clip.

        Args:
            segmentation: of the frame's scan region.
            frame, time_s, spacing, region: as of the `Frame`.
            echo: grey levels on the segmentation's grid, see `fluid.echo_on_grid`; None leaves fluid unknown.
        """
        segmentation = rounded(segmentation)
        plane = ScanPlane.of(segmentation.grid, spacing, region)
        view = _view(segmentation, self._view_thresholds)
        scene = Scene(segmentation, plane, self._config.structures) if _is_sound(segmentation) else None
        guided = scene is not None and (view.state is not ViewState.UNRECOGNISED or not self._config.view_check)
        needle = self._needle(scene if guided else None, segmentation, time_s, plane, None)
        target = find_target(scene, segmentation.landmarks, self._config.target) if guided and scene else None
        facts = _measure(scene, needle, target, self._config) if guided and scene else _NOTHING
        injection = self._watch_injection(scene if guided else None, needle, RecessTrend(), echo, time_s)
        signals = self._signals(scene, needle, facts, view, plane, injection, guided=guided)
        alerts, events = self._monitor.step(signals, time_s)
        return Guidance(
            frame=frame,
            time_s=time_s,
            spacing=spacing,
            plane=plane,
            view=view,
            structures=scene.findings if scene else _NO_STRUCTURES,
            needle=needle if guided else None,
            angle_deg=facts.angle_deg,
            target=target,
            distances=facts.distances,
            measurements=facts.measurements,
            alerts=alerts,
            events=events,
            injection=injection if guided else Injection(),
            unknown_alerts=_unknown(self._monitor.states),
        )

    def _watch_injection(
        self, scene: Scene | None, needle: TrackedNeedle, recess: RecessTrend, echo: Echo | None, time_s: float
    ) -> Injection:
        usable = scene is not None and scene.plane.scale_known
        fluid_mm2 = self._fluid.step(echo, scene, needle.tip_mm, time_s) if scene is not None and usable else None
        return self._injection.step(scene, needle, recess, fluid_mm2, time_s)

    def _needle(
        self,
        scene: Scene | None,
        segmentation: Segmentation,
        time_s: float,
        plane: ScanPlane,
        tissue_mm: Points | None,
    ) -> TrackedNeedle:
        """The tracked needle; a frame without guidance passes as one in which nothing was seen."""
        if scene is None:
            return self._tracker.step([], time_s, plane, tissue_mm)
        if self._still:
            found = find_needle(scene, segmentation.landmarks, self._config.needle)
            return self._tracker.step([found] if found else [], time_s, plane)
        sightings = find_needles(scene, segmentation.landmarks, self._config.needle)
        return self._tracker.step(sightings, time_s, plane, tissue_mm)

    def _signals(
        self, scene: Scene | None, needle: TrackedNeedle, facts: _Facts, view: View, plane: ScanPlane,
        injection: Injection, *, guided: bool,
    ) -> Signals:  # fmt: skip
        if guided and scene is not None:
            self._vessels_seen |= any(scene.has(vessel) for vessel in anatomy.VESSELS)
        self._remember_clearance(needle, facts)
        return Signals(
            needle=needle.state if guided else None,
            distances=facts.distances,
            tip_sigma_mm=needle.sigma_mm if guided and plane.scale_known else None,
            path_to_entry_mm=facts.path_to_entry_mm,
            tip_to_head_mm=facts.tip_to_head_mm,
            tip_to_labrum_mm=facts.tip_to_labrum_mm,
            heading_error_deg=facts.heading_error_deg,
            angle_deg=facts.angle_deg,
            last_vessel_clearance_mm=self._last_vessel_clearance_mm,
            scale_known=plane.scale_known,
            view_recognised=view.state is not ViewState.UNRECOGNISED if self._config.view_check else None,
            vessels_seen=self._vessels_seen,
            injection=injection,
        )

    def _remember_clearance(self, needle: TrackedNeedle, facts: _Facts) -> None:
        known = [facts.distances.tip_to_artery, facts.distances.tip_to_vein]
        nearest = min((distance for distance in known if distance is not None), default=None)
        if nearest is not None or needle.state is NeedleState.ABSENT:
            self._last_vessel_clearance_mm = nearest


@dataclass(frozen=True, slots=True)
class _Facts:
    """Numbers of one frame, for the record and for the rules."""

    distances: Distances = field(default_factory=Distances)
    measurements: Measurements = field(default_factory=Measurements)
    angle_deg: float | None = None
    heading_error_deg: float | None = None
    path_to_entry_mm: float | None = None
    tip_to_head_mm: float | None = None
    tip_to_labrum_mm: float | None = None


_NOTHING = _Facts()
_NO_STRUCTURES = {structure.name: NOT_FOUND for structure in anatomy.STRUCTURES[1:]}


def _measure(scene: Scene, needle: TrackedNeedle, target: Target | None, config: GuidanceConfig) -> _Facts:
    """All numbers; none without scale."""
    if not scene.plane.scale_known:
        return _NOTHING
    measurements = measure_joint(scene, target, config.measurements)
    tip_mm, line = needle.tip_mm, needle.line
    if tip_mm is None or line is None:
        return _Facts(measurements=measurements)
    return _Facts(
        distances=measure_distances(scene, tip_mm, line, target, config.measurements),
        measurements=measurements,
        angle_deg=angle_to_skin_deg(line.direction),
        heading_error_deg=None if target is None else _heading_error_deg(line.direction, target.point_mm - tip_mm),
        path_to_entry_mm=_path_to_entry(scene, path_ahead(line, tip_mm, config.alerts.contact_path_mm)),
        tip_to_head_mm=_head_clearance(scene, tip_mm, target, config.target.span_mm),
        tip_to_labrum_mm=clearance_mm(scene, tip_mm[None], (anatomy.LABRUM,)),
    )


def _heading_error_deg(direction: Points, way_mm: Points) -> float:
    cross = direction[0] * way_mm[1] - direction[1] * way_mm[0]
    return float(np.degrees(np.arctan2(abs(cross), direction @ way_mm)))


def _path_to_entry(scene: Scene, path_mm: Points) -> float | None:
    """Along a path [n, 2] to the first point inside a vessel; infinite if there is none, None without vessels."""
    if not any(scene.has(vessel) for vessel in anatomy.VESSELS):
        return None
    inside = np.flatnonzero(scene.inside(path_mm, anatomy.VESSELS))
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


def _unknown(states: dict[str, AlertState]) -> tuple[str, ...]:
    return tuple(alert_id for alert_id, state in states.items() if state is AlertState.UNKNOWN)


def _thresholds(config: ViewConfig, model: tuple[float, float]) -> tuple[float, float]:
    low = model[0] if config.unrecognised_below is None else config.unrecognised_below
    high = model[1] if config.recognised_from is None else config.recognised_from
    return low, max(low, high)


def _view(segmentation: Segmentation, thresholds: tuple[float, float]) -> View:
    score = segmentation.view_score
    if not math.isfinite(score):
        return View(ViewState.UNRECOGNISED, None)
    if score < thresholds[0]:
        return View(ViewState.UNRECOGNISED, score)
    return View(ViewState.RECOGNISED if score >= thresholds[1] else ViewState.UNCERTAIN, score)


def _is_sound(segmentation: Segmentation) -> bool:
    """Whether every probability is a number: one that is not makes the sum of all not one."""
    return math.isfinite(float(segmentation.probabilities_CHW.sum()))
