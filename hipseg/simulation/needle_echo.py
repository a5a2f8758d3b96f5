"""The looks of needles: "no single look" (simulation.md); most are dim and patchy."""

from __future__ import annotations

import math

import cv2
import numpy as np

from hipseg.simulation import texture
from hipseg.simulation.interfaces import bump
from hipseg.simulation.needle import SLICE_HALF_MM, Needle, NeedleLook
from hipseg.simulation.probe import Probe
from hipseg.simulation.surfaces import Array, smooth_step

TIP_MM = 2.9
"""Length of the distal segment that shows otherwise than the shaft."""
_ABOVE_MM, _BELOW_MM, _AHEAD_MM = 2.0, 9.0, 1.5
_RING_DOWN = 0.07
"""Mean amplitude of haze under a granular needle, relative to fat."""
_ROW_LENGTH = 1024


def needle_echo(needle: Needle, u: Array, w: Array) -> Array:
    """Amplitude of the needle's echoes [S, L], relative to the tissue around it; 0 where there is none.

    Args:
        needle: whose echo it is.
        u, w: of all samples.
    """
    along, below = needle.coordinates(u, w)
    echo = np.zeros(along.shape, np.float32)
    near = (along > -1.0) & (along < needle.length_mm + _AHEAD_MM) & (below > -_ABOVE_MM) & (below < _BELOW_MM)
    if near.any():
        echo[near] = _shaft(needle, along[near], below[near], u[near], w[near])
    if needle.look is NeedleLook.GRANULAR:
        echo += _side_lobes(needle, along, below)
    return echo


def ring_down(needle: Needle, u: Array, w: Array, probe: Probe) -> Array:
    """Amplitude [S, L], relative to fat, of haze along the beams that meet the distal half, down to the bottom."""
    if needle.look is not NeedleLook.GRANULAR:
        return np.zeros(u.shape, np.float32)
    _, below = needle.coordinates(u, w)
    tip_line, entry_line = (float(probe.to_beams(*point)[0]) for point in (needle.tip_uw, needle.entry_uw))
    lines = np.broadcast_to(np.arange(u.shape[1], dtype=np.float32) - np.float32(tip_line), u.shape)
    from_tip = lines / np.float32(entry_line - tip_line)
    distal = smooth_step(from_tip, 0.55, 0.35) * smooth_step(from_tip, -0.01, 0.01) * smooth_step(below, 0.5, 1.0)
    columns = texture.structure(lines * np.float32(probe.line_mm), np.zeros_like(u), 0.0, needle.seed)
    fading = cv2.exp(np.float32(0.7) * columns - np.maximum(below, 0) / np.float32(14.0))
    return np.float32(_RING_DOWN) * distal * fading


def _shaft(needle: Needle, along: Array, below: Array, u: Array, w: Array) -> Array:
    """Echoes of the shaft at the samples near it, [N]."""
    tip = smooth_step(along, needle.length_mm - TIP_MM - 0.3, needle.length_mm - TIP_MM + 0.8)
    profile = {
        NeedleLook.THIN: _thin,
        NeedleLook.GRANULAR: _granular,
        NeedleLook.DOUBLE: _double,
        NeedleLook.COMET: _comet,
    }[needle.look]
    shape = profile(needle, along, below, tip)
    if needle.look is NeedleLook.GRANULAR:
        shape = shape * _grains(needle, u, w)
    return shape * _patches(needle, along) * _ends(needle, along)


def _thin(needle: Needle, along: Array, below: Array, tip: Array) -> Array:
    """(a) a fine line, a weaker one of the lower wall, the tip thicker and brighter between them."""
    del along
    upper = _line(below, 0.0, 0.14) * (1 - 0.6 * tip)
    lower = 0.3 * _line(below, 0.9 * needle.diameter_mm, 0.14)
    return upper + lower + _tip_gain(needle) * tip * _line(below, 0.35 * needle.diameter_mm, 0.2)


def _granular(needle: Needle, along: Array, below: Array, tip: Array) -> Array:
    """(b) a band of dashes, brightest toward the tip."""
    toward_tip = 0.45 + 0.55 * smooth_step(along, 0.3 * needle.length_mm, needle.length_mm)
    return toward_tip * bump(below / np.float32(0.85)) * (1 + (_tip_gain(needle) - 1) * tip)


def _double(needle: Needle, along: Array, below: Array, tip: Array) -> Array:
    """(c) two crisp lines, clearest in the middle."""
    rise = smooth_step(along, 0.0, 0.4 * needle.length_mm)
    fall = smooth_step(along, needle.length_mm + 1, 0.6 * needle.length_mm)
    return _walls(needle, below) * (0.25 + 0.75 * rise * fall) * (1 + (_tip_gain(needle) - 1) * tip)


def _comet(needle: Needle, along: Array, below: Array, tip: Array) -> Array:
    """A bright needle with copies below it, sound running to and fro in the tube."""
    del along
    spacing_mm = np.float32(1.15 * needle.diameter_mm)
    nearest = np.rint(below / spacing_mm)
    copies = bump((below - nearest * spacing_mm) / np.float32(0.35)) * np.where(
        nearest >= 1, np.exp(-0.75 * nearest), 0
    )
    shape: Array = _walls(needle, below) * (1 + (_tip_gain(needle) - 1) * tip) + copies
    return shape


def _walls(needle: Needle, below: Array) -> Array:
    return _line(below, -0.35 * needle.diameter_mm, 0.12) + 0.8 * _line(below, 0.45 * needle.diameter_mm, 0.12)


def _line(below: Array, centre_mm: float, sigma_mm: float) -> Array:
    return bump((below - np.float32(centre_mm)) / np.float32(2.6 * sigma_mm))


def _tip_gain(needle: Needle) -> float:
    return math.pow(10, needle.tip_db / 20)


def _patches(needle: Needle, along: Array) -> Array:
    """Brightness along the shaft: patches of some millimetres, and gaps. They move with the needle."""
    from_tip = np.arange(0, 128, 0.25, dtype=np.float32)[None]
    patches = texture.structure(from_tip / 3, np.zeros_like(from_tip), 0.0, needle.seed + 1)[0]
    holes = texture.structure(from_tip / 2.5, np.zeros_like(from_tip), 0.0, needle.seed + 2)[0]
    level_db = needle.echo_db + 4 * patches
    if needle.gaps:
        level_db -= 18 * smooth_step(holes, float(np.quantile(holes, needle.gaps)) + 0.15, float(holes.min()))
    index = np.clip((needle.length_mm - along) * 4, 0, level_db.size - 1).astype(np.intp)
    amplitude: Array = cv2.exp(level_db * np.float32(math.log(10) / 20)).ravel()[index]
    return amplitude


def _grains(needle: Needle, u: Array, w: Array) -> Array:
    """Short horizontal dashes that move with the needle."""
    tip_u, tip_w = needle.tip_uw
    across, down = _folded(u - np.float32(tip_u)), _folded(w - np.float32(tip_w))
    grains = texture.structure(across / 1.3, down / 0.35, 0.0, needle.seed + 3)
    return cv2.exp(0.6 * grains).ravel()[: u.size].reshape(u.shape)


def _folded(values: Array) -> Array:
    """A list of samples as rows: OpenCV reads a texture at no more than 32,767 places a row."""
    padded = np.pad(values.ravel(), (0, -values.size % _ROW_LENGTH))
    return padded.reshape(-1, _ROW_LENGTH)


def _ends(needle: Needle, along: Array) -> Array:
    """1 along the shaft, 0 ahead of the tip; falls where the shaft leaves the plane."""
    out_mm = np.float32(needle.offsets_mm[0]) + np.float32(needle.offsets_mm[1]) * along
    in_plane = np.exp(-((out_mm / np.float32(SLICE_HALF_MM)) ** 4) * np.float32(0.7))
    shown: Array = smooth_step(along, needle.length_mm + 0.12, needle.length_mm - 0.12) * in_plane
    return shown


def _side_lobes(needle: Needle, along: Array, below: Array) -> Array:
    """Faint arcs parallel to the needle, above and ahead of it."""
    rise = smooth_step(along, needle.length_mm - 9, needle.length_mm - 3)
    fall = smooth_step(along, needle.length_mm + 9, needle.length_mm + 3)
    curved = below + np.float32(0.015) * (along - np.float32(needle.length_mm)) ** 2
    arcs = _line(curved, -5.2, 0.25) + _line(curved, -6.3, 0.25) + _line(curved, -7.5, 0.25)
    lobes: Array = np.float32(0.4) * rise * fall * arcs
    return lobes
