"""Corruptions that change how an image looks and move nothing.

Deliberately not the training's own effects (`data.effects`): a model must not be examined with what it has practised.
Grey levels are taken as log-compressed echoes over `DYNAMIC_RANGE_DB`, the usual display.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from hipseg.evaluation.robustness.scene import Scene
from hipseg.frame import ImageHW

DYNAMIC_RANGE_DB = 60.0
SPECKLE_SIZE_MM = (0.3, 0.6)
"""Of a grain along and across the beam: about that of a 10 MHz probe in the near field."""

Generator = np.random.Generator
_WHITE = 255.0
_GREY_PER_DB = _WHITE / DYNAMIC_RANGE_DB


def gain(scene: Scene, gain_db: float, rng: Generator) -> Scene:
    """The gain knob turned up or down, as chance has it, by `gain_db`; the display saturates at both ends."""
    sign = 1.0 if rng.random() < 0.5 else -1.0
    return _shown(scene, scene.image_HW + sign * gain_db * _GREY_PER_DB)


def speckle(scene: Scene, speckle_contrast: float, rng: Generator) -> Scene:
    """Echo amplitudes multiplied by a gamma field of mean 1 and standard deviation `speckle_contrast`.

    Fully developed speckle has 0.52 in amplitude (Rayleigh; Goodman, Speckle Phenomena in Optics).
    """
    shape = 1.0 / speckle_contrast**2
    normal_HW = _grains(scene, rng)
    # The Wilson-Hilferty cube turns a normal field into a gamma field without a quantile function.
    field_HW = np.maximum(1 - 1 / (9 * shape) + normal_HW / (3 * np.sqrt(shape)), 0.02) ** 3
    return _shown(scene, scene.image_HW + 20 * np.log10(field_HW) * _GREY_PER_DB)


def blur(scene: Scene, sigma_mm: float, _rng: Generator) -> Scene:
    """A point spread wider by a Gaussian of `sigma_mm` across the beam and half of it along."""
    row_mm, column_mm = scene.mm_per_px
    sigma_x, sigma_y = sigma_mm / column_mm, 0.5 * sigma_mm / row_mm
    smooth_HW = cv2.GaussianBlur(scene.image_HW, (0, 0), sigmaX=sigma_x, sigmaY=sigma_y)
    return replace(scene, image_HW=np.asarray(smooth_HW, np.uint8))


def contrast(scene: Scene, kept_share: float, _rng: Generator) -> Scene:
    """Grey levels drawn toward the mean of the image until only `kept_share` of their spread is left."""
    mean = float(scene.image_HW.mean())
    return _shown(scene, mean + kept_share * (scene.image_HW - mean))


def compression(scene: Scene, jpeg_quality: float, _rng: Generator) -> Scene:
    """Once through a JPEG encoder of that quality, 1-100."""
    _, coded = cv2.imencode(".jpg", scene.image_HW, [cv2.IMWRITE_JPEG_QUALITY, round(jpeg_quality)])
    return replace(scene, image_HW=np.asarray(cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE), np.uint8))


def _grains(scene: Scene, rng: Generator) -> npt.NDArray[np.float32]:
    """A normal field whose grains have the size of speckle, [H, W], mean 0 and variance 1."""
    (row_mm, column_mm), (along_mm, across_mm) = scene.mm_per_px, SPECKLE_SIZE_MM
    white_HW = rng.standard_normal(scene.image_HW.shape, np.float32)
    sigma_x, sigma_y = max(across_mm / column_mm / 2.355, 0.3), max(along_mm / row_mm / 2.355, 0.3)
    smooth_HW = cv2.GaussianBlur(white_HW, (0, 0), sigmaX=sigma_x, sigmaY=sigma_y)
    return np.asarray(smooth_HW / max(float(smooth_HW.std()), 1e-6), np.float32)


def _shown(scene: Scene, grey_HW: npt.NDArray[Any]) -> Scene:
    image_HW: ImageHW = np.clip(np.rint(grey_HW), 0, _WHITE).astype(np.uint8)
    return replace(scene, image_HW=image_HW)
