"""A scenario played in one patient: every quantity at every tick of the scanner, and which ticks become frames.

The script says what hands do. Bodies add their own motion: breath, pulse, the hand's drift and tremor.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hipseg.simulation.drag import dragged_mm
from hipseg.simulation.scene import Scene
from hipseg.simulation.script import actions as do
from hipseg.simulation.script.scenario import Scenario
from hipseg.simulation.strokes import Strokes, UnplayableError, play_needle
from hipseg.simulation.track import Ticks, Track, during
from hipseg.simulation.ways import Ways

__all__ = ["Timeline", "UnplayableError", "write_timeline"]


@dataclass(frozen=True, slots=True)
class Timeline:
    """Quantities at all ticks [T], and frames as indices of ticks.

    Attributes:
        time_s: of each tick.
        arrived: the ticks at which a frame arrives; ticks that are missing were dropped.
        shown: the tick whose picture each frame shows; an earlier one while the scanner is frozen.
        strokes: of the needle, None without one.
        drag_mm: displacement of the tissue at the tip.
        along_mm, across_mm, tilt_deg, rotate_deg, rock_deg: of the probe, against its pose at the begin.
        pressure: of the probe, 0-1.
        breath_mm: by which the body lies nearer to the probe.
        artery_scale, vein_scale: of the vessels' radii.
        systole: arterial pressure wave, 0-1.
        gain_db: added by hand.
        lost_share: share of the probe's face without contact.
        doppler: what colour Doppler covers: index + 1 into ("vessels", "joint", "all"), 0 for off.
    """

    time_s: Ticks
    arrived: npt.NDArray[np.int64]
    shown: npt.NDArray[np.int64]
    strokes: Strokes | None
    drag_mm: Ticks
    along_mm: Ticks
    across_mm: Ticks
    tilt_deg: Ticks
    rotate_deg: Ticks
    rock_deg: Ticks
    pressure: Ticks
    breath_mm: Ticks
    artery_scale: Ticks
    vein_scale: Ticks
    systole: Ticks
    gain_db: Ticks
    lost_share: Ticks
    doppler: npt.NDArray[np.int64]

    def frame_at(self, time_s: float) -> int | None:
        """The first frame that arrives at or after a time, None after the last one."""
        index = int(np.searchsorted(self.time_s[self.arrived], time_s - 1e-9))
        return index if index < len(self.arrived) else None


PROBE_TRACKS = ("along_mm", "across_mm", "tilt_deg", "rotate_deg", "rock_deg")
DOPPLER_PLACES = ("vessels", "joint", "all")


def write_timeline(
    scenario: Scenario,
    scene: Scene,
    ways: Ways | None,
    num_ticks: int,
    tremor_mm: tuple[float, float],
    rng: np.random.Generator,
) -> Timeline:
    """Plays a script.

    Args:
        scenario: the script.
        scene: the patient under the probe.
        ways: of the needle.
        num_ticks: of the scanner; beyond the script's end hands rest.
        tremor_mm: range of the amplitude of the hand's drift.
        rng: of everything that differs from one hip and hand to the next.

    Raises:
        UnplayableError: this patient's anatomy does not allow it.
    """
    time_s = np.arange(num_ticks) / scenario.frame_rate_hz
    strokes = None if ways is None else play_needle(scenario, scene, ways, time_s, rng)
    drag_mm = np.zeros(num_ticks) if strokes is None else dragged_mm(strokes.length_mm, 1 / scenario.frame_rate_hz)
    systole = _systole(time_s, rng)
    arrived, shown = _frames(scenario, time_s)
    breath = np.sin(2 * np.pi * time_s / rng.uniform(3.5, 5.5) + rng.uniform(0, 6))
    return Timeline(
        time_s=time_s,
        arrived=arrived,
        shown=shown,
        strokes=strokes,
        drag_mm=drag_mm,
        **_probe(scenario, time_s, breath, tremor_mm, rng),
        pressure=_held(scenario, do.Press, "pressure", time_s),
        breath_mm=rng.uniform(0.1, 0.35) * breath,
        artery_scale=1 + rng.uniform(0.02, 0.06) * systole,
        vein_scale=1 + 0.06 * breath,
        systole=systole,
        gain_db=_gain(scenario, time_s),
        lost_share=_held(scenario, do.LoseContact, "share", time_s),
        doppler=_doppler(scenario, time_s),
    )


def _probe(
    scenario: Scenario, time_s: Ticks, breath: Ticks, tremor_mm: tuple[float, float], rng: np.random.Generator
) -> dict[str, Ticks]:
    """The script's motions on top of a hand that is never quite still."""
    tracks = {name: Track(time_s) for name in PROBE_TRACKS}
    for action in scenario.of(do.MoveProbe):
        assert isinstance(action, do.MoveProbe)
        for name, track in tracks.items():
            amount = getattr(action, name)
            if action.returns:
                track.visit(action.at_s, action.for_s, amount)
            elif amount:
                track.move(action.at_s, action.for_s, track.last + amount)
    drift_mm = rng.uniform(*tremor_mm)
    shake_mm = _held(scenario, do.Tremble, "amplitude_mm", time_s)
    for name, share in zip(PROBE_TRACKS, (1.0, 0.5, 1.5, 0.8, 0.6), strict=True):
        tracks[name].values += share * _unrest(time_s, drift_mm, 0.08 * drift_mm + 0.35 * shake_mm, rng)
    tracks["along_mm"].values += 0.25 * (breath - breath[0])
    return {name: track.values for name, track in tracks.items()}


def _unrest(time_s: Ticks, drift_mm: float, tremor_mm: Ticks, rng: np.random.Generator) -> Ticks:
    """A hand's slow drift, from 0 on, and its tremor of 5-10 Hz."""
    slow = np.zeros_like(time_s)
    for period_s, weight in ((rng.uniform(4, 9), 1.0), (rng.uniform(1, 2), 0.35)):
        slow += weight * np.sin(2 * np.pi * time_s / period_s + rng.uniform(0, 2 * np.pi))
    tremor = np.sin(2 * np.pi * time_s / rng.uniform(0.1, 0.2) + rng.uniform(0, 2 * np.pi))
    return np.asarray(drift_mm * (slow - slow[0]) + tremor_mm * tremor)


def _systole(time_s: Ticks, rng: np.random.Generator) -> Ticks:
    """An arterial pressure wave of 54-90 beats a minute: a fast rise and a slow fall."""
    phase = np.mod(time_s * rng.uniform(0.9, 1.5) + rng.random(), 1.0)
    wave: Ticks = np.where(phase < 0.15, phase / 0.15, np.exp(-(phase - 0.15) / 0.3))
    return wave


def _held(scenario: Scenario, kind: type[do.Action], name: str, time_s: Ticks) -> Ticks:
    """A quantity that rises with an action and falls back at its end."""
    track = Track(time_s)
    for action in scenario.of(kind):
        track.hold(action.at_s, action.for_s, getattr(action, name))
    held: Ticks = np.maximum(track.values, 0.0)
    return held


def _gain(scenario: Scenario, time_s: Ticks) -> Ticks:
    track = Track(time_s)
    for action in scenario.of(do.ChangeGain):
        assert isinstance(action, do.ChangeGain)
        track.move(action.at_s, max(action.for_s, 0.05), track.last + action.by_db)
    return track.values


def _doppler(scenario: Scenario, time_s: Ticks) -> npt.NDArray[np.int64]:
    places = np.zeros(len(time_s), np.int64)
    for action in scenario.of(do.Doppler):
        assert isinstance(action, do.Doppler)
        places[during(time_s, action.at_s, action.for_s)] = DOPPLER_PLACES.index(action.over) + 1
    return places


def _frames(scenario: Scenario, time_s: Ticks) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The ticks at which frames arrive, and the ticks whose pictures they show."""
    ticks = np.arange(len(time_s))
    shown, kept = ticks.copy(), np.ones(len(time_s), bool)
    for action in scenario.of(do.Freeze):
        frozen = during(time_s, action.at_s, action.for_s)
        shown[frozen] = ticks[frozen][:1]
    for action in scenario.of(do.DropFrames):
        assert isinstance(action, do.DropFrames)
        dropped = np.flatnonzero(during(time_s, action.at_s, action.for_s))
        kept[dropped] = False
        if action.keep_one_in:
            kept[dropped[:: action.keep_one_in]] = True
    kept[0] = True
    return ticks[kept], shown[kept]
