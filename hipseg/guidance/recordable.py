"""What guidance sees of a segmentation is what can be kept on disk: so a session replays to the same bytes."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt

from hipseg.runtime.segmentation import Segmentation

LEVELS = 255
"""Probabilities are rounded to 1/255: far finer than any network is sure of them."""

Levels = npt.NDArray[np.uint8]


def rounded(segmentation: Segmentation) -> Segmentation:
    """The same segmentation, whose probabilities are sound, with them on `LEVELS` steps."""
    return replace(segmentation, probabilities_CHW=probabilities_of(levels_of(segmentation.probabilities_CHW)))


def levels_of(probabilities_CHW: npt.NDArray[np.float32]) -> Levels:
    """Finite probabilities as whole steps, uint8 [C, H, W]."""
    flat = np.ascontiguousarray(probabilities_CHW).reshape(len(probabilities_CHW), -1)
    return np.asarray(cv2.convertScaleAbs(flat, alpha=LEVELS), np.uint8).reshape(probabilities_CHW.shape)


def probabilities_of(levels_CHW: Levels) -> npt.NDArray[np.float32]:
    """And back; `levels_of` of the result gives the same steps."""
    probabilities_CHW = levels_CHW.astype(np.float32)
    probabilities_CHW *= np.float32(1 / LEVELS)
    return probabilities_CHW
