"""A needle: where it is, which part of it is seen, and its many looks.

The looks are those of real needles in simulation.md ("Needle: no single look"): most are dim and patchy.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

import numpy as np
import numpy.typing as npt

from hipseg.simulation.config import SimulationConfig
from hipseg.simulation.interfaces import bump
from hipseg.simulation.probe import Probe
from hipseg.simulation.surfaces import Array, smooth_step

SLICE_HALF_MM = 1.0
"""A shaft farther than this from the image plane is not seen; up to there it fades by half."""
_NOISE_STEP_MM = 0.25
_STEP_MM = 0.05
_LONGEST_MM = 120.0


class NeedleLook(Enum):
    """How a needle shows."""

    THIN = "thin"
    GRANULAR = "granular"
    DOUBLE = "double"
    COMET = "comet"


LOOK_SHARES = {NeedleLook.THIN: 0.45, NeedleLook.GRANULAR: 0.2, NeedleLook.DOUBLE: 0.17, NeedleLook.COMET: 0.18}


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
        line, sample = probe.to_beams(u, w)
        num_samples, num_lines = probe.beam_shape
        seen = (line >= -0.5) & (line <= num_lines - 0.5) & (sample >= -0.5) & (sample <= num_samples - 0.5)
        seen &= np.abs(self.out_of_plane_mm(along_mm)) <= SLICE_HALF_MM
        where = np.flatnonzero(seen)
        if len(where) < 2.0 / _STEP_MM:
            return None
        return float(along_mm[where[0]]), float(along_mm[where[-1]])

    def tip_is_visible(self, probe: Probe) -> bool:
        """Whether the tip is in the picture and in the plane."""
        span = self.visible_span_mm(probe)
        return span is not None and span[1] >= self.length_mm

    def covers(self, u: Array, w: Array, probe: Probe) -> npt.NDArray[np.bool_]:
        """The visible shaft as a mask over points of the plane."""
        span = self.visible_span_mm(probe)
        if span is None:
            return np.zeros(u.shape, bool)
        along, below = self.coordinates(u, w)
        thickness = self.diameter_mm * (1.4 if self.look is NeedleLook.GRANULAR else 1.0)
        return (np.abs(below) <= thickness / 2) & (along >= span[0]) & (along <= span[1])

    def advanced_to(self, length_mm: float) -> Needle:
        """The same needle, its tip at another length."""
        return replace(self, length_mm=length_mm)


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
    brightness = {
        NeedleLook.THIN: (7.0, 16.0),
        NeedleLook.GRANULAR: (8.0, 20.0),
        NeedleLook.DOUBLE: (12.0, 22.0),
        NeedleLook.COMET: (16.0, 30.0),
    }[look]
    tip_offset = rng.uniform(*config.needle_offset_mm)
    entry_offset = rng.normal(0, 0.5)
    return Needle(
        entry_uw=entry,
        angle_rad=float(angle),
        length_mm=length_mm,
        diameter_mm=rng.uniform(*config.needle_diameter_mm),
        bend_mm=rng.normal(0, 0.8),
        offsets_mm=(entry_offset, (tip_offset - entry_offset) / length_mm),
        look=look,
        echo_db=rng.uniform(*brightness) - 0.15 * max(np.degrees(angle) - 30, 0),
        tip_db=rng.choice([rng.uniform(2, 9), rng.uniform(-8, 2)], p=[0.7, 0.3]),
        gaps=float(rng.choice([0.0, rng.uniform(0.05, 0.4)])),
        seed=int(rng.integers(1 << 31)),
    )


def needle_echo(needle: Needle, u: Array, w: Array) -> Array:
    """Amplitude of the needle's echoes [S, L], relative to the tissue around it; 0 where there is none.

    Args:
        needle: whose echo it is.
        u, w: of all samples.
    """
    along, below = needle.coordinates(u, w)
    echo = np.zeros(along.shape, np.float32)
    near = (along > -1.0) & (along < needle.length_mm + 1.5) & (below > -2.0) & (below < 9.0)
    if not near.any():
        return echo
    echo[near] = _near_echo(needle, along[near], below[near])
    if needle.look is NeedleLook.GRANULAR:
        echo += _ring_down(needle, along, below, u) + _side_lobes(needle, along, below)
    return echo


def _near_echo(needle: Needle, along: Array, below: Array) -> Array:
    noise = _ShaftNoise(needle)
    shaft = noise.brightness(along) * _ends(needle, along)
    tip_gain = 10 ** (needle.tip_db / 20)
    last_mm = smooth_step(along, needle.length_mm - 3.2, needle.length_mm - 1.6)
    if needle.look is NeedleLook.THIN:
        upper = _line(below, 0.0, 0.14) * (1 - 0.6 * last_mm)
        lower = 0.3 * _line(below, 0.9 * needle.diameter_mm, 0.14)
        tip = tip_gain * last_mm * _line(below, 0.35 * needle.diameter_mm, 0.2)
        return shaft * (upper + lower + tip)
    if needle.look is NeedleLook.GRANULAR:
        grains = noise.grains(along, below)
        toward_tip = 0.45 + 0.55 * smooth_step(along, 0.3 * needle.length_mm, needle.length_mm)
        return shaft * toward_tip * grains * bump(below / 0.85) * (1 + (tip_gain - 1) * last_mm)
    walls = _line(below, -0.35 * needle.diameter_mm, 0.12) + 0.8 * _line(below, 0.45 * needle.diameter_mm, 0.12)
    walls *= 1 + (tip_gain - 1) * last_mm
    if needle.look is NeedleLook.DOUBLE:
        middle = smooth_step(along, 0, 0.4 * needle.length_mm) * smooth_step(
            along, needle.length_mm + 1, 0.6 * needle.length_mm
        )
        return shaft * walls * (0.25 + 0.75 * middle)
    return shaft * (walls + _comet_tail(needle, below))


def _line(below: Array, centre_mm: float, sigma_mm: float) -> Array:
    return bump((below - np.float32(centre_mm)) / np.float32(2.6 * sigma_mm))


def _ends(needle: Needle, along: Array) -> Array:
    """1 along the shaft, 0 ahead of the tip; falls where the shaft leaves the plane."""
    out_mm = (needle.offsets_mm[0] + needle.offsets_mm[1] * along).astype(np.float32)
    in_plane = np.exp(-((out_mm / SLICE_HALF_MM) ** 4) * np.float32(0.7))
    return smooth_step(along, needle.length_mm + 0.12, needle.length_mm - 0.12) * in_plane


def _comet_tail(needle: Needle, below: Array) -> Array:
    """Copies of the shaft below it, sound running to and fro in the tube."""
    spacing_mm = np.float32(1.15 * needle.diameter_mm)
    order = below / spacing_mm
    nearest = np.rint(order)
    copies = bump((order - nearest) * spacing_mm / np.float32(0.35))
    return copies * np.where(nearest >= 1, np.exp(-0.75 * nearest), 0)


def _ring_down(needle: Needle, along: Array, below: Array, u: Array) -> Array:
    """Columns of haze under the distal half, to the bottom of the picture."""
    distal = smooth_step(
        along + below * np.float32(np.tan(needle.angle_rad)), 0.45 * needle.length_mm, 0.6 * needle.length_mm
    )
    # A column hangs below the shaft at the same u, wherever it is read.
    foot = needle.entry_uw[0] - u
    columns = _ShaftNoise(needle).columns(foot)
    over = foot > needle.length_mm * np.cos(needle.angle_rad)
    return np.where((below > 0.6) & ~over, 0.22 * distal * columns * np.exp(-np.maximum(below, 0) / 14.0), 0).astype(
        np.float32
    )


def _side_lobes(needle: Needle, along: Array, below: Array) -> Array:
    """Faint arcs parallel to the needle, above and ahead of it."""
    ahead = smooth_step(along, needle.length_mm - 9, needle.length_mm - 3) * smooth_step(
        along, needle.length_mm + 9, needle.length_mm + 3
    )
    curved = below + np.float32(0.015) * (along - needle.length_mm) ** 2
    arcs = sum(_line(curved, centre_mm, 0.2) for centre_mm in (-5.2, -6.3, -7.5))
    return np.asarray(0.5 * ahead * arcs, np.float32)


class _ShaftNoise:
    """Patches that belong to a needle's shaft and move with it."""

    def __init__(self, needle: Needle) -> None:
        rng = np.random.default_rng(needle.seed)
        self._length_mm = needle.length_mm
        self._gaps = needle.gaps
        self._patches = _smooth_noise(rng, 3.0)
        self._holes = _smooth_noise(rng, 2.5)
        self._columns = _smooth_noise(rng, 1.0)
        self._grains = rng.standard_normal((6, 512)).astype(np.float32)
        self._level = np.float32(10 ** (needle.echo_db / 20))

    def brightness(self, along: Array) -> Array:
        """Relative amplitude along the shaft."""
        index = self._index(along)
        level = self._level * np.exp(0.45 * self._patches[index])
        if self._gaps:
            threshold = np.quantile(self._holes, self._gaps)
            level = level * (0.12 + 0.88 * smooth_step(self._holes[index], threshold - 0.15, threshold + 0.15))
        return level.astype(np.float32)

    def grains(self, along: Array, below: Array) -> Array:
        """Short dashes, as rows of an irregular lattice."""
        row = np.clip(((below + 0.9) / 0.3).astype(int), 0, 5)
        value = self._grains[row, self._index(along * 0.35)]
        return np.exp(0.7 * value).astype(np.float32) * 0.8

    def columns(self, lateral_mm: Array) -> Array:
        """Amplitude of haze columns across the picture."""
        position = lateral_mm / np.float32(_NOISE_STEP_MM)
        return np.exp(0.8 * np.interp(position, np.arange(512), self._columns)).astype(np.float32)

    def _index(self, along: Array) -> npt.NDArray[np.int64]:
        return np.clip(((self._length_mm - along) / _NOISE_STEP_MM).astype(int), 0, 511)


def _smooth_noise(rng: np.random.Generator, length_mm: float) -> Array:
    """512 values of smooth noise of standard deviation 1."""
    offsets = np.arange(-40, 41) * _NOISE_STEP_MM
    kernel = np.exp(-((offsets / length_mm) ** 2) * 4)
    noise = np.convolve(rng.standard_normal(512 + 80), kernel, mode="valid")
    return (noise / noise.std()).astype(np.float32)
