"""What a report tells of a session, gathered from the records of its frames: while they pass, or afterwards."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from hipseg.display.report.key_frames import KeyFrames
from hipseg.guidance.alert_config import Priority
from hipseg.guidance.alert_log import AlertLog
from hipseg.guidance.alerts import ActiveAlert, AlertEvent
from hipseg.guidance.engine import Guidance
from hipseg.guidance.measurements import Measurements
from hipseg.guidance.record import alert_records, frame_record

Values = npt.NDArray[np.float64]
Record = Mapping[str, Any]
MEASUREMENTS = tuple(entry.name for entry in fields(Measurements))
"""Names of the joint's measures, as they stand in records."""


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
        withdrawn: in how many frames a live display had taken guidance off.
    """

    time_s: list[float] = field(default_factory=list)
    tracks: dict[str, array[float]] = field(default_factory=dict)
    needle: list[str] = field(default_factory=list)
    view: list[str] = field(default_factory=list)
    spread: list[str] = field(default_factory=list)
    structures: Counter[str] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)
    log: AlertLog = field(default_factory=AlertLog)
    key_frames: KeyFrames = field(default_factory=KeyFrames)
    with_scale: int = 0
    with_doppler: int = 0
    withdrawn: int = 0

    @classmethod
    def of_records(cls, frames: Iterable[Record], alerts: Iterable[Record], key_frames: KeyFrames) -> SessionStory:
        """The story of a session that was recorded.

        Args:
            frames, alerts: lines of its frames.jsonl and alerts.jsonl.
            key_frames: chosen while it went on.
        """
        story = cls(key_frames=key_frames)
        for record in frames:
            story.see_record(record)
        for record in alerts:
            story.see_alert(record)
        return story

    @property
    def frame_count(self) -> int:
        """Frames so far."""
        return len(self.time_s)

    def see(self, guidance: Guidance) -> None:
        """Takes a frame."""
        self.see_record(frame_record(guidance))
        for record in alert_records(guidance):
            self.see_alert(record)
        self.key_frames.see(guidance)

    def see_record(self, record: Record) -> None:
        """Takes a frame's line of frames.jsonl."""
        spread = record["injection"]["spread"]
        self.time_s.append(record["time_s"])
        for name, value in _numbers(record).items():
            self.tracks.setdefault(name, array("d")).append(np.nan if value is None else value)
        self.needle.append(record["needle"]["state"] or "withdrawn")
        self.view.append(record["view"]["state"])
        self.spread.append("unknown" if spread is None else spread)
        self.with_scale += record["spacing_mm"] is not None
        self.with_doppler += record["doppler"]["note"] is not None or bool(record["doppler"]["flow"])
        self.withdrawn += not record.get("live", {}).get("guidance_shown", True)
        self.structures.update(name for name, finding in record["structures"].items() if finding["present"])
        self.unknown.update(record["alerts_unknown"])

    def see_alert(self, record: Record) -> None:
        """Takes a line of alerts.jsonl."""
        message, value, threshold = record["message"], record["value"], record["threshold"]
        alert = ActiveAlert(record["id"], Priority(record["priority"]), message, value, threshold)
        self.log.see([AlertEvent(alert, record["event"])], record["time_s"])

    def track(self, name: str) -> Values:
        """Numbers of a track."""
        return np.array(self.tracks.get(name, [np.nan] * self.frame_count), np.float64)

    def share(self, states: list[str], *wanted: str) -> float:
        """Of the frames in one of some states."""
        return sum(state in wanted for state in states) / max(len(states), 1)


def _numbers(record: Record) -> dict[str, float | None]:
    distances, sigma = record["distances_mm"], record["sigmas"]["measurements"]
    vessels = (distances["tip_to_artery"], distances["tip_to_vein"])
    return {
        "tip_to_target": distances["tip_to_target"],
        "tip_to_vessel": min((value for value in vessels if value is not None), default=None),
        "tip_to_nerve": distances["tip_to_nerve"],
        "angle_deg": record["needle"]["angle_deg"],
        "recess_width": record["recess"]["width_mm"],
        **{name: record["measurements"][name] for name in MEASUREMENTS},
        **{f"{name}_sigma": sigma[name] for name in MEASUREMENTS},
    }
