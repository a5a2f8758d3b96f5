"""The needle over time, on the source's own timestamps: tracked, coasting for a moment, lost, absent."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

import numpy as np

from hipseg.guidance.config import TrackingConfig
from hipseg.guidance.geometry import Line, Points, ScanPlane, entry_into
from hipseg.guidance.needle import NeedleSighting
from hipseg.guidance.shaft import Shaft

_TIME_TOLERANCE_S = 1e-6
"""Source times are sums of frame times: 9 x 33.3 ms may come out a rounding past 300 ms."""


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
    """The last believed tip, in frame pixels: they stay where they are when the scale changes."""

    tip_px: Points
    sigma_mm: float
    direction: Points
    velocity_px_s: Points | None
    seen_s: float
    visible_mm: float


class NeedleTracker:
    """Follows one needle; one `step` a frame, in order of time.

    A clock that runs backwards or a changed scale starts a new track.
    """

    def __init__(self, config: TrackingConfig) -> None:
        self._config = config
        self._track: _Track | None = None
        self._time_s = -np.inf
        self._any_sighting_s = -np.inf
        self._pixel_mm: tuple[float, float] | None = None

    def step(self, sighting: NeedleSighting | None, time_s: float, plane: ScanPlane) -> TrackedNeedle:
        """Takes what a frame shows and answers with what is known of the needle.

        Args:
            sighting: of this frame, None when no needle is seen.
            time_s: of the frame, by its source.
            plane: of the frame.
        """
        self._restart_if_broken(time_s, plane)
        if sighting is not None:
            self._any_sighting_s = time_s
        shaft = sighting.shaft if sighting else None
        if sighting is not None and sighting.tip is not None and self._believable(sighting, time_s, plane):
            self._track = self._updated(sighting, time_s, plane)
            return replace(self._carried(self._track, time_s, plane), state=NeedleState.TRACKED, shaft=shaft)
        return replace(self._unseen(time_s, plane), shaft=shaft)

    def _restart_if_broken(self, time_s: float, plane: ScanPlane) -> None:
        pixel_mm = (plane.column_mm, plane.row_mm)
        if time_s < self._time_s or (self._pixel_mm is not None and self._pixel_mm != pixel_mm):
            self._track = None
        self._time_s, self._pixel_mm = time_s, pixel_mm

    def _believable(self, sighting: NeedleSighting, time_s: float, plane: ScanPlane) -> bool:
        """Whether a tip is within reach of the last one; after that one is lost, any is."""
        assert sighting.tip is not None
        track, config = self._track, self._config
        if track is None or time_s - track.seen_s > config.coasting_s:
            return True
        reach_mm = config.gate_mm + config.max_speed_mm_s * (time_s - track.seen_s)
        jump_mm = float(np.hypot(*(sighting.tip.point_mm - plane.from_frame_px(track.tip_px))))
        return jump_mm <= reach_mm + 3 * max(sighting.tip.sigma_mm, track.sigma_mm)

    def _updated(self, sighting: NeedleSighting, time_s: float, plane: ScanPlane) -> _Track:
        assert sighting.tip is not None
        tip_px = plane.to_frame_px(sighting.tip.point_mm)
        return _Track(
            tip_px=tip_px,
            sigma_mm=sighting.tip.sigma_mm,
            direction=sighting.shaft.line.direction,
            velocity_px_s=self._velocity(tip_px, time_s),
            seen_s=time_s,
            visible_mm=float(np.hypot(*(sighting.tip.point_mm - sighting.shaft.shallow_mm))),
        )

    def _velocity(self, tip_px: Points, time_s: float) -> Points | None:
        """Exponentially weighted over source time: irregular frames count for the time they span."""
        track = self._track
        if track is None or time_s - track.seen_s > self._config.coasting_s:
            return None
        elapsed_s = time_s - track.seen_s
        if elapsed_s <= 0:
            return track.velocity_px_s
        measured = (tip_px - track.tip_px) / elapsed_s
        if track.velocity_px_s is None:
            return measured
        share = elapsed_s / (elapsed_s + 0.15)
        return track.velocity_px_s + share * (measured - track.velocity_px_s)

    def _unseen(self, time_s: float, plane: ScanPlane) -> TrackedNeedle:
        track = self._track
        if track is None:
            return TrackedNeedle(NeedleState.ABSENT)
        if time_s - track.seen_s <= self._config.coasting_s + _TIME_TOLERANCE_S:
            return self._carried(track, time_s, plane)
        if self._is_gone(track, time_s):
            self._track = None
            return TrackedNeedle(NeedleState.ABSENT)
        return TrackedNeedle(NeedleState.LOST)

    def _is_gone(self, track: _Track, time_s: float) -> bool:
        unseen_s = time_s - self._any_sighting_s
        drawn_out = track.visible_mm <= self._config.withdrawn_mm and unseen_s > self._config.coasting_s
        return drawn_out or unseen_s > self._config.absent_after_s

    def _carried(self, track: _Track, time_s: float, plane: ScanPlane) -> TrackedNeedle:
        """The track at a time, carried on at constant velocity since it was last seen."""
        age_s = time_s - track.seen_s
        still = np.zeros(2)
        tip_px = track.tip_px + age_s * (still if track.velocity_px_s is None else track.velocity_px_s)
        tip_mm = plane.from_frame_px(tip_px)
        pixel = (plane.column_mm, plane.row_mm)
        return TrackedNeedle(
            state=NeedleState.COASTING,
            tip_mm=tip_mm,
            sigma_mm=track.sigma_mm + 5.0 * age_s,
            line=Line(tip_mm, track.direction),
            entry_mm=entry_into(plane.size_mm, tip_mm, track.direction),
            velocity_mm_s=None if track.velocity_px_s is None else track.velocity_px_s * pixel,
        )
