"""Colour Doppler in a picture: which pixels show flow, and what the colour bar says of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from hipseg.frame import ColourFlow, ImageHW
from hipseg.io.grey import rgb_to_grey

Rgb = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]

DECODED = "colour map read from its bar, its upper end toward the probe"
ASSUMED = "no colour bar found: red is assumed toward the probe, blue away"

_LEAST_CHROMA, _STRIDE, _LEAST_SAMPLES = 50, 4, 3
_LEAST_BAR_HEIGHT, _MOST_BAR_WIDTH, _BAR_ASPECT, _BAR_FILL = 0.1, 0.1, 2.5, 0.8
"""Of a colour bar: height and width as shares of the picture's, height over width, and how full its box is."""
_NEAR_COLOUR = 70
"""RGB distance at which a pixel still has a colour of the bar: video coding blurs hues."""
_FULL = 127
_LETTERS = 0.85
"""Share of green in yellow and cyan from which a painted pixel is rather a letter or a cursor, if no bar tells."""


class Decoded(NamedTuple):
    """A picture as grey levels, uint8 [H, W], and the colour flow painted over it."""

    image_HW: ImageHW
    flow: ColourFlow | None = None


def decoded(image_HW3: Rgb) -> Decoded:
    """Grey and flow of an RGB picture, uint8 [H, W, 3]."""
    return Decoded(rgb_to_grey(image_HW3), read_flow(image_HW3))


def read_flow(image_HW3: Rgb) -> ColourFlow | None:
    """The flow in an RGB picture, uint8 [H, W, 3]; None where nothing is painted in red or blue.

    A colour bar, where one is found, says which colours mean flow, how fast and which way: its upper end stands for
    flow toward the probe, as scanners come set. Without one, the map of nearly all scanners is assumed (red to yellow
    toward the probe, blue to cyan away) and the note says so. Green paint (markers, guides, variance) is not flow.
    """
    if np.count_nonzero(_is_flow_coloured(image_HW3[::_STRIDE, ::_STRIDE])) < _LEAST_SAMPLES:
        return None
    painted_HW = _is_flow_coloured(image_HW3)
    bar = _find_bar(image_HW3, painted_HW)
    if bar is None:
        return _flow(_assumed(image_HW3, painted_HW), ASSUMED)
    painted_HW[bar.box] = False
    return _flow(_decoded_by(bar, image_HW3, painted_HW), DECODED)


def _flow(velocity_HW: npt.NDArray[np.int8], note: str) -> ColourFlow | None:
    return ColourFlow(velocity_HW, note) if velocity_HW.any() else None


def _is_flow_coloured(image_HW3: Rgb) -> Mask:
    """Strongly coloured, and more red or more blue than green."""
    red, green, blue = (np.ascontiguousarray(image_HW3[..., k]) for k in range(3))
    warm_or_cold = np.asarray(cv2.max(red, blue), np.uint8)
    brightest, darkest = cv2.max(warm_or_cold, green), cv2.min(cv2.min(red, blue), green)
    chroma = np.asarray(cv2.subtract(brightest, darkest), np.uint8)
    return np.asarray((chroma >= _LEAST_CHROMA) & (chroma > darkest) & (warm_or_cold >= green) & _not_purple(red, blue))


def _not_purple(red: npt.NDArray[np.uint8], blue: npt.NDArray[np.uint8]) -> Mask:
    """Either red or blue leads clearly: flow maps run through black or white, not through purple."""
    return np.asarray(cv2.absdiff(red, blue)) >= _LEAST_CHROMA // 2


@dataclass(frozen=True, slots=True)
class _Bar:
    """A colour bar: its rows and columns, and the colours [n, 3] of its rows with their velocities [n], -1 to 1."""

    box: tuple[slice, slice]
    colours: npt.NDArray[np.float32]
    velocities: npt.NDArray[np.float32]


def _find_bar(image_HW3: Rgb, painted_HW: Mask) -> _Bar | None:
    """A narrow upright box filled with colour, the same across each row, one half red and the other blue."""
    height, width = painted_HW.shape
    # The halves of a bar meet in black: closing over it makes them one piece.
    bridge = np.ones((max(height // 20, 3) | 1, 1), np.uint8)
    joined = cv2.morphologyEx(painted_HW.view(np.uint8), cv2.MORPH_CLOSE, bridge)
    _, _, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=4)
    for left, top, wide, high, area in stats[1:]:
        is_bar = high >= _LEAST_BAR_HEIGHT * height and wide <= _MOST_BAR_WIDTH * width and high >= _BAR_ASPECT * wide
        if is_bar and wide >= 3 and area >= _BAR_FILL * wide * high:
            bar = _read_bar(image_HW3, (slice(top, top + high), slice(left, left + wide)))
            if bar is not None:
                return bar
    return None


def _read_bar(image_HW3: Rgb, box: tuple[slice, slice]) -> _Bar | None:
    rows = image_HW3[box].astype(np.float32)
    inner = rows[:, rows.shape[1] // 4 : -(rows.shape[1] // 4) or None]
    colours = np.median(inner, axis=1).astype(np.float32)
    is_even = float(np.median(np.abs(inner - colours[:, None]))) < _LEAST_CHROMA / 2
    half, warmth = len(colours) // 2, colours[:, 0] - colours[:, 2]
    has_two_ends = float(np.median(warmth[:half])) * float(np.median(warmth[half:])) < 0
    if not is_even or not has_two_ends:
        return None
    velocities = np.linspace(1, -1, len(colours)).astype(np.float32)
    is_coloured = np.ptp(colours, axis=1) >= _LEAST_CHROMA / 2
    return _Bar(box, colours[is_coloured], velocities[is_coloured])


def _decoded_by(bar: _Bar, image_HW3: Rgb, painted_HW: Mask) -> npt.NDArray[np.int8]:
    """Each painted pixel takes the velocity of the bar's nearest colour; one far from all of them is no flow."""
    coarse = image_HW3[painted_HW] >> 2
    keys = (coarse[:, 0].astype(np.int32) << 12) | (coarse[:, 1].astype(np.int32) << 6) | coarse[:, 2]
    unique, which = np.unique(keys, return_inverse=True)
    colours = np.stack([unique >> 12, (unique >> 6) & 63, unique & 63], axis=1).astype(np.float32) * 4 + 1.5
    apart = np.square(colours[:, None] - bar.colours[None]).sum(axis=2)
    nearest = np.argmin(apart, axis=1)
    velocities = np.where(apart.min(axis=1) <= _NEAR_COLOUR**2, bar.velocities[nearest], 0)
    velocity_HW = np.zeros(painted_HW.shape, np.int8)
    velocity_HW[painted_HW] = np.rint(velocities * _FULL).astype(np.int8)[which]
    return velocity_HW


def _assumed(image_HW3: Rgb, painted_HW: Mask) -> npt.NDArray[np.int8]:
    """Red to orange toward the probe, blue to light blue away; brighter is faster. Yellow and cyan are letters."""
    painted_HW = painted_HW & (image_HW3[..., 1] <= _LETTERS * image_HW3[..., (0, 2)].max(axis=2))
    painted = image_HW3[painted_HW].astype(np.float32)
    speed = np.clip(painted.mean(axis=1) / 170, 1 / _FULL, 1)
    sign = np.where(painted[:, 0] >= painted[:, 2], 1, -1)
    velocity_HW = np.zeros(painted_HW.shape, np.int8)
    velocity_HW[painted_HW] = np.rint(speed * sign * _FULL).astype(np.int8)
    return velocity_HW
