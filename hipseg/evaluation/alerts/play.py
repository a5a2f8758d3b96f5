"""One simulated procedure through the whole chain, once for each eye that looks at it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from hipseg.display.report.key_frames import KeyFrames
from hipseg.display.report.story import SessionStory
from hipseg.evaluation.alerts.eyes import Eye, open_eye
from hipseg.frame import ScanRegion
from hipseg.guidance.clip import ClipGuidance
from hipseg.guidance.config import GuidanceConfig
from hipseg.guidance.engine import Guidance
from hipseg.guidance.flow import FlowPicture, flow_on_grid
from hipseg.guidance.fluid import echo_on_grid
from hipseg.guidance.record import alert_records, frame_record
from hipseg.io.doppler import read_flow
from hipseg.runtime.segmentation import Segmentation
from hipseg.simulation.config import SimulationConfig
from hipseg.simulation.events import EventWatch
from hipseg.simulation.frames import SimulatedFrame
from hipseg.simulation.job import generator
from hipseg.simulation.procedure import Procedure
from hipseg.simulation.script.files import load_scenario

_CLEARANCES = {"tip_to_artery": "tip_to_artery_mm", "tip_to_vein": "tip_to_vein_mm", "tip_to_nerve": "tip_to_nerve_mm"}


@dataclass(frozen=True)
class AlertJob:
    """What is played.

    Attributes:
        scenarios: names; cases take them in turn.
        eyes: who looks, "truth" or names of models.
        seed: of all chance; choose one that no training has seen.
        num_frames: of each clip, None for the scenario's own length.
    """

    scenarios: tuple[str, ...]
    eyes: tuple[str, ...]
    seed: int
    num_frames: int | None = None


@dataclass
class Trace:
    """What one eye saw in one procedure.

    Attributes:
        story: numbers, states and alerts of every frame.
        tip_error_mm: of frames in which needle and reported tip are both there.
        clearance_error_mm: reported minus true, by name of the distance; negative counts as zero on both sides.
        unknown: for each frame the ids of alerts that said of themselves that they could not be judged.
    """

    story: SessionStory = field(default_factory=SessionStory)
    tip_error_mm: list[float] = field(default_factory=list)
    clearance_error_mm: dict[str, list[float]] = field(default_factory=dict)
    unknown: list[frozenset[str]] = field(default_factory=list)


@dataclass
class PlayedCase:
    """One procedure.

    Attributes:
        case, scenario, patient: which it was.
        truths: of every frame, with its time.
        traces: by eye.
    """

    case: int
    scenario: str
    patient: str
    truths: list[dict[str, Any]]
    traces: dict[str, Trace]

    @property
    def time_s(self) -> list[float]:
        """Of each frame."""
        return [truth["time_s"] for truth in self.truths]

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> PlayedCase:
        """What `play_case` has noted; the patient's anatomy, which nobody asks for, is left behind."""
        truths = [{key: truth[key] for key in truth if key != "anatomy"} for truth in record["truths"]]
        traces = {name: _trace_of(notes) for name, notes in record["eyes"].items()}
        return cls(record["case"], record["scenario"], record["patient"], truths, traces)


@dataclass
class _Notes:
    """What one eye saw, as it is kept: records of frames and alerts, and errors as of `Trace`."""

    frames: list[dict[str, Any]] = field(default_factory=list)
    alerts: list[dict[str, Any]] = field(default_factory=list)
    tip_error_mm: list[float] = field(default_factory=list)
    clearance_error_mm: dict[str, list[float]] = field(default_factory=dict)


def _trace_of(notes: Mapping[str, Any]) -> Trace:
    story = SessionStory.of_records(notes["frames"], notes["alerts"], KeyFrames())
    unknown = [frozenset(record["alerts_unknown"]) for record in notes["frames"]]
    return Trace(story, notes["tip_error_mm"], notes["clearance_error_mm"], unknown)


def play_case(job: AlertJob, case: int) -> dict[str, Any]:
    """Plays one procedure; it depends on the job's seed and the case alone.

    Returns:
        A record that JSON knows, see `PlayedCase.of_record`.

    Raises:
        UsageError: no such scenario. ModelError: no such model.
    """
    scenario = load_scenario(job.scenarios[case % len(job.scenarios)])
    procedure = Procedure(scenario, SimulationConfig(), generator(job.seed, case), job.num_frames)
    notes = {name: _Notes() for name in job.eyes}
    watchers = [(notes[name], *_opened(open_eye(name))) for name in job.eyes]
    truths = []
    for index, frame in enumerate(procedure.frames(EventWatch())):
        truths.append({**frame.truth, "time_s": frame.time_s})
        for noted, eye, guidance in watchers:
            _look(noted, frame, _guided(guidance, eye.see(frame), frame, index))
    eyes = {name: asdict(noted) for name, noted in notes.items()}
    return {"case": case, "scenario": scenario.name, "patient": procedure.patient, "truths": truths, "eyes": eyes}


def _opened(eye: Eye) -> tuple[Eye, ClipGuidance]:
    return eye, ClipGuidance(GuidanceConfig(), eye.facts)


def _guided(clip: ClipGuidance, seen: Segmentation, frame: SimulatedFrame, index: int) -> Guidance:
    height, width = frame.image_HW.shape
    return clip.step(
        seen, frame=index, time_s=frame.time_s, spacing=frame.spacing, region=ScanRegion(0, 0, width, height, "full"),
        echo=echo_on_grid(frame.image_HW, seen.grid), flow=_flow(frame, seen),
    )  # fmt: skip


def _flow(frame: SimulatedFrame, seen: Segmentation) -> FlowPicture | None:
    flow = None if frame.colour_HW3 is None else read_flow(frame.colour_HW3)
    return None if flow is None else flow_on_grid(flow.velocity_HW, seen.grid, flow.note)


def _look(notes: _Notes, frame: SimulatedFrame, guidance: Guidance) -> None:
    notes.frames.append(frame_record(guidance))
    notes.alerts.extend(alert_records(guidance))
    needle, reported = frame.truth["needle"], guidance.needle
    if needle is None or reported is None or reported.tip_mm is None:
        return
    tip_px = guidance.plane.to_frame_px(reported.tip_mm)
    pixel_mm = (frame.spacing.column_mm, frame.spacing.row_mm)
    notes.tip_error_mm.append(float(np.hypot(*((tip_px - np.array(needle["tip_px"])) * pixel_mm))))
    for name, error_mm in _clearance_errors(guidance, needle):
        notes.clearance_error_mm.setdefault(name, []).append(error_mm)


def _clearance_errors(guidance: Guidance, needle: dict[str, Any]) -> Iterator[tuple[str, float]]:
    for name, key in _CLEARANCES.items():
        reported_mm, true_mm = getattr(guidance.distances, name), needle[key]
        if reported_mm is not None and true_mm is not None:
            yield name, max(reported_mm, 0.0) - max(true_mm, 0.0)
