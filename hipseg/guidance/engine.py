"""Segmentation in, guidance out, one frame at a time."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import Enum

from hipseg import anatomy
from hipseg.frame import ScanRegion, Spacing
from hipseg.guidance.alerts import ActiveAlert, AlertEvent, AlertMonitor, AlertState
from hipseg.guidance.assessment import Assessment, Assessor
from hipseg.guidance.clearances import Distances
from hipseg.guidance.config import GuidanceConfig, ViewConfig
from hipseg.guidance.flow import FlowPicture, FlowRegion
from hipseg.guidance.fluid import Echo, FluidWatch
from hipseg.guidance.geometry import ScanPlane
from hipseg.guidance.injection import Injection, InjectionWatch
from hipseg.guidance.measurements import Measurements
from hipseg.guidance.path import PathCone
from hipseg.guidance.reach import Suggestion
from hipseg.guidance.recess import RecessTrend
from hipseg.guidance.recordable import rounded
from hipseg.guidance.rules import Signals
from hipseg.guidance.structures import NOT_FOUND, Scene, StructureFinding
from hipseg.guidance.target import Target
from hipseg.guidance.tracking import NeedleState, TrackedNeedle
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
    """Turns a clip's segmentations into guidance. What it remembers between frames is its own.

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
        self._assessor = Assessor(config, still=still)
        self._monitor = AlertMonitor(config.alerts, still=still)
        self._fluid = FluidWatch(config.injection)
        self._injection = InjectionWatch(config.injection)
        self._clock_s = 0.0
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
        flow: FlowPicture | None = None,
    ) -> Guidance:
        """Guidance for the next frame of the clip.

        Args:
            segmentation: of the frame's scan region.
            frame, time_s, spacing, region: as of the `Frame`.
            echo: grey levels on the segmentation's grid, see `fluid.echo_on_grid`; None leaves fluid and the
                motion of tissue unknown.
            flow: colour Doppler on the segmentation's grid, see `flow.flow_on_grid`; None while Doppler is off.
        """
        is_sound = math.isfinite(time_s) and _is_sound(segmentation)
        segmentation = rounded(segmentation) if is_sound else segmentation
        self._clock_s = time_s if math.isfinite(time_s) else self._clock_s
        plane = ScanPlane.of(segmentation.grid, spacing, region)
        view = _view(segmentation, self._view_thresholds)
        scene = Scene(segmentation, plane, self._config.structures) if is_sound else None
        is_shown = view.state is not ViewState.UNRECOGNISED or not self._config.view_check
        guided = scene if is_shown else None
        known = self._assessor.step(guided, segmentation.landmarks, plane, self._clock_s, echo, flow)
        injection = self._watch_injection(guided, known.needle, known.recess, echo, self._clock_s)
        alerts, events = self._monitor.step(self._signals(guided, known, view, plane, injection), self._clock_s)
        return Guidance(
            frame=frame,
            time_s=time_s,
            spacing=spacing,
            plane=plane,
            view=view,
            structures=scene.findings if scene else _NO_STRUCTURES,
            needle=known.needle if guided else None,
            angle_deg=known.angle_deg,
            target=known.target,
            distances=known.distances,
            measurements=known.measurements,
            alerts=alerts,
            events=events,
            distances_sigma=known.distances_sigma,
            measurements_sigma=known.measurements_sigma,
            path=known.path,
            suggestion=known.suggestion,
            recess=known.recess,
            effusion=known.effusion,
            flow=known.flow,
            doppler=flow.note if flow else None,
            wrong_side=known.wrong_side,
            injection=injection if guided else Injection(),
            unknown_alerts=_unknown(self._monitor.states),
        )

    def _watch_injection(
        self, scene: Scene | None, needle: TrackedNeedle, recess: RecessTrend, echo: Echo | None, time_s: float
    ) -> Injection:
        usable = scene is not None and scene.plane.scale_known
        fluid_mm2 = self._fluid.step(echo, scene, needle.tip_mm, time_s) if scene is not None and usable else None
        return self._injection.step(scene, needle, recess, fluid_mm2, time_s)

    def _signals(
        self, guided: Scene | None, known: Assessment, view: View, plane: ScanPlane, injection: Injection
    ) -> Signals:
        seen = guided is not None and any(guided.has(vessel) for vessel in anatomy.VESSELS)
        self._vessels_seen |= seen or bool(known.flow)
        self._remember_clearance(known)
        return Signals(
            needle=known.needle.state if guided else None,
            distances=known.distances,
            tip_sigma_mm=known.needle.sigma_mm if guided and plane.scale_known else None,
            path_to_entry_mm=known.path_to_entry_mm,
            tip_to_head_mm=known.tip_to_head_mm,
            tip_to_labrum_mm=known.distances.tip_to_labrum,
            heading_error_deg=known.heading_error_deg,
            angle_deg=known.angle_deg,
            last_vessel_clearance_mm=self._last_vessel_clearance_mm,
            scale_known=plane.scale_known,
            view_recognised=view.state is not ViewState.UNRECOGNISED if self._config.view_check else None,
            vessels_seen=self._vessels_seen,
            injection=injection,
            unproven=known.needle.unproven is not None,
        )

    def _remember_clearance(self, known: Assessment) -> None:
        distances = known.distances
        clearances = [distances.tip_to_artery, distances.tip_to_vein, distances.tip_to_flow]
        nearest = min((distance for distance in clearances if distance is not None), default=None)
        if nearest is not None or known.needle.state is NeedleState.ABSENT:
            self._last_vessel_clearance_mm = nearest


_ROUNDING = 1e-3
_NO_STRUCTURES = {structure.name: NOT_FOUND for structure in anatomy.STRUCTURES[1:]}


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
    """Whether every probability is one: NaN is neither small nor large."""
    probabilities_CHW = segmentation.probabilities_CHW
    return bool(probabilities_CHW.min() >= -_ROUNDING and probabilities_CHW.max() <= 1 + _ROUNDING)
