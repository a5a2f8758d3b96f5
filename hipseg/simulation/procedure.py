"""A scenario played in one patient, as frames with exact truth.

Tissue stands still in the patient; the probe moves over it. A frame is a function of its number alone, so that clips
can be read at any place and in any order; what only shows over time (dangers that begin, events that are seen) is
added when a clip is read from its begin.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from hipseg.simulation.config import SimulationConfig
from hipseg.simulation.contact import lifted_off, without_unseen
from hipseg.simulation.doppler import Window, draw_window, paint_doppler
from hipseg.simulation.drag import Drag
from hipseg.simulation.events import EventWatch, scripted_events
from hipseg.simulation.frames import SimulatedFrame, frame_of
from hipseg.simulation.injectate import Flow
from hipseg.simulation.needle import Needle
from hipseg.simulation.phantom import BodyState
from hipseg.simulation.plan import draw_plan
from hipseg.simulation.pool import Pool, lift_mm
from hipseg.simulation.probe import Pose
from hipseg.simulation.scanner import Look
from hipseg.simulation.scene import Scene, Survey, survey
from hipseg.simulation.script.scenario import Scenario
from hipseg.simulation.timeline import DOPPLER_PLACES
from hipseg.simulation.truth import moment_truth, stroke_truth
from hipseg.simulation.ways import seen_from

_PRESSED_MM = 2.5
"""By which a probe pressed hard comes nearer to the joint."""
_FLAT_VEIN = 0.88
_DRAG_BEHIND_TIP_MM = 2.0


class Procedure:
    """One patient's procedure.

    Args:
        scenario: what happens.
        config: the population, which the scenario may narrow.
        rng: the only source of chance.
        num_frames: ticks of the scanner, None for the scenario's own; beyond its end hands rest.

    Raises:
        UsageError: the population holds no patient who can play the scenario.
    """

    def __init__(
        self,
        scenario: Scenario,
        config: SimulationConfig,
        rng: np.random.Generator,
        num_frames: int | None = None,
    ) -> None:
        self.scenario = scenario
        plan = draw_plan(scenario, config, num_frames or scenario.num_frames, rng)
        self._scene, self._ways, self.timeline = plan.scene, plan.ways, plan.timeline
        self._windows: dict[str, Window] = {}
        self._noise_seed = int(rng.integers(1 << 31))
        self.events = scripted_events(scenario, self.timeline)

    def __len__(self) -> int:
        return len(self.timeline.arrived)

    @property
    def patient(self) -> str:
        """A pseudonym."""
        return self._scene.patient.id

    @property
    def time_s(self) -> npt.NDArray[np.float64]:
        """When each frame arrives; frames that were dropped leave gaps."""
        return self.timeline.time_s[self.timeline.arrived]

    @property
    def shows_colour(self) -> bool:
        """Whether any frame is one of colour Doppler, so that its recording has to be one in colour."""
        return bool(self.timeline.doppler[self.timeline.shown].any())

    def __iter__(self) -> Iterator[SimulatedFrame]:
        return self.frames(EventWatch())

    def frames(self, watch: EventWatch) -> Iterator[SimulatedFrame]:
        """All frames in order; the watch adds each one's dangers and the events that it sees begin to its truth."""
        for index in range(len(self)):
            frame = self.frame(index)
            watch.see(frame.truth, frame.time_s)
            yield frame

    def frame(self, index: int) -> SimulatedFrame:
        """The frame of a number from 0, its truth with the scripted events that happen at it."""
        timeline = self.timeline
        tick = int(timeline.shown[index])
        scene = self.scene(tick)
        seen = survey(scene)
        frame = frame_of(scene, seen)
        frame.truth.update(moment_truth(scene, seen, timeline, tick))
        if frame.truth["needle"] is not None:
            frame.truth["needle"].update(stroke_truth(timeline, tick))
        frame = without_unseen(frame, scene, float(timeline.lost_share[tick]))
        place = int(timeline.doppler[tick])
        if place:
            window = self._window(DOPPLER_PLACES[place - 1])
            frame, box_px = paint_doppler(frame, scene, seen, window, float(timeline.systole[tick]))
            frame.truth["doppler"] = {"box_px": box_px, "over": DOPPLER_PLACES[place - 1]}
        arrived = int(timeline.arrived[index])
        missing = arrived - int(timeline.arrived[index - 1]) - 1 if index else 0
        frame.truth.update(frozen=arrived != tick, shows_tick=tick, tick=arrived, dropped_before=missing)
        frame.truth["events"] = [event.name for event in self.events if event.frame == index]
        return replace(frame, time_s=float(timeline.time_s[arrived]))

    def scene(self, tick: int) -> Scene:
        """What the probe sees at a tick of the scanner."""
        timeline, start = self.timeline, self._scene
        pose = self._pose(tick)
        scene = start.replace(
            pose=pose,
            needle=self._needle(tick, pose),
            look=self._look(tick),
            state=self._state(tick),
            noise_seed=self._noise_seed + tick,
            time_s=float(timeline.time_s[tick]),
        )
        if scene.needle is None:
            return scene.replace(flow=self._flow(tick, None))
        return scene.replace(drag=self._drag(tick, scene.needle), flow=self._flow(tick, scene.needle))

    def _pose(self, tick: int) -> Pose:
        timeline, start = self.timeline, self._scene.pose
        moved = start.moved(float(timeline.along_mm[tick]), float(timeline.across_mm[tick]))
        nearer_mm = _PRESSED_MM * float(timeline.pressure[tick]) + float(timeline.breath_mm[tick])
        return replace(
            moved,
            heading_rad=start.heading_rad + math.radians(timeline.rotate_deg[tick]),
            tilt_rad=start.tilt_rad + math.radians(timeline.tilt_deg[tick]),
            rock_rad=start.rock_rad + math.radians(timeline.rock_deg[tick]),
            skin_z_mm=start.skin_z_mm + nearer_mm,
        )

    def _needle(self, tick: int, pose: Pose) -> Needle | None:
        strokes = self.timeline.strokes
        if strokes is None or self._ways is None or strokes.length_mm[tick] <= 0:
            return None
        needle = self._ways.at(
            length_mm=float(strokes.length_mm[tick]),
            angle_rad=float(strokes.angle_rad[tick]),
            slope=float(strokes.slope[tick]),
        )
        return seen_from(needle, self._scene.pose, pose)

    def _look(self, tick: int) -> Look:
        timeline, look = self.timeline, self._scene.look
        look = replace(look, gain_db=look.gain_db + float(timeline.gain_db[tick]))
        return lifted_off(look, float(timeline.lost_share[tick]))

    def _state(self, tick: int) -> BodyState:
        timeline, strokes = self.timeline, self.timeline.strokes
        state = BodyState(
            artery_scale=float(timeline.artery_scale[tick]),
            vein_scale=float(timeline.vein_scale[tick]),
            vein_height=1 - _FLAT_VEIN * float(timeline.pressure[tick]),
        )
        if strokes is None:
            return state
        pool = None
        if strokes.astray_at is not None and strokes.tissue_ml[tick] > 0:
            pool = Pool(*strokes.astray_at, volume_ml=float(strokes.tissue_ml[tick]))
        return replace(state, recess_mm=lift_mm(float(strokes.joint_ml[tick])), pool=pool)

    def _drag(self, tick: int, needle: Needle) -> Drag:
        du, dw = needle.direction_at_tip()
        tip = needle.tip_uw
        centre = (tip[0] - _DRAG_BEHIND_TIP_MM * du, tip[1] - _DRAG_BEHIND_TIP_MM * dw)
        return Drag(centre, (du, dw), float(self.timeline.drag_mm[tick]) * self._softness(needle, tick))

    def _softness(self, needle: Needle, tick: int) -> float:
        """1 in soft tissue, 0 where bone holds the tissue around the tip."""
        u, w = (np.array([value], np.float32) for value in needle.tip_uw)
        tip = self._pose(tick).to_patient(u, w)
        phantom = self._scene.phantom
        bone_mm = float(min(phantom.femur(*tip)[0][0], phantom.acetabulum(*tip)[0]))
        return float(np.clip((bone_mm - 1.0) / 6.0, 0, 1))

    def _flow(self, tick: int, needle: Needle | None) -> Flow | None:
        strokes = self.timeline.strokes
        if strokes is None or strokes.joint_ml[tick] + strokes.tissue_ml[tick] <= 0:
            return None
        tip = (0.0, 0.0) if needle is None else needle.tip_uw
        return Flow(
            fluid=float(strokes.joint_ml[tick] / (strokes.joint_ml[tick] + 1.0)),
            tip_uw=tip,
            direction_uw=(0.0, 1.0) if needle is None else needle.direction_at_tip(),
            jet=0.0 if needle is None else float(strokes.jet[tick]),
            bubbles=float(strokes.bubbles[tick]),
            seed=self._noise_seed + tick,
        )

    def _window(self, place: str) -> Window:
        """Where Doppler looks: chosen once by the picture as the clip begins, as an operator would."""
        if place not in self._windows:
            scene = self._scene
            self._windows[place] = draw_window(place, scene, self._seen_at_start())
        return self._windows[place]

    def _seen_at_start(self) -> Survey:
        return survey(self._scene)
