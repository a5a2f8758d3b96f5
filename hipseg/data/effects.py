"""What scanners, probes and recorders do to the look of an ultrasound image.

Each effect takes a grey image (uint8 [H, W], the beam running down), a generator and a strength (about 0.5 mild,
1 strong), and returns a new image. None moves anything.
"""

from __future__ import annotations

import functools
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from hipseg.data.reading import ImageHW

Generator = np.random.Generator
Field = npt.NDArray[Any]


GREY_MAPS = ("soft", "steep", "bright", "dark", "s-curve", "bent", "stepped")
"""Families of the grey maps that scanners of different makers offer; strength moves from the straight line to them."""

_BANK_SIDE = 1024


def time_gain(image_HW: ImageHW, rng: Generator, strength: float) -> ImageHW:
    """Time-gain compensation set otherwise: brightness changes smoothly with depth, up to a factor of 2."""
    sliders = rng.uniform(-0.7, 0.7, size=6) * strength
    depth = np.linspace(0, len(sliders) - 1, image_HW.shape[0])
    gain_H = np.exp(np.interp(depth, np.arange(len(sliders)), sliders)).astype(np.float32)
    return _clipped(image_HW * gain_H[:, None])


def overall_gain(image_HW: ImageHW, rng: Generator, strength: float) -> ImageHW:
    """The gain knob: grey levels of a log-compressed image move up or down together, black stays black."""
    offset = rng.uniform(-25, 40) * strength
    levels = np.arange(256)
    return _mapped(image_HW, levels + offset * np.minimum(levels / 30, 1))


def dynamic_range(image_HW: ImageHW, rng: Generator, strength: float) -> ImageHW:
    """Another dynamic range: the floor cuts weak echoes off, the slope and the curve change."""
    floor = rng.uniform(0, 15) * strength
    ceiling = 255 - rng.uniform(-40, 60) * strength
    curve = np.exp(rng.uniform(-0.5, 0.5) * strength)
    return _mapped(image_HW, 255 * np.clip((np.arange(256) - floor) / (ceiling - floor), 0, 1) ** curve)


def grey_map(image_HW: ImageHW, rng: Generator, strength: float) -> ImageHW:
    """A grey map of another maker, one of `GREY_MAPS`."""
    name, amount = GREY_MAPS[rng.integers(len(GREY_MAPS))], rng.uniform(0.3, 1.0) * min(strength, 1.0)
    levels = np.linspace(0, 1, 256)
    return _mapped(image_HW, 255 * ((1 - amount) * levels + amount * grey_curve(name, levels)))


def grey_curve(name: str, levels: Field) -> Field:
    """One of `GREY_MAPS` on levels 0-1; rises from 0 to 1."""
    curves: dict[str, Field] = {
        "soft": levels**0.8,
        "steep": np.clip(1.3 * levels - 0.1, 0, 1) * (levels > 0),
        "bright": np.log1p(9 * levels) / np.log(10),
        "dark": levels**1.8,
        "s-curve": levels**2 * (3 - 2 * levels),
        "bent": np.interp(levels, [0, 0.35, 1], [0, 0.6, 1]),
        "stepped": np.round(levels * 31) / 31,
    }
    return curves[name]


def speckle(image_HW: ImageHW, rng: Generator, strength: float) -> ImageHW:
    """Multiplicative noise that is wider across the beam than along it, as speckle is."""
    height, width = image_HW.shape
    coarse = grains(height, max(width // int(rng.integers(1, 4)), 1), rng)
    noise_HW = np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
    noise_HW = 1 + np.float32(rng.uniform(0.1, 0.4) * strength) * noise_HW
    return _clipped(cv2.multiply(image_HW, noise_HW, dtype=cv2.CV_32F))


def shadow(image_HW: ImageHW, rng: Generator, strength: float) -> ImageHW:
    """One to three dark wedges that run down from somewhere: gas, a calcification, a rib."""
    height, width = image_HW.shape
    rows = np.arange(height, dtype=np.float32)[:, None]
    columns = np.arange(width, dtype=np.float32)
    kept_HW: Field = np.ones(image_HW.shape, np.float32)
    for _ in range(rng.integers(1, 4)):
        start = np.float32(0.0 if rng.random() < 0.5 else rng.uniform(0, 0.7) * height)
        middle = np.float32(rng.uniform(0, width)) + np.float32(rng.uniform(-0.25, 0.25)) * (rows - start)
        half_width = width * rng.uniform(0.01, 0.08) * strength + rng.uniform(0, 0.1) * np.maximum(rows - start, 0)
        softness = np.float32(max(width * rng.uniform(0.01, 0.04), 0.1))
        across = np.clip((half_width.astype(np.float32) - np.abs(columns - middle)) / softness + np.float32(0.5), 0, 1)
        below = np.clip((rows - start) / np.float32(0.05 * height) + np.float32(0.5), 0, 1)
        kept_HW *= 1 - np.float32(rng.uniform(0.4, 0.95)) * across * below
    return _clipped(image_HW * kept_HW)


def contact_loss(image_HW: ImageHW, rng: Generator, strength: float) -> ImageHW:
    """An edge of the probe off the skin: dark from top to bottom, with the near field's rings left in the dark."""
    height, width = image_HW.shape
    reach = max(rng.uniform(0.05, 0.35) * strength * width, 1.0)
    from_left = np.arange(width, dtype=np.float32)
    from_edge = from_left if rng.random() < 0.5 else from_left[::-1]
    lost_W = np.clip((reach - from_edge) / max(0.3 * reach, 1.0) + 0.5, 0, 1) * rng.uniform(0.6, 1.0)
    rows = np.arange(height, dtype=np.float32)
    rings_H = 40 * strength * np.exp(-rows / max(0.04 * height, 1)) * (1 + np.cos(rows * 2 * np.pi / rng.uniform(3, 9)))
    seen_HW = image_HW * (1 - lost_W).astype(np.float32)
    return _clipped(seen_HW + rings_H.astype(np.float32)[:, None] * lost_W.astype(np.float32))


def haze(image_HW: ImageHW, rng: Generator, strength: float) -> ImageHW:
    """Clutter: a bright veil of slow shape over the image, with grain of its own."""
    height, width = image_HW.shape
    coarse = rng.uniform(0, 1, size=(4, 5)).astype(np.float32) ** 2
    veil_HW = np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)
    veil_HW *= 1 + np.float32(0.23) * grains(height, width, rng)
    veil_HW *= np.float32(rng.uniform(15, 60) * strength)
    return _clipped(image_HW + veil_HW)


def reverberation(image_HW: ImageHW, rng: Generator, strength: float) -> ImageHW:
    """The near field comes back fainter at twice its depth."""
    height = image_HW.shape[0]
    lag = int(rng.uniform(0.08, 0.3) * height)
    share = rng.uniform(0.1, 0.35) * strength
    seen_HW = image_HW.copy()
    if lag:
        seen_HW[lag:] = cv2.addWeighted(image_HW[lag:], 1.0, image_HW[: height - lag], share, 0.0)
    return seen_HW


def furniture(image_HW: ImageHW, rng: Generator, strength: float) -> ImageHW:
    """What the scanner writes into the picture: ticks, a marker, a grey bar, text; more of it with more strength."""
    drawn_HW = image_HW.copy()
    for draw in (_ticks, _marker, _grey_bar, _text):
        if rng.random() < 0.5 * strength:
            draw(drawn_HW, rng)
    return drawn_HW


def _ticks(image_HW: ImageHW, rng: Generator) -> None:
    height, width = image_HW.shape
    step, length = int(rng.integers(max(height // 16, 4), max(height // 4, 6))), int(rng.integers(1, 5))
    column = int(rng.choice([1, width - 1 - length]))
    grey = int(rng.integers(120, 256))
    for row in range(int(rng.integers(step)), height, step):
        image_HW[row, max(column, 0) : column + length] = grey


def _marker(image_HW: ImageHW, rng: Generator) -> None:
    height, width = image_HW.shape
    inset = int(rng.integers(3, 12))
    at = (int(rng.choice([inset, width - inset])), int(rng.integers(2, max(height // 12, 3))))
    cv2.circle(image_HW, at, int(rng.integers(2, 5)), int(rng.integers(100, 256)), -1, cv2.LINE_AA)


def _grey_bar(image_HW: ImageHW, rng: Generator) -> None:
    height, width = image_HW.shape
    length, thickness = int(rng.uniform(0.2, 0.6) * height), int(rng.integers(2, 7))
    row = int(rng.integers(0, height - length))
    column = int(rng.choice([1, width - thickness - 1]))
    image_HW[row : row + length, max(column, 0) : column + thickness] = np.linspace(255, 0, length)[:, None]


def _text(image_HW: ImageHW, rng: Generator) -> None:
    height, width = image_HW.shape
    letters = "ABCDEFGHIKLMNOPRSTUVWXZ0123456789. :-/%"
    for _ in range(rng.integers(1, 4)):
        text = "".join(rng.choice(list(letters), size=rng.integers(2, 12)))
        row = int(rng.uniform(0.03, 0.15) * height) if rng.random() < 0.5 else int(rng.uniform(0.85, 0.99) * height)
        at = (int(rng.uniform(0, 0.8) * width), max(row, 6))
        grey = int(rng.integers(120, 256))
        cv2.putText(image_HW, text, at, cv2.FONT_HERSHEY_SIMPLEX, rng.uniform(0.25, 0.4), grey, 1, cv2.LINE_AA)


def grains(height: int, width: int, rng: Generator) -> npt.NDArray[np.float32]:
    """White Gaussian noise, float32 [H, W]: a random window of a fixed bank, which is tiled where that is too small."""
    bank = _bank()
    top, left = (int(rng.integers(max(_BANK_SIDE - side, 0) + 1)) for side in (height, width))
    if max(height, width) > _BANK_SIDE:
        bank = np.tile(bank, (-(-height // _BANK_SIDE), -(-width // _BANK_SIDE)))
    return bank[top : top + height, left : left + width]


@functools.cache
def _bank() -> npt.NDArray[np.float32]:
    """White Gaussian noise, drawn once: a window of it is new enough for a grain, and costs nothing."""
    return np.random.default_rng(0).standard_normal((_BANK_SIDE, _BANK_SIDE), np.float32)


def _mapped(image_HW: ImageHW, levels: Field) -> ImageHW:
    return np.asarray(cv2.LUT(image_HW, _clipped(levels)), np.uint8)


def _clipped(grey: Field) -> ImageHW:
    return np.clip(grey, 0, 255).astype(np.uint8)
