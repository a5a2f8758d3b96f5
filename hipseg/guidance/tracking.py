"""The needle over time, on the source's own timestamps: tracked, coasting for a moment, lost, absent."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

import numpy as np

from hipseg.guidance.config import TrackingConfig
from hipseg.guidance.geometry import Line, Points, ScanPlane, entry_into
from hipseg.guidance.motion import Motion, covariance_of
from hipseg.guidance.needle import NeedleSighting, Tip
from hipseg.guidance.proof import Candidate, NeedleProof
from hipseg.guidance.shaft import Shaft

_TIME_TOLERANCE_S = 1e-6
"""Source times are sums of frame times: 9 x 33.3 ms may come out a rounding past 300 ms."""
_ALIKE = 0.9
"""Cosine of the angle by which a needle may turn from one frame to the next."""


class NeedleState(Enum):
    """What is known of the needle's tip."""

    ABSENT = "absent"
    TRACKED = "tracked"
    COASTING = "coasting"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class TrackedNeedle:
    """The needle of a frame.

    Attributes:
        state: of the tip.
        tip_mm: [2]; None unless tracked or coasting.
        sigma_mm: of the tip.
        line: from entry to tip, through the tip.
        entry_mm: where the needle comes into the image.
        velocity_mm_s: [2], None until it is known.
        shaft: as seen in this very frame, also while the tip is not.
        sigma_along_mm, sigma_across_mm: of the tip, along the needle and across it: its ellipse.
        sigma_direction_deg: of the line's direction.
        bend_mm: how far the shaft's middle lies off the straight line between its ends; positive to the right of
            the way the needle goes.
        unproven: something like a needle that has not moved along its own axis yet, so may be an interface.
    """

    state: NeedleState
    tip_mm: Points | None = None
    sigma_mm: float | None = None
    line: Line | None = None
    entry_mm: Points | None = None
    velocity_mm_s: Points | None = None
    shaft: Shaft | None = None
    sigma_along_mm: float | None = None
    sigma_across_mm: float | None = None
    sigma_direction_deg: float | None = None
    bend_mm: float | None = None
    unproven: Shaft | None = None


@dataclass(frozen=True, slots=True)
class _Track:
    """The needle as last believed."""

    sighting: NeedleSighting
    tip: Tip
    motion: Motion
    candidate: Candidate
    has_velocity: bool

    @property
    def seen_s(self) -> float:
        return self.motion.time_s


class NeedleTracker:
    """Follows one needle; one `step` a frame, in order of time.

    A clock that runs backwards, a changed scale or a changed scan region starts a new track.

    Args:
        config: what is believed.
        still: a single image: the best sighting is the needle, without the proof that only motion gives.
    """

    def __init__(self, config: TrackingConfig, *, still: bool = False) -> None:
        self._config = config
        self._needs_proof = config.require_motion and not still
        self._track: _Track | None = None
        self._proof = NeedleProof(config)
        self._time_s = -np.inf
        self._any_sighting_s = -np.inf
        self._geometry: object = None

    def step(
        self,
        sightings: list[NeedleSighting],
        time_s: float,
        plane: ScanPlane,
        tissue_mm: Points | None = None,
    ) -> TrackedNeedle:
        """Takes what a frame shows and answers with what is known of the needle.

        Args:
            sightings: everything in this frame that may be a needle, best supported first.
            time_s: of the frame, by its source.
            plane: of the frame.
            tissue_mm: [2] how far the tissue has moved since the frame before; None: not known.
        """
        self._restart_if_broken(time_s, plane)
        pairs = self._proof.step(sightings, time_s, tissue_mm)
        chosen = self._chosen(pairs, time_s)
        unproven = next((seen.shaft for seen, one in pairs if not self._is_believed(one)), None)
        if chosen is None:
            return replace(self._unseen(time_s, plane), unproven=unproven)
        sighting, candidate = chosen
        self._any_sighting_s = time_s
        if sighting.tip is not None and self._is_believable(sighting.tip, time_s):
            self._track = self._updated(sighting, sighting.tip, candidate, time_s)
            needle = replace(self._carried(self._track, time_s, plane), state=NeedleState.TRACKED)
        else:
            needle = self._unseen(time_s, plane)
        return replace(needle, shaft=sighting.shaft, bend_mm=sighting.shaft.bend_mm, unproven=unproven)

    def _restart_if_broken(self, time_s: float, plane: ScanPlane) -> None:
        geometry = (plane.column_mm, plane.row_mm, plane.grid, plane.region)
        if time_s < self._time_s or (self._geometry is not None and self._geometry != geometry):
            self._track, self._proof, self._any_sighting_s = None, NeedleProof(self._config), -np.inf
        self._time_s, self._geometry = time_s, geometry

    def _is_believed(self, candidate: Candidate) -> bool:
        return candidate.is_proven or not self._needs_proof

    def _chosen(
        self, pairs: list[tuple[NeedleSighting, Candidate]], time_s: float
    ) -> tuple[NeedleSighting, Candidate] | None:
        """The needle that is followed, if it is seen; else its continuation, or another one that is proven."""
        track = self._track
        believed = [pair for pair in pairs if self._is_believed(pair[1])]
        if track is None:
            return max(believed, key=lambda pair: pair[1].moved_s, default=None)
        same = next((pair for pair in pairs if pair[1] is track.candidate), None)
        moving = next((pair for pair in believed if self._takes_over(pair[1], track.candidate, time_s)), None)
        if same is not None and moving is None:
            return same
        if moving is not None or (believed and not self._is_fresh(track, time_s)):
            return moving or believed[0]
        continued = next((pair for pair in pairs if self._continues(pair[0], track, time_s)), None)
        if continued is not None:
            continued[1].moved_s = track.candidate.moved_s
        return continued or (believed[0] if believed else None)

    def _takes_over(self, other: Candidate, current: Candidate, time_s: float) -> bool:
        """Whether another line moves now and the one that is followed has not for long: that one was none."""
        if not self._needs_proof or other is current:
            return False
        return other.moved_s == time_s and time_s - current.moved_s > self._config.travel_window_s

    def _is_fresh(self, track: _Track, time_s: float) -> bool:
        return time_s - track.seen_s <= self._config.coasting_s + _TIME_TOLERANCE_S

    def _continues(self, sighting: NeedleSighting, track: _Track, time_s: float) -> bool:
        """Whether a line that is new lies so near to the needle's tip that it is the needle, turned or fitted anew."""
        if not self._is_fresh(track, time_s) or sighting.tip is None:
            return False
        carried = track.motion.at(time_s, self._config.acceleration_mm_s2).point_mm
        near = np.hypot(*(sighting.tip.point_mm - carried)) <= self._config.gate_mm
        alike = sighting.shaft.line.direction @ track.sighting.shaft.line.direction > _ALIKE
        return bool(near and alike)

    def _is_believable(self, tip: Tip, time_s: float) -> bool:
        """Whether a tip is within reach of the last one; after that one is lost, any is."""
        track, config = self._track, self._config
        if track is None or not self._is_fresh(track, time_s):
            return True
        reach_mm = config.gate_mm + config.max_speed_mm_s * (time_s - track.seen_s)
        jump_mm = float(np.hypot(*(tip.point_mm - track.motion.point_mm)))
        return jump_mm <= reach_mm + 3 * max(tip.sigma_mm, track.tip.sigma_mm)

    def _updated(self, sighting: NeedleSighting, tip: Tip, candidate: Candidate, time_s: float) -> _Track:
        along_mm, across_mm = _ellipse(tip)
        covariance = covariance_of(
            sighting.shaft.line.direction, along_mm * self._config.jitter, across_mm * self._config.jitter
        )
        track = self._track
        if track is None or not self._is_fresh(track, time_s):
            motion = Motion.begun(tip.point_mm, covariance, self._config.max_speed_mm_s, time_s)
            return _Track(sighting, tip, motion, candidate, has_velocity=False)
        elapsed = time_s > track.seen_s
        motion = track.motion.at(time_s, self._config.acceleration_mm_s2).corrected(tip.point_mm, covariance)
        return _Track(sighting, tip, motion, candidate, has_velocity=elapsed or track.has_velocity)

    def _unseen(self, time_s: float, plane: ScanPlane) -> TrackedNeedle:
        track = self._track
        if track is None:
            return TrackedNeedle(NeedleState.ABSENT)
        if self._is_fresh(track, time_s):
            return self._carried(track, time_s, plane)
        if self._is_drawn_out(track, time_s, plane):
            self._proof.forget_needles()
        elif time_s - self._any_sighting_s <= self._config.absent_after_s:
            return TrackedNeedle(NeedleState.LOST)
        self._track = None
        return TrackedNeedle(NeedleState.ABSENT)

    def _is_drawn_out(self, track: _Track, time_s: float, plane: ScanPlane) -> bool:
        """Whether its tip was last seen where needles come into the picture, and no shaft since.

        A short rest of its shaft is no sign: that is what is seen of a deep needle whose plane is being left.
        """
        tip_mm = np.clip(track.tip.point_mm, 0, plane.size_mm)
        entry_mm = entry_into(plane.size_mm, tip_mm, track.sighting.shaft.chord.direction)
        depth_mm = np.inf if entry_mm is None else float(np.hypot(*(tip_mm - entry_mm)))
        unseen_s = time_s - self._any_sighting_s
        return depth_mm <= self._config.withdrawn_mm and unseen_s > self._config.coasting_s

    def _carried(self, track: _Track, time_s: float, plane: ScanPlane) -> TrackedNeedle:
        """The track at a time, carried on at constant velocity since it was last seen."""
        motion = track.motion.at(time_s, self._config.acceleration_mm_s2)
        drift_mm = self._config.drift_mm_s * (time_s - track.seen_s)
        along_mm, across_mm = _ellipse(track.tip)
        line = Line(motion.point_mm, track.sighting.shaft.line.direction)
        return TrackedNeedle(
            state=NeedleState.COASTING,
            tip_mm=motion.point_mm,
            sigma_mm=track.tip.sigma_mm + drift_mm,
            line=line,
            entry_mm=entry_into(plane.size_mm, motion.point_mm, track.sighting.shaft.chord.direction),
            velocity_mm_s=motion.velocity_mm_s if track.has_velocity else None,
            sigma_along_mm=along_mm + drift_mm,
            sigma_across_mm=across_mm + drift_mm / 2,
            sigma_direction_deg=track.sighting.shaft.sigma_direction_deg,
            bend_mm=track.sighting.shaft.bend_mm,
        )


def _ellipse(tip: Tip) -> tuple[float, float]:
    """Doubt along the needle and across it."""
    along_mm = tip.sigma_mm if tip.sigma_along_mm is None else tip.sigma_along_mm
    return along_mm, tip.sigma_mm if tip.sigma_across_mm is None else tip.sigma_across_mm
