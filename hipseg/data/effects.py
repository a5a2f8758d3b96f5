"""What scanners, probes and recorders do to the look of an ultrasound image.

Each effect takes a grey image (uint8 [H, W], the beam running down), a generator and a strength (about 0.5 mild,
1 strong), and returns a new image. None moves anything.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from hipseg.data.reading import ImageHW

Generator = np.random.Generator
Field = npt.NDArray[Any]


def time_gain(image_HW: ImageHW, rng: Generator, strength: float) -> ImageHW:
    """Time-gain compensation set otherwise: brightness changes smoothly with depth, up to a factor of 2."""
    sliders = rng.uniform(-0.7, 0.7, size=6) * strength
    depth = np.linspace(0, len(sliders) - 1, image_HW.shape[0])
    gain_H = np.exp(np.interp(depth, np.arange(len(sliders)), sliders))
    return _clipped(image_HW * gain_H[:, None])


def overall_gain(image_HW: ImageHW, rng: Generator, strength: float) -> ImageHW:
    """The gain knob: grey levels of a log-compressed image move up or down together, black stays black."""
    offset = rng.uniform(-25, 40) * strength
    return _clipped(image_HW + offset * np.minimum(image_HW / 30, 1))


def dynamic_range(image_HW: ImageHW, rng: Generator, strength: float) -> ImageHW:
    """Another dynamic range and grey map: the floor cuts weak echoes off, the slope and the curve change."""
    floor = rng.uniform(0, 15) * strength
    ceiling = 255 - rng.uniform(-40, 60) * strength
    curve = np.exp(rng.uniform(-0.5, 0.5) * strength)
    levels = np.clip((np.arange(256) - floor) / (ceiling - floor), 0, 1) ** curve
    return np.asarray(cv2.LUT(image_HW, _clipped(levels * 255)), np.uint8)


def speckle(image_HW: ImageHW, rng: Generator, strength: float) -> ImageHW:
    """Multiplicative noise that is wider across the beam than along it, as speckle is."""
    height, width = image_HW.shape
    grains = rng.standard_normal((height, max(width // rng.integers(1, 4), 1)), np.float32)
    noise_HW = cv2.resize(grains, (width, height), interpolation=cv2.INTER_LINEAR)
    return _clipped(image_HW * (1 + rng.uniform(0.1, 0.4) * strength * noise_HW))


def shadow(image_HW: ImageHW, rng: Generator, strength: float) -> ImageHW:
    """One to three dark wedges that run down from somewhere: gas, a calcification, a lost contact of the probe."""
    height, width = image_HW.shape
    rows, columns = np.ogrid[:height, :width]
    kept_HW: Field = np.ones(image_HW.shape, np.float32)
    for _ in range(rng.integers(1, 4)):
        start = 0.0 if rng.random() < 0.5 else rng.uniform(0, 0.7) * height
        middle = rng.uniform(0, width) + rng.uniform(-0.25, 0.25) * (rows - start)
        half_width = width * rng.uniform(0.01, 0.08) * strength + rng.uniform(0, 0.1) * np.maximum(rows - start, 0)
        softness = width * rng.uniform(0.01, 0.04)
        across = np.clip((half_width - np.abs(columns - middle)) / softness + 0.5, 0, 1)
        below = np.clip((rows - start) / (0.05 * height) + 0.5, 0, 1)
        kept_HW = kept_HW * (1 - rng.uniform(0.4, 0.95) * across * below)
    return _clipped(image_HW * kept_HW)


def haze(image_HW: ImageHW, rng: Generator, strength: float) -> ImageHW:
    """Clutter: a bright veil of slow shape over the image, with grain of its own."""
    height, width = image_HW.shape
    coarse = rng.uniform(0, 1, size=(4, 5)).astype(np.float32) ** 2
    veil_HW = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    grain_HW = rng.uniform(0.6, 1.4, size=image_HW.shape).astype(np.float32)
    return _clipped(image_HW + rng.uniform(15, 60) * strength * veil_HW * grain_HW)


def reverberation(image_HW: ImageHW, rng: Generator, strength: float) -> ImageHW:
    """The near field comes back fainter at twice its depth."""
    height = image_HW.shape[0]
    lag = int(rng.uniform(0.08, 0.3) * height)
    echo_HW = np.zeros(image_HW.shape, np.float32)
    echo_HW[lag:] = image_HW[: height - lag]
    return _clipped(image_HW + rng.uniform(0.1, 0.35) * strength * echo_HW)


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


def _clipped(grey: Field) -> ImageHW:
    return np.clip(grey, 0, 255).astype(np.uint8)
