"""Images that are no view of a hip, made on the fly: the view score learns from them what to distrust."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import cv2
import numpy as np

from hipseg.anatomy import IGNORED
from hipseg.data import effects
from hipseg.data.reading import ImageHW
from hipseg.data.sample import ABSENT, UNKNOWN, Sample

Generator = np.random.Generator


def spoil(sample: Sample, rng: Generator) -> Sample:
    """Turns a sample into one that is surely no hip view.

    What is left of the anatomy is nobody's to say: labels are all ignored and landmarks unknown.
    """
    make = _WAYS[rng.integers(len(_WAYS))]
    image_HW = np.ascontiguousarray(make(sample.image_HW, rng))
    landmarks_K3 = np.zeros_like(sample.landmarks_K3)
    landmarks_K3[:, 2] = UNKNOWN
    return dataclasses.replace(
        sample,
        image_HW=image_HW,
        labels_HW=np.full(image_HW.shape, IGNORED, np.uint8),
        landmarks_K3=landmarks_K3,
        hip_view=ABSENT,
        spacing_mm=(math.nan, math.nan),
    )


def shuffled_tiles(image_HW: ImageHW, rng: Generator) -> ImageHW:
    """The image cut into 3 to 6 tiles a side, which change places."""
    tiles_a_side = int(rng.integers(3, 7))
    height, width = (max(length // tiles_a_side, 1) for length in image_HW.shape)
    tiles = image_HW[: height * tiles_a_side, : width * tiles_a_side]
    if tiles.shape != (height * tiles_a_side, width * tiles_a_side):
        return noise(image_HW, rng)
    grid = tiles.reshape(tiles_a_side, height, tiles_a_side, width).swapaxes(1, 2).reshape(-1, height, width)
    mixed = rng.permutation(grid).reshape(tiles_a_side, tiles_a_side, height, width)
    return mixed.swapaxes(1, 2).reshape(tiles.shape)


def upside_down(image_HW: ImageHW, rng: Generator) -> ImageHW:
    """The skin at the bottom, or at one side."""
    return np.rot90(image_HW, k=int(rng.integers(1, 4)))


def noise(image_HW: ImageHW, rng: Generator) -> ImageHW:
    """Speckle of no tissue: Rayleigh noise of some grain and level."""
    height, width = image_HW.shape
    grain_x, grain_y = rng.integers(1, 9, size=2)
    coarse = rng.rayleigh(rng.uniform(5, 60), size=(height // grain_y + 1, width // grain_x + 1))
    grains = np.clip(coarse, 0, 255).astype(np.uint8)
    return np.asarray(cv2.resize(grains, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def gradient(image_HW: ImageHW, rng: Generator) -> ImageHW:
    """Slow shades and soft blobs without texture."""
    height, width = image_HW.shape
    corners = rng.integers(0, 256, size=(int(rng.integers(2, 6)), int(rng.integers(2, 6)))).astype(np.uint8)
    return np.asarray(cv2.resize(corners, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


def text_screen(image_HW: ImageHW, rng: Generator) -> ImageHW:
    """A menu or a report: lines of text on a plain ground."""
    height, width = image_HW.shape
    ground = int(rng.choice([0, 0, 30, 230]))
    screen_HW = np.full(image_HW.shape, ground, np.uint8)
    ink, line = (20 if ground > 100 else int(rng.integers(140, 256))), int(rng.integers(10, 30))
    for row in range(line, height, line):
        letters = "".join(chr(code) for code in rng.integers(33, 123, size=rng.integers(0, 60)))
        cv2.putText(screen_HW, letters, (int(rng.integers(0, width // 4 + 1)), row), 0, line / 40, ink, 1, cv2.LINE_AA)
    return screen_HW


def blank(image_HW: ImageHW, rng: Generator) -> ImageHW:
    """A probe in the air: near-field rings over black, or nothing at all."""
    rows = np.arange(image_HW.shape[0])[:, None]
    rings = 1 + np.cos(rows / rng.uniform(1.5, 6))
    fading = np.exp(-rows / (rng.uniform(0.02, 0.2) * image_HW.shape[0]))
    air_HW = rng.uniform(0, 100) * rings * fading * np.ones(image_HW.shape)
    return effects.speckle(np.clip(air_HW, 0, 255).astype(np.uint8), rng, 1.0)


_WAYS: tuple[Callable[[ImageHW, Generator], ImageHW], ...] = (
    shuffled_tiles,
    shuffled_tiles,
    upside_down,
    upside_down,
    noise,
    gradient,
    text_screen,
    blank,
)
"""Spoiled ultrasound is drawn more often than what no one would mistake for it."""
