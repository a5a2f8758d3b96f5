"""A needle: where it is, which part of it is seen, and which look it has."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

import numpy as np
import numpy.typing as npt

from hipseg.simulation.config import SimulationConfig
from hipseg.simulation.probe import Probe
from hipseg.simulation.surfaces import Array

SLICE_HALF_MM = 1.0
"""A shaft farther than this from the image plane is not seen; up to there it fades by half."""
_STEP_MM = 0.05
_LONGEST_MM = 120.0

GAUGES_MM = {18: 1.27, 20: 0.91, 21: 0.82, 22: 0.72, 23: 0.64, 25: 0.51}
"""Outer diameters (clinical.md section 2)."""


class NeedleLook(Enum):
    """How a needle shows; needle_echo.py draws it."""

    THIN = "thin"
    GRANULAR = "granular"
    DOUBLE = "double"
    COMET = "comet"


LOOK_SHARES = {NeedleLook.THIN: 0.45, NeedleLook.GRANULAR: 0.2, NeedleLook.DOUBLE: 0.17, NeedleLook.COMET: 0.18}
ECHO_DB = {
    NeedleLook.THIN: (9.0, 18.0),
    NeedleLook.GRANULAR: (8.0, 20.0),
    NeedleLook.DOUBLE: (12.0, 22.0),
    NeedleLook.COMET: (16.0, 30.0),
}
"""Of the shaft over the tissue around it, at angles below 30 degrees."""


@dataclass(frozen=True, slots=True)
class Needle:
    """A needle in the image plane's coordinates u, w; it comes from large u and goes down toward small u.

    Attributes:
        entry_uw: where its axis meets the skin, often outside the picture.
        angle_rad: to the skin.
        length_mm: from the entry to the tip along the axis.
        diameter_mm: outer.
        bend_mm: deviation from the straight line at 60 mm of length, growing with its square.
        offsets_mm: out of the plane, at the entry and per mm of length.
        look: how it shows.
        echo_db: of the shaft over the tissue around it.
        tip_db: of the last 3 mm over the shaft; may be negative.
        gaps: share of the shaft that does not show.
        seed: of the patches on the shaft.
        bevel_deg: turn of the bevel about the axis; 0 faces the probe and shows best, 180 faces away.
    """

    entry_uw: tuple[float, float]
    angle_rad: float
    length_mm: float
    diameter_mm: float
    bend_mm: float
    offsets_mm: tuple[float, float]
    look: NeedleLook
    echo_db: float
    tip_db: float
    gaps: float
    seed: int
    bevel_deg: float = 0.0

    @property
    def tip_uw(self) -> tuple[float, float]:
        """The tip."""
        u, w = self.points(np.array([self.length_mm]))
        return float(u[0]), float(w[0])

    def points(self, along_mm: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """u, w of points of the axis."""
        cos_a, sin_a = np.cos(self.angle_rad), np.sin(self.angle_rad)
        aside = self.bend_mm * (along_mm / 60.0) ** 2
        return self.entry_uw[0] - cos_a * along_mm + sin_a * aside, self.entry_uw[1] + sin_a * along_mm + cos_a * aside

    def direction_at_tip(self) -> tuple[float, float]:
        """Unit vector u, w in which the bent axis points at the tip."""
        cos_a, sin_a = np.cos(self.angle_rad), np.sin(self.angle_rad)
        aside = 2 * self.bend_mm * self.length_mm / 3600.0
        du, dw = -cos_a + sin_a * aside, sin_a + cos_a * aside
        norm = float(np.hypot(du, dw))
        return float(du) / norm, float(dw) / norm

    def coordinates(self, u: Array, w: Array) -> tuple[Array, Array]:
        """Position along the axis and distance below it of points of the plane."""
        cos_a, sin_a = np.float32(np.cos(self.angle_rad)), np.float32(np.sin(self.angle_rad))
        du, dw = u - np.float32(self.entry_uw[0]), w - np.float32(self.entry_uw[1])
        along = -cos_a * du + sin_a * dw
        return along, sin_a * du + cos_a * dw - np.float32(self.bend_mm / 3600.0) * along * along

    def out_of_plane_mm(self, along_mm: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Signed distance of the axis from the image plane."""
        return self.offsets_mm[0] + self.offsets_mm[1] * np.asarray(along_mm, np.float64)

    def visible_span_mm(self, probe: Probe) -> tuple[float, float] | None:
        """First and last position of the axis in the picture and the plane; None when nothing is to be seen."""
        along_mm = np.append(np.arange(0.0, self.length_mm, _STEP_MM), self.length_mm)
        u, w = self.points(along_mm)
        seen = probe.shows(u, w)
        seen &= np.abs(self.out_of_plane_mm(along_mm)) <= SLICE_HALF_MM
        where = np.flatnonzero(seen)
        if len(where) < 2.0 / _STEP_MM:
            return None
        return float(along_mm[where[0]]), float(along_mm[where[-1]])

    def tip_is_visible(self, probe: Probe) -> bool:
        """Whether the tip is in the picture and in the plane."""
        span = self.visible_span_mm(probe)
        return span is not None and bool(span[1] >= self.length_mm)

    def covers(self, u: Array, w: Array, probe: Probe) -> npt.NDArray[np.bool_]:
        """The visible shaft as a mask over points of the plane."""
        span = self.visible_span_mm(probe)
        if span is None:
            return np.zeros(u.shape, bool)
        return self._between(u, w, *span)

    def whole_shaft(self, u: Array, w: Array) -> npt.NDArray[np.bool_]:
        """The shaft from the skin to the tip as a mask, seen or not."""
        return self._between(u, w, 0.0, self.length_mm)

    def _between(self, u: Array, w: Array, first_mm: float, last_mm: float) -> npt.NDArray[np.bool_]:
        along, below = self.coordinates(u, w)
        thickness = self.diameter_mm * (1.4 if self.look is NeedleLook.GRANULAR else 1.0)
        inside: npt.NDArray[np.bool_] = (np.abs(below) <= thickness / 2) & (along >= first_mm) & (along <= last_mm)
        return inside

    def advanced_to(self, length_mm: float) -> Needle:
        """The same needle, its tip at another length."""
        return replace(self, length_mm=length_mm)


def shaft_echo_db(angle_rad: float) -> float:
    """By which a shaft's echo is weaker for its angle: sound meets it ever more obliquely beyond 30 degrees."""
    return -0.15 * max(float(np.degrees(angle_rad)) - 30, 0)


def bevel_echo_db(bevel_deg: float) -> float:
    """By which the tip is brighter with its bevel toward the probe, and weaker with it away (no published value)."""
    return 2.5 * float(np.cos(np.radians(bevel_deg)))


def with_gauge(needle: Needle, gauge: int) -> Needle:
    """A needle of another thickness; a thin one shows less."""
    diameter_mm = GAUGES_MM[gauge]
    change_db = 20 * float(np.log10(diameter_mm / needle.diameter_mm))
    return replace(needle, diameter_mm=diameter_mm, echo_db=needle.echo_db + change_db)


def draw_needle(config: SimulationConfig, aim_uw: tuple[float, float], rng: np.random.Generator) -> Needle:
    """A needle on its way to a point of the plane, its tip there.

    Args:
        config: ranges of angle, diameter and offset.
        aim_uw: where it goes.
        rng: of everything else.
    """
    depth_mm = max(aim_uw[1], 3.0)
    shallowest = np.arcsin(min(depth_mm / _LONGEST_MM, 0.95))
    angle = max(np.radians(rng.uniform(*config.needle_angle_deg)), shallowest)
    entry = (aim_uw[0] + depth_mm / np.tan(angle), aim_uw[1] - depth_mm)
    length_mm = depth_mm / np.sin(angle)
    look = list(LOOK_SHARES)[int(rng.choice(len(LOOK_SHARES), p=list(LOOK_SHARES.values())))]
    tip_offset = rng.uniform(*config.needle_offset_mm)
    entry_offset = rng.normal(0, 0.5)
    bevel_deg = float(rng.uniform(0, 180))
    return Needle(
        entry_uw=entry,
        angle_rad=float(angle),
        length_mm=length_mm,
        diameter_mm=rng.uniform(*config.needle_diameter_mm),
        bend_mm=rng.normal(0, 0.8),
        offsets_mm=(entry_offset, (tip_offset - entry_offset) / length_mm),
        look=look,
        echo_db=rng.uniform(*ECHO_DB[look]) + shaft_echo_db(angle),
        tip_db=rng.choice([rng.uniform(2, 9), rng.uniform(-8, 2)], p=[0.7, 0.3]) + bevel_echo_db(bevel_deg),
        gaps=float(rng.choice([0.0, rng.uniform(0.05, 0.4)])),
        seed=int(rng.integers(1 << 31)),
        bevel_deg=bevel_deg,
    )
