"""What happens in a clip and when: the script's own events, and dangers that are seen in the truth of its frames.

A danger is on in a frame when its rule holds in exact geometry; the thresholds are those of clinical.md section 3. It
begins an event named after what is seen, with the ids of the alerts that a guidance ought to raise.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hipseg.simulation.script import actions as do
from hipseg.simulation.script.scenario import Scenario
from hipseg.simulation.timeline import Timeline

Truth = dict[str, Any]
_CALM_S = 0.5
"""A danger has to be off for so long to be over: one that flickers is one event."""
_TIP_LOST_S, _STALE_S, _PLACED_S = 0.3, 0.2, 0.3
_MOVING_MM_S = 0.5
_NEAR_TARGET_MM, _ASTRAY_ML, _LOST_SHARE, _SLOWEST_HZ = 5.0, 0.3, 0.5, 14.5


@dataclass
class Event:
    """Something that begins in a frame.

    Attributes:
        name: what happens.
        kind: "scripted" or "observed".
        frame, time_s: when it begins.
        alerts: ids of alerts that are due while it lasts.
        end_frame: the first frame in which it is over; None for a moment, or when it lasts to the clip's end.
    """

    name: str
    kind: str
    frame: int
    time_s: float
    alerts: tuple[str, ...] = ()
    end_frame: int | None = None


def scripted_events(scenario: Scenario, timeline: Timeline) -> list[Event]:
    """The events that a script's actions make, at the frames in which they show."""
    events = []
    for action in scenario.actions:
        begin, end = _NAMES[type(action)]
        for name, time_s in ((begin, action.at_s), (end, action.end_s)):
            frame = timeline.frame_at(time_s)
            if name and frame is not None:
                events.append(Event(name, "scripted", frame, float(timeline.time_s[timeline.arrived[frame]])))
    return sorted(events, key=lambda event: event.frame)


_NAMES: dict[type[do.Action], tuple[str, str]] = {
    do.Doppler: ("doppler_on", "doppler_off"),
    do.MoveProbe: ("probe_moves", "probe_rests"),
    do.Press: ("probe_pressed", "probe_released"),
    do.Tremble: ("hand_trembles", "hand_calms"),
    do.Insert: ("needle_enters", ""),
    do.Advance: ("needle_advances", "needle_stops"),
    do.Retract: ("needle_drawn_back", ""),
    do.Redirect: ("needle_turns", "needle_redirected"),
    do.Veer: ("needle_veers", ""),
    do.Inject: ("injection_starts", "injection_ends"),
    do.ChangeTubing: ("tubing_change_starts", "tubing_change_ends"),
    do.Withdraw: ("withdrawal_starts", "needle_out"),
    do.Freeze: ("scanner_freezes", "scanner_goes_on"),
    do.DropFrames: ("frames_drop", "frames_resume"),
    do.LoseContact: ("contact_lost", "contact_back"),
    do.ChangeGain: ("gain_changed", ""),
}


@dataclass
class Memory:
    """What earlier frames showed.

    Attributes:
        tip_seen_s: when the tip was last seen, None for never.
        in_joint_s: since when the tip has been in the joint without a break.
        placed: whether the tip has been in the joint long enough to call it placed.
        vessels_seen: in any frame, or by Doppler.
        frozen_s: since when the picture has stood still.
        arrivals_s: times of the frames of the last second.
        previous_s: time of the frame before.
        time_s: of this frame.
        truth: of this frame.
    """

    tip_seen_s: float | None = None
    in_joint_s: float | None = None
    placed: bool = False
    vessels_seen: bool = False
    frozen_s: float | None = None
    arrivals_s: deque[float] = field(default_factory=deque)
    previous_s: float | None = None
    time_s: float = 0.0
    truth: Truth = field(default_factory=dict)

    def see(self, truth: Truth, now_s: float) -> None:
        """Takes a frame in, before the rules are asked."""
        self.previous_s = self.time_s if self.arrivals_s else None
        self.time_s, self.truth = now_s, truth
        needle = truth["needle"]
        if needle is not None and needle["tip_visible"]:
            self.tip_seen_s = now_s
        in_joint = needle is not None and "joint_recess" in needle["tip_in"]
        self.in_joint_s = (self.in_joint_s if self.in_joint_s is not None else now_s) if in_joint else None
        self.placed |= self.in_joint_s is not None and now_s - self.in_joint_s >= _PLACED_S
        self.placed &= needle is not None
        self.vessels_seen |= truth["vessels_shown"] or truth["doppler"] is not None
        self.frozen_s = (self.frozen_s if self.frozen_s is not None else now_s) if truth["frozen"] else None
        self.arrivals_s.append(now_s)
        while self.arrivals_s[0] <= now_s - 1 + 1e-6:
            self.arrivals_s.popleft()


Rule = Callable[[Memory], bool]


def _needle_rule(rule: Callable[[Truth], bool]) -> Rule:
    """A rule on the needle alone, off without one."""
    return lambda memory: memory.truth["needle"] is not None and rule(memory.truth["needle"])


def _within(needle: Truth, limit_mm: float, *structures: str) -> bool:
    distances = (needle[f"tip_to_{name}_mm"] for name in structures)
    return any(distance is not None and distance <= limit_mm for distance in distances)


def _path_enters_vessel(needle: Truth) -> bool:
    entry_mm = needle["path"]["to_vessel_entry_mm"]
    return entry_mm is not None and entry_mm <= 10.0


def _near_cartilage(needle: Truth) -> bool:
    """Near the target the recess is narrow and its floor is where the needle belongs."""
    target_mm = needle["tip_to_target_mm"]
    away = target_mm is None or target_mm > _NEAR_TARGET_MM
    return _within(needle, 1.5, "labrum") or (away and _within(needle, 1.5, "cartilage"))


def _misses_target(needle: Truth) -> bool:
    path = needle["path"]
    if path["miss_target_mm"] is None or needle["tip_to_target_mm"] <= _NEAR_TARGET_MM:
        return False
    return bool(path["miss_target_mm"] > 3.0 or path["heading_error_deg"] > 5.0)


def _tip_lost(memory: Memory) -> bool:
    needle = memory.truth["needle"]
    if needle is None or memory.tip_seen_s is None or abs(needle["speed_mm_s"]) < _MOVING_MM_S:
        return False
    return memory.time_s - memory.tip_seen_s >= _TIP_LOST_S


def _left_joint(memory: Memory) -> bool:
    needle = memory.truth["needle"]
    if needle is None or not memory.placed:
        return False
    return not _within(needle, 0.5, "recess", "capsule", "bone", "cartilage", "labrum")


def _stale(memory: Memory) -> bool:
    gap_s = 0.0 if memory.previous_s is None else memory.time_s - memory.previous_s
    return gap_s > _STALE_S or (memory.frozen_s is not None and memory.time_s - memory.frozen_s > _STALE_S)


def _no_hip(memory: Memory) -> bool:
    return bool(memory.truth["contact_lost_share"] > _LOST_SHARE or memory.truth["prosthesis"])


DANGERS: dict[str, tuple[str, Rule]] = {
    "path_enters_vessel": ("vessel_contact", _needle_rule(_path_enters_vessel)),
    "tip_at_vessel": ("vessel_contact", _needle_rule(lambda needle: _within(needle, 2.0, "artery", "vein"))),
    "tip_near_vessel": ("vessel_proximity", _needle_rule(lambda needle: _within(needle, 5.0, "artery", "vein"))),
    "tip_near_nerve": ("nerve_proximity", _needle_rule(lambda needle: _within(needle, 4.0, "nerve"))),
    "tip_near_cartilage_or_labrum": ("cartilage_labrum", _needle_rule(_near_cartilage)),
    "tip_lost": ("tip_lost", _tip_lost),
    "tip_out_of_plane": ("tip_uncertain", _needle_rule(lambda needle: abs(needle["tip_out_of_plane_mm"]) > 1.0)),
    "path_misses_target": ("off_target", _needle_rule(_misses_target)),
    "needle_steep": ("steep_angle", _needle_rule(lambda needle: needle["angle_deg"] > 60.0)),
    "tip_leaves_joint": ("withdrawn", _left_joint),
    "fluid_outside_joint": (
        "extra_articular_spread",
        lambda memory: memory.truth["injection"]["tissue_ml"] > _ASTRAY_ML,
    ),
    "no_new_picture": ("stale_frame", _stale),
    "few_frames": (
        "low_frame_rate",
        lambda memory: memory.time_s >= 1.0 and len(memory.arrivals_s) < _SLOWEST_HZ,
    ),
    "no_hip_shown": ("unrecognised_view", _no_hip),
    "no_vessel_seen": ("vessels_not_assessed", lambda memory: memory.time_s >= 1.0 and not memory.vessels_seen),
}
"""Name of the event, id of the alert, rule."""


class EventWatch:
    """Sees a clip's frames in order and notes when dangers begin and end."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._memory = Memory()
        self._open: dict[str, tuple[Event, float, int]] = {}
        self._frame = 0

    def see(self, truth: Truth, now_s: float) -> None:
        """Adds `dangers` (alert ids) to a frame's truth, and the names of events that begin to its `events`."""
        self._memory.see(truth, now_s)
        on = [name for name, (_, rule) in DANGERS.items() if rule(self._memory)]
        truth["dangers"] = sorted({DANGERS[name][0] for name in on})
        for name in on:
            if name not in self._open:
                event = Event(name, "observed", self._frame, now_s, (DANGERS[name][0],))
                self.events.append(event)
                truth["events"].append(name)
                self._open[name] = (event, now_s, self._frame)
            self._open[name] = (self._open[name][0], now_s, self._frame)
        self._close(now_s)
        self._frame += 1

    def _close(self, now_s: float) -> None:
        """Ends events whose danger has been off for a while, at the frame after its last one."""
        for name, (event, last_s, last_frame) in list(self._open.items()):
            if now_s - last_s >= _CALM_S:
                event.end_frame = last_frame + 1
                del self._open[name]
