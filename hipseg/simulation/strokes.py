"""What the needle does over a clip: how far it is in, where it points, what flows out of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from hipseg.simulation.phantom import BodyState, Section
from hipseg.simulation.pool import lift_mm
from hipseg.simulation.scene import Scene
from hipseg.simulation.script import actions as do
from hipseg.simulation.script.scenario import Scenario
from hipseg.simulation.surfaces import Array
from hipseg.simulation.track import Ticks, Track
from hipseg.simulation.ways import Way, Ways

_FASTEST_MM_S = 60.0
_SHORTEST_ADVANCE_MM = 1.0
_SHOWN_MM = 3.0
"""Of the shaft, once the needle is in the picture."""
_BUBBLES_S, _DENSEST = 6.0, 0.22


class UnplayableError(Exception):
    """This patient's anatomy does not allow the script."""


@dataclass(frozen=True, slots=True)
class Strokes:
    """The needle at all ticks [T], in the plane of the probe as the clip begins.

    Attributes:
        length_mm: from the skin to the tip; 0 while it is not in.
        angle_rad: to the skin.
        slope: out of the plane, mm per mm.
        joint_ml, tissue_ml: injected so far into the joint, and astray.
        jet: 1 while fluid flows.
        bubbles: share of the fluid with bubbles in it.
        stopped: whether bone holds the tip.
        astray_at: x, y (patient coordinates) and height over the capsule where fluid collects outside the joint.
    """

    length_mm: Ticks
    angle_rad: Ticks
    slope: Ticks
    joint_ml: Ticks
    tissue_ml: Ticks
    jet: Ticks
    bubbles: Ticks
    stopped: npt.NDArray[np.bool_]
    astray_at: tuple[float, float, float] | None


def play_needle(scenario: Scenario, scene: Scene, ways: Ways, time_s: Ticks, rng: np.random.Generator) -> Strokes:
    """Plays the needle's part of a script. Raises UnplayableError when this patient does not allow it."""
    hand = _Hand(ways, scene, time_s, rng)
    for action in scenario.needle_actions:
        hand.play(action)
    for action in scenario.of(do.Veer):
        assert isinstance(action, do.Veer)
        hand.veer(action)
    for action in scenario.of(do.Inject):
        assert isinstance(action, do.Inject)
        hand.inject(action)
    return hand.strokes()


class _Hand:
    """Plays actions in their order."""

    def __init__(self, ways: Ways, scene: Scene, time_s: Ticks, rng: np.random.Generator) -> None:
        self._ways, self._scene, self._rng, self._time_s = ways, scene, rng, time_s
        self._way: Way = ways.by_aim[ways.first]
        self._length = Track(time_s)
        self._angle = Track(time_s, self._way.needle.angle_rad)
        self._slope = Track(time_s, self._way.needle.offsets_mm[1])
        self._joint_ml, self._tissue_ml = Track(time_s), Track(time_s)
        self._jet, self._bubbles = Track(time_s), Track(time_s)
        self._stopped = np.zeros(len(time_s), bool)
        self._astray_at: tuple[float, float, float] | None = None

    def play(self, action: do.Action) -> None:
        """One action; veering and injecting are played when the needle's length is known."""
        match action:
            case do.Insert():
                self._length.move(action.at_s, action.for_s, self._ways.seen_from_mm + _SHOWN_MM)
            case do.Advance():
                self._advance(action)
            case do.Retract():
                self._retract(action.at_s, action.for_s, action.by_mm)
            case do.Redirect():
                self._redirect(action)
            case do.ChangeTubing():
                self._change_tubing(action)
            case do.Withdraw():
                self._length.move(action.at_s, action.for_s, 0.0)

    def veer(self, action: do.Veer) -> None:
        """Turns the needle out of the plane until its tip is as far off it as the script says."""
        length_mm = self._length.at(action.end_s)
        self._slope.move(action.at_s, action.for_s, self._slope.last + action.offset_mm / max(length_mm, 1.0))

    def inject(self, action: do.Inject) -> None:
        """Fluid goes where the tip is when the injection begins."""
        tip, body = self._body_at_tip(action.at_s)
        track = self._joint_ml if _is_in_joint(body) else self._tissue_ml
        if track is self._tissue_ml and self._astray_at is None:
            height_mm = max(float(body.capsule_outer[0]), 0.5)
            self._astray_at = (float(tip[0][0]), float(tip[1][0]), height_mm)
        track.move(action.at_s, action.for_s, track.last + action.volume_ml)
        self._jet.hold(action.at_s, action.for_s, 1.0, 0.2)
        since_s = np.clip(self._time_s - action.at_s, 0, None)
        fresh = np.minimum(since_s / 0.5, 1) * np.exp(-since_s / _BUBBLES_S)
        self._bubbles.values = np.maximum(self._bubbles.values, self._rng.uniform(0.4, 1) * _DENSEST * fresh)

    def strokes(self) -> Strokes:
        """What was played."""
        length_mm = np.where(self._length.values > 0.3, self._length.values, 0.0)
        return Strokes(
            length_mm=length_mm,
            angle_rad=self._angle.values,
            slope=self._slope.values,
            joint_ml=self._joint_ml.values,
            tissue_ml=self._tissue_ml.values,
            jet=np.clip(self._jet.values, 0, 1),
            bubbles=self._bubbles.values,
            stopped=self._stopped,
            astray_at=self._astray_at,
        )

    def _advance(self, action: do.Advance) -> None:
        wanted_mm = self._way.needle.length_mm + action.to_mm
        to_mm = min(wanted_mm, self._way.stop_mm)
        stroke_mm = to_mm - self._length.last
        if stroke_mm < _SHORTEST_ADVANCE_MM or stroke_mm > _FASTEST_MM_S * action.for_s:
            raise UnplayableError("no way to advance, or too long a way")
        self._length.move(action.at_s, action.for_s, to_mm)
        self._stopped |= (self._time_s >= action.end_s) & (wanted_mm > self._way.stop_mm)

    def _retract(self, at_s: float, for_s: float, by_mm: float) -> None:
        least_mm = self._ways.seen_from_mm + 1.0
        if self._length.last - by_mm < least_mm:
            raise UnplayableError("the needle would leave the picture")
        self._length.move(at_s, for_s, self._length.last - by_mm)
        self._stopped &= self._time_s < at_s

    def _redirect(self, action: do.Redirect) -> None:
        way = self._ways.by_aim[action.aim]
        if self._length.last > way.stop_mm:
            raise UnplayableError("bone is in the way of turning")
        self._way = way
        self._angle.move(action.at_s, action.for_s, way.needle.angle_rad)
        self._slope.move(action.at_s, action.for_s, way.needle.offsets_mm[1])

    def _change_tubing(self, action: do.ChangeTubing) -> None:
        """Hands at the hub: the needle shakes at 3 Hz or so and slips."""
        if action.slips_mm:
            self._retract(action.at_s, action.for_s, action.slips_mm)
        within = self._length.during(action.at_s, action.for_s)
        shake = np.sin(2 * np.pi * self._rng.uniform(2.5, 4) * (self._time_s - action.at_s))
        fade = np.sin(np.pi * np.clip((self._time_s - action.at_s) / action.for_s, 0, 1))
        self._length.values -= np.where(within, 0.25 * fade * (1 - shake), 0)
        self._angle.values += np.where(within, np.radians(0.5) * fade * shake, 0)

    def _body_at_tip(self, at_s: float) -> tuple[tuple[Array, Array, Array], Section]:
        """Patient coordinates of the tip and the body there."""
        needle = replace(
            self._ways.needle,
            length_mm=self._length.at(at_s),
            angle_rad=self._angle.at(at_s),
            offsets_mm=(self._ways.needle.offsets_mm[0], self._slope.at(at_s)),
        )
        u, w = (np.array([value], np.float32) for value in needle.tip_uw)
        tip = self._scene.pose.to_patient(u, w, float(needle.out_of_plane_mm(needle.length_mm)))
        state = BodyState(recess_mm=lift_mm(self._joint_ml.at(at_s)))
        return tip, self._scene.phantom.section(*tip, w, state)


def _is_in_joint(body: Section) -> bool:
    """Whether a point lies between capsule and bone."""
    return bool(body.capsule_inner[0] < 0 and body.labrum[0] > 0 and body.bone[0] > 0)
