"""A scripted injection as a clip: probe drift, pulse, a needle that advances, fluid that lifts the capsule.

Tissue stands still in the patient; the probe moves over it. A frame is a function of its number alone, so that clips
can be read at any place and in any order.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from hipseg.errors import UsageError
from hipseg.simulation.config import SimulationConfig
from hipseg.simulation.frames import SimulatedFrame, draw_scene, frame_of, reach_of_bone
from hipseg.simulation.needle import Needle, draw_needle
from hipseg.simulation.phantom import BodyState
from hipseg.simulation.scene import PointUW, Scene, survey

_ATTEMPTS = 60
_LEAD_IN, _ARRIVAL, _INJECTION = 0.1, 0.7, 0.78
"""Shares of a clip's duration: needle enters, reaches the target at the latest, injection begins."""

Track = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Script:
    """What happens when.

    Attributes:
        time_s: of each frame.
        length_mm: of the needle from its entry to its tip in each frame, 0 before it enters.
        recess_mm: by which injected fluid has lifted the capsule.
        drift_mm: of the probe along and across its plane [frames, 2].
        artery_scale, vein_scale: of the vessels' radii.
        events: names by frame.
    """

    time_s: Track
    length_mm: Track
    recess_mm: Track
    drift_mm: Track
    artery_scale: Track
    vein_scale: Track
    events: dict[int, tuple[str, ...]]


class Procedure:
    """One patient's injection.

    Args:
        config: the population, and the clip's length and rate.
        rng: the only source of chance.

    Raises:
        UsageError: the population shows no target that its needles can reach.
    """

    def __init__(self, config: SimulationConfig, rng: np.random.Generator) -> None:
        self._scene, self.needle, first_mm = _plan(config, rng)
        self.script = _write_script(config, self.needle, first_mm, rng)
        self._noise_seed = int(rng.integers(1 << 31))
        self.frame_rate_hz = config.frame_rate_hz

    def __len__(self) -> int:
        return len(self.script.time_s)

    def __iter__(self) -> Iterator[SimulatedFrame]:
        return (self.frame(index) for index in range(len(self)))

    def frame(self, index: int) -> SimulatedFrame:
        """The frame of a number from 0. Its truth also holds the events that happen at it."""
        scene = self.scene(index)
        frame = frame_of(scene, survey(scene))
        frame.truth["events"] = list(self.script.events.get(index, ()))
        return frame

    def scene(self, index: int) -> Scene:
        """What the probe sees at a frame."""
        script = self.script
        along_mm, across_mm = script.drift_mm[index]
        length_mm = float(script.length_mm[index])
        needle = None
        if length_mm > 0:
            needle = _seen_from(self.needle.advanced_to(length_mm), along_mm, across_mm)
        state = BodyState(
            artery_scale=float(script.artery_scale[index]),
            vein_scale=float(script.vein_scale[index]),
            recess_mm=float(script.recess_mm[index]),
        )
        return self._scene.replace(
            pose=self._scene.pose.moved(along_mm, across_mm),
            needle=needle,
            state=state,
            noise_seed=self._noise_seed + index,
            time_s=float(script.time_s[index]),
        )


def _plan(config: SimulationConfig, rng: np.random.Generator) -> tuple[Scene, Needle, float]:
    """A scene whose target is in the picture, a needle that reaches it, and the length at which it comes into view."""
    for _ in range(_ATTEMPTS):
        scene = draw_scene(config, rng)
        target_uw = survey(scene).target_uw
        if target_uw is None:
            continue
        needle = _needle_to(config, target_uw, rng)
        span = needle.visible_span_mm(scene.probe)
        if span is not None and reach_of_bone(scene, needle) > needle.length_mm and needle.tip_is_visible(scene.probe):
            return scene, needle, span[0]
    raise UsageError(
        f"none of {_ATTEMPTS} patients shows a target that a needle can reach",
        where="simulation",
        mend="widen aperture_mm, depth_mm or needle_angle_deg",
    )


def _needle_to(config: SimulationConfig, target_uw: PointUW, rng: np.random.Generator) -> Needle:
    """A needle that ends in the target, give or take, and stays near the plane."""
    aim = (target_uw[0] + rng.normal(0, 0.6), target_uw[1] + rng.normal(0, 0.2))
    needle = draw_needle(config, aim, rng)
    return replace(needle, bend_mm=0.3 * needle.bend_mm, offsets_mm=(0.3 * needle.offsets_mm[0], 0.0))


def _seen_from(needle: Needle, along_mm: float, across_mm: float) -> Needle:
    """The needle, which stays in the patient, in the plane of a probe that has moved."""
    u, w = needle.entry_uw
    offset_mm, per_mm = needle.offsets_mm
    return replace(needle, entry_uw=(u - along_mm, w), offsets_mm=(offset_mm - across_mm, per_mm))


def _write_script(config: SimulationConfig, needle: Needle, first_mm: float, rng: np.random.Generator) -> Script:
    count = config.num_frames
    time_s = np.arange(count) / config.frame_rate_hz
    share = np.arange(count) / max(count - 1, 1)
    length_mm, arrival = _advance(config, needle, first_mm, share, time_s, rng)
    injection = max(_INJECTION, arrival + 0.05)
    recess_mm = rng.uniform(0.8, 3.0) * np.clip((share - injection) / max(1 - injection, 1e-6), 0, 1)
    pulse = _pulse(time_s, rng)
    return Script(
        time_s=time_s,
        length_mm=length_mm,
        recess_mm=recess_mm,
        drift_mm=_drift(config, time_s, rng),
        artery_scale=1 + rng.uniform(0.02, 0.06) * pulse,
        vein_scale=1 + 0.08 * np.sin(2 * np.pi * time_s / rng.uniform(3, 5) + rng.uniform(0, 6)),
        events=_events(length_mm > 0, share >= arrival, share >= injection),
    )


def _advance(
    config: SimulationConfig, needle: Needle, first_mm: float, share: Track, time_s: Track, rng: np.random.Generator
) -> tuple[Track, float]:
    """Length of the needle over the clip, with a pause and at times a retraction; and the share at which it arrives."""
    start_mm, end_mm = max(first_mm, 0.5), needle.length_mm
    duration_s = max(float(time_s[-1]), 1e-6)
    travel = (end_mm - start_mm) / rng.uniform(*config.needle_speed_mm_s) / duration_s
    arrival = _LEAD_IN + min(travel, _ARRIVAL - _LEAD_IN)
    back_mm = rng.choice([0.0, rng.uniform(1.5, 5.0)])
    middle_mm = start_mm + rng.uniform(0.4, 0.8) * (end_mm - start_mm)
    times = _LEAD_IN + (arrival - _LEAD_IN) * np.array([0.0, 0.45, 0.55, 0.65, 1.0])
    lengths = np.array([start_mm, middle_mm, middle_mm, max(middle_mm - back_mm, start_mm), end_mm])
    return np.where(share >= _LEAD_IN, np.interp(share, times, lengths), 0.0), arrival


def _drift(config: SimulationConfig, time_s: Track, rng: np.random.Generator) -> Track:
    """A hand's slow drift and fine tremor, along the plane and half as much across it."""
    amplitude_mm = rng.uniform(*config.tremor_mm)
    drift = np.zeros((len(time_s), 2))
    for axis, share in enumerate((1.0, 0.5)):
        for period_s, weight in ((rng.uniform(4, 9), 1.0), (rng.uniform(1, 2), 0.35), (rng.uniform(0.1, 0.2), 0.05)):
            phase = rng.uniform(0, 2 * np.pi)
            drift[:, axis] += share * weight * amplitude_mm * np.sin(2 * np.pi * time_s / period_s + phase)
    moved: Track = drift - drift[0]
    return moved


def _pulse(time_s: Track, rng: np.random.Generator) -> Track:
    """An arterial pressure wave, 0 to 1: a fast rise and a slow fall."""
    phase = np.mod(time_s * rng.uniform(0.9, 1.5) + rng.random(), 1.0)
    return np.where(phase < 0.15, phase / 0.15, np.exp(-(phase - 0.15) / 0.3))


def _events(
    inserted: npt.NDArray[np.bool_], arrived: npt.NDArray[np.bool_], injecting: npt.NDArray[np.bool_]
) -> dict[int, tuple[str, ...]]:
    """The first frame of each phase."""
    events: dict[int, tuple[str, ...]] = {}
    for name, phase in (("needle_enters", inserted), ("target_reached", arrived), ("injection_starts", injecting)):
        if phase.any():
            first = int(phase.argmax())
            events[first] = (*events.get(first, ()), name)
    return events
