"""The needle's ways from one entry to what it is aimed at, in the plane of the probe as the clip begins."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hipseg.simulation.needle import Needle, shaft_echo_db
from hipseg.simulation.probe import Pose


@dataclass(frozen=True, slots=True)
class Way:
    """One direction of the needle.

    Attributes:
        needle: with its tip at the aim.
        stop_mm: length at which bone stops it.
    """

    needle: Needle
    stop_mm: float


@dataclass(frozen=True, slots=True)
class Ways:
    """All directions that a scenario takes.

    Attributes:
        first: name of the first aim.
        by_aim: a way for each aim; all begin at one entry.
        seen_from_mm: length at which the needle comes into the picture.
    """

    first: str
    by_aim: dict[str, Way]
    seen_from_mm: float

    @property
    def needle(self) -> Needle:
        """The needle as it is inserted."""
        return self.by_aim[self.first].needle

    def at(self, length_mm: float, angle_rad: float, slope: float) -> Needle:
        """The needle at a moment: its length, its angle to the skin, its slope out of the plane.

        The steeper it stands, the weaker its shaft shows.
        """
        needle = self.needle
        echo_db = needle.echo_db + shaft_echo_db(angle_rad) - shaft_echo_db(needle.angle_rad)
        return replace(
            needle,
            length_mm=length_mm,
            angle_rad=angle_rad,
            offsets_mm=(needle.offsets_mm[0], slope),
            echo_db=echo_db,
        )


def turned_to(needle: Needle, aim_uw: tuple[float, float], offset_mm: float) -> Needle:
    """The needle turned about its entry until it points at a place, its tip there.

    Args:
        needle: as it was.
        aim_uw: where its tip shall be.
        offset_mm: of the tip from the plane.
    """
    du, dw = needle.entry_uw[0] - aim_uw[0], aim_uw[1] - needle.entry_uw[1]
    length_mm, angle_rad = float(np.hypot(du, dw)), float(np.arctan2(dw, du))
    slope = (offset_mm - needle.offsets_mm[0]) / max(length_mm, 1e-6)
    return replace(needle, angle_rad=angle_rad, length_mm=length_mm, offsets_mm=(needle.offsets_mm[0], slope))


def seen_from(needle: Needle, start: Pose, now: Pose) -> Needle:
    """The needle, which stays in the patient, in the plane of a probe that has moved.

    Args:
        needle: in the plane of `start`.
        start, now: the probe's poses.
    """
    axes, origin = start.axes(), np.array([start.x_mm, start.y_mm, start.skin_z_mm])
    cos_a, sin_a = np.cos(needle.angle_rad), np.sin(needle.angle_rad)
    entry = origin + needle.entry_uw[0] * axes[0] + needle.entry_uw[1] * axes[1] + needle.offsets_mm[0] * axes[2]
    ahead = -cos_a * axes[0] + sin_a * axes[1] + needle.offsets_mm[1] * axes[2]
    axes_now, origin_now = now.axes(), np.array([now.x_mm, now.y_mm, now.skin_z_mm])
    u, w, out = (float((entry - origin_now) @ axis) for axis in axes_now)
    du, dw, dout = (float(ahead @ axis) for axis in axes_now)
    shown = float(np.hypot(du, dw))
    return replace(
        needle,
        entry_uw=(u, w),
        angle_rad=float(np.arctan2(dw, -du)),
        length_mm=needle.length_mm * shown,
        offsets_mm=(out, dout / shown),
    )
