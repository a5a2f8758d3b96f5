"""What a report tells of a session, gathered while its frames pass."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from enum import Enum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hipseg.guidance.alert_log import AlertLog
from hipseg.guidance.alerts import AlertEvent
from hipseg.guidance.engine import Guidance
from hipseg.guidance.injection import Spread
from hipseg.guidance.measurements import Measurements

Picture = npt.NDArray[np.uint8]
Values = npt.NDArray[np.float64]
MEASUREMENTS = tuple(entry.name for entry in fields(Measurements))
"""Names of the joint's measures, as they stand in records."""


class Moment(Enum):
    """Frames that are worth a picture."""

    CLOSEST = "Closest to a vessel"
    PLACED = "Needle placed"
    INJECTED = "Fluid seen"
    LAST = "Last frame"


class KeyFrame(NamedTuple):
    """One of them; without a picture where none was drawn."""

    frame: int
    time_s: float
    picture_HW3: Picture | None


@dataclass
class SessionStory:
    """Numbers of every frame, alerts and key frames.

    Attributes:
        time_s: of each frame.
        tracks: numbers by name, one a frame; NaN where not known.
        needle, view, spread: states by name, one a frame.
        structures: how many frames showed each.
        unknown: how many frames left each alert unknown.
        log: of alerts.
        key_frames: by moment.
        with_scale, with_doppler: how many frames had a known scale, and colour Doppler.
    """

    time_s: list[float] = field(default_factory=list)
    tracks: dict[str, list[float]] = field(default_factory=dict)
    needle: list[str] = field(default_factory=list)
    view: list[str] = field(default_factory=list)
    spread: list[str] = field(default_factory=list)
    structures: dict[str, int] = field(default_factory=dict)
    unknown: dict[str, int] = field(default_factory=dict)
    log: AlertLog = field(default_factory=AlertLog)
    key_frames: dict[Moment, KeyFrame] = field(default_factory=dict)
    with_scale: int = 0
    with_doppler: int = 0
    _closest_mm: float = np.inf

    @property
    def frame_count(self) -> int:
        """Frames so far."""
        return len(self.time_s)

    def see(self, guidance: Guidance, picture_HW3: Picture | None = None) -> None:
        """Takes a frame and its overlay, if one was drawn."""
        self._choose(guidance, picture_HW3)
        self.time_s.append(guidance.time_s)
        for name, value in _numbers(guidance).items():
            self.tracks.setdefault(name, []).append(np.nan if value is None else float(value))
        self.needle.append("withdrawn" if guidance.needle is None else guidance.needle.state.value)
        self.view.append(guidance.view.state.value)
        self.spread.append("unknown" if guidance.injection.spread is None else guidance.injection.spread.value)
        self.see_alerts(guidance.events, guidance.time_s)
        self.with_scale += guidance.plane.scale_known
        self.with_doppler += guidance.doppler is not None or bool(guidance.flow)
        for name, finding in guidance.structures.items():
            self.structures[name] = self.structures.get(name, 0) + finding.present
        for alert_id in guidance.unknown_alerts:
            self.unknown[alert_id] = self.unknown.get(alert_id, 0) + 1

    def see_alerts(self, events: tuple[AlertEvent, ...], time_s: float) -> None:
        """Takes what became of alerts; those about the machine come apart from frames."""
        self.log.see(events, time_s)

    def track(self, name: str) -> Values:
        """Numbers of a track."""
        return np.array(self.tracks.get(name, [np.nan] * self.frame_count), np.float64)

    def share(self, states: list[str], *wanted: str) -> float:
        """Of the frames in one of some states."""
        return sum(state in wanted for state in states) / max(len(states), 1)

    def _choose(self, guidance: Guidance, picture_HW3: Picture | None) -> None:
        this = KeyFrame(guidance.frame, guidance.time_s, picture_HW3)
        self.key_frames[Moment.LAST] = this
        clearance = nearest_vessel(guidance)
        if clearance is not None and clearance < self._closest_mm:
            self._closest_mm = clearance
            self.key_frames[Moment.CLOSEST] = this
        if guidance.injection.placed:
            self.key_frames.setdefault(Moment.PLACED, this)
        if guidance.injection.spread in (Spread.INTRA_ARTICULAR, Spread.EXTRA_ARTICULAR):
            self.key_frames.setdefault(Moment.INJECTED, this)


def nearest_vessel(guidance: Guidance) -> float | None:
    """From the tip, mm."""
    known = (guidance.distances.tip_to_artery, guidance.distances.tip_to_vein)
    return min((value for value in known if value is not None), default=None)


def _numbers(guidance: Guidance) -> dict[str, float | None]:
    distances, sigma = guidance.distances, guidance.measurements_sigma
    measured = {name: getattr(guidance.measurements, name) for name in MEASUREMENTS}
    doubts = {f"{name}_sigma": getattr(sigma, name) for name in MEASUREMENTS}
    return {
        "tip_to_target": distances.tip_to_target,
        "tip_to_vessel": nearest_vessel(guidance),
        "tip_to_nerve": distances.tip_to_nerve,
        "angle_deg": guidance.angle_deg,
        "recess_width": guidance.recess.width_mm,
        **measured,
        **doubts,
    }
