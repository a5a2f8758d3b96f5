"""Which line is a needle: the one that moves along its own axis while the tissue around it does not.

A fascia or a bone's edge may look like a needle for as long as it likes: it stays where it is. What has moved once
stays a needle while it pauses or is out of sight for a while, until it is drawn out.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from hipseg.guidance.config import TrackingConfig
from hipseg.guidance.geometry import Line, Points, median
from hipseg.guidance.needle import NeedleSighting

Values = npt.NDArray[np.float64]

_BLOCKS = 5
_WINDOWS = (1.0, 0.5, 0.25)
"""Shares of the travel window: a quick needle proves itself in the shortest."""
_STRAIGHT, _LEAP, _SIDEWAYS = 0.8, 0.4, 0.5
_MANY_LINES = 12


@dataclass(slots=True, eq=False)
class Candidate:
    """A line that has been seen, and where its tip was.

    Attributes:
        line: as last seen.
        tip_mm: [2] as last seen.
        places: times, and tips [2] as they would lie if the tissue had not moved since the clip's beginning.
        seen_s: when it was last seen.
        moved_s: when it was last found to have moved along itself.
    """

    line: Line
    tip_mm: Points
    places: deque[tuple[float, Points]] = field(default_factory=deque)
    seen_s: float = -np.inf
    moved_s: float = -np.inf

    @property
    def is_proven(self) -> bool:
        """Whether it has moved as needles do."""
        return bool(self.moved_s > -np.inf)


class NeedleProof:
    """Remembers the lines of a clip and finds which of them are needles; one `step` a frame, in order of time."""

    def __init__(self, config: TrackingConfig) -> None:
        self._config = config
        self._candidates: list[Candidate] = []
        self._tissue_mm = np.zeros(2)

    def step(
        self, sightings: list[NeedleSighting], time_s: float, tissue_mm: Points | None
    ) -> list[tuple[NeedleSighting, Candidate]]:
        """Each sighting with the line it belongs to, one of an earlier frame or a new one.

        Args:
            sightings: of this frame.
            time_s: of it.
            tissue_mm: [2] how far the tissue has moved since the frame before; None: not known, taken for still.
        """
        if tissue_mm is not None:
            self._follow_tissue(tissue_mm)
        self._candidates = [one for one in self._candidates if time_s - one.seen_s <= self._remembered_s(one)]
        free = list(self._candidates)
        pairs = []
        for sighting in sightings:
            candidate = self._matching(sighting, free)
            if candidate is None:
                candidate = Candidate(sighting.shaft.line, sighting.shaft.end_mm)
                self._candidates.append(candidate)
            else:
                free.remove(candidate)
            self._see(candidate, sighting, time_s)
            pairs.append((sighting, candidate))
        self._candidates = sorted(self._candidates, key=lambda one: (one.is_proven, one.seen_s))[-_MANY_LINES:]
        return pairs

    def _remembered_s(self, candidate: Candidate) -> float:
        """A needle that was out of sight, beside the plane, does not have to move again to be known."""
        config = self._config
        return max(config.remember_s, config.absent_after_s) if candidate.is_proven else config.absent_after_s

    def forget_needles(self) -> None:
        """What was a needle has been drawn out: a line where it lay is a new one."""
        self._candidates = [one for one in self._candidates if not one.is_proven]

    def _follow_tissue(self, tissue_mm: Points) -> None:
        self._tissue_mm = self._tissue_mm + tissue_mm
        for candidate in self._candidates:
            candidate.line = Line(candidate.line.point_mm + tissue_mm, candidate.line.direction)
            candidate.tip_mm = candidate.tip_mm + tissue_mm

    def _matching(self, sighting: NeedleSighting, free: list[Candidate]) -> Candidate | None:
        near = [one for one in free if self._is_same_line(sighting, one)]
        return min(near, key=lambda one: float(np.hypot(*(one.tip_mm - place_of(sighting)))), default=None)

    def _is_same_line(self, sighting: NeedleSighting, candidate: Candidate) -> bool:
        shaft = sighting.shaft
        cosine = float(shaft.line.direction @ candidate.line.direction)
        angle_deg = float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))
        allowed_deg = self._config.same_line_deg + 2 * shaft.sigma_direction_deg
        beside_mm = abs(float(candidate.line.across((shaft.shallow_mm + shaft.end_mm) / 2)))
        return angle_deg <= allowed_deg and beside_mm <= self._config.same_line_mm

    def _see(self, candidate: Candidate, sighting: NeedleSighting, time_s: float) -> None:
        candidate.line, candidate.tip_mm, candidate.seen_s = sighting.shaft.line, place_of(sighting), time_s
        candidate.places.append((time_s, candidate.tip_mm - self._tissue_mm))
        while time_s - candidate.places[0][0] > self._config.travel_window_s:
            candidate.places.popleft()
        if _has_travelled(candidate, time_s, self._config):
            candidate.moved_s = time_s


def place_of(sighting: NeedleSighting) -> Points:
    """The tip [2], or the end of the shaft where no tip is seen."""
    return sighting.shaft.end_mm if sighting.tip is None else sighting.tip.point_mm


def _has_travelled(candidate: Candidate, time_s: float, config: TrackingConfig) -> bool:
    times = np.array([time for time, _ in candidate.places])
    places = np.array([place for _, place in candidate.places])
    line = Line(places[0], candidate.line.direction)
    along, across = line.along(places), line.across(places)
    jitter_mm = _jitter(along)
    recent = (times >= time_s - share * config.travel_window_s for share in _WINDOWS)
    return any(is_travel(along[part], across[part], jitter_mm, config) for part in recent)


def _jitter(along_mm: Values) -> float:
    """Standard deviation of a tip's position from frame to frame, by the median: leaps and motion left out."""
    if len(along_mm) < 2:
        return 0.0
    steps = np.diff(along_mm)
    return 1.4826 * median(np.abs(steps - median(steps))) / float(np.sqrt(2))


def is_travel(along_mm: Values, across_mm: Values, jitter_mm: float, config: TrackingConfig) -> bool:
    """Whether positions [n] along a line are a steady motion rather than an end that flickers.

    Noise is averaged in five blocks of time. Their means must go one way, by more than the jitter explains, not in one
    leap (a mask that ends now here, now there), and along the line rather than across it (tissue that moves).
    """
    if len(along_mm) < _BLOCKS or np.ptp(along_mm) < config.travel_mm:
        return False
    blocks = np.linspace(0, len(along_mm), _BLOCKS + 1).astype(int)[:-1]
    sizes = np.diff(blocks, append=len(along_mm))
    means, sideways = (np.add.reduceat(values, blocks) / sizes for values in (along_mm, across_mm))
    steps, net = np.diff(means), abs(float(means[-1] - means[0]))
    error_mm = max(jitter_mm, _scatter(along_mm)) * float(np.sqrt(2 * _BLOCKS / len(along_mm)))
    is_far = net >= max(config.travel_mm, config.travel_sigmas * error_mm)
    is_steady = net >= _STRAIGHT * float(np.abs(steps).sum())
    leap_mm = max(float(np.abs(np.diff(along_mm)).max()) - 4 * jitter_mm, 0.0)
    return bool(is_far and is_steady and leap_mm <= _LEAP * net and abs(sideways[-1] - sideways[0]) <= _SIDEWAYS * net)


def _scatter(along_mm: Values) -> float:
    """Standard deviation about a parabola in time, which lets a hand speed up; 0 where too few positions tell."""
    if len(along_mm) <= _BLOCKS:
        return 0.0
    time = np.linspace(-1, 1, len(along_mm))
    square = time * time
    rest_mm = along_mm - along_mm.mean()
    for shape in (time, square - square.mean()):  # with the mean, an orthogonal basis of parabolas
        rest_mm = rest_mm - float(shape @ rest_mm) / float(shape @ shape) * shape
    return math.sqrt(float(rest_mm @ rest_mm) / (len(along_mm) - 3))
