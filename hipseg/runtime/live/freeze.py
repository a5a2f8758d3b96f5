"""Telling a live image from one that only keeps being sent."""

from __future__ import annotations

import cv2
import numpy as np

from hipseg.frame import ImageHW


class ChangeDetector:
    """Compares every image with the last one that was different. Living tissue and noise change all of it.

    The comparison is with that one, not with the image just before, so that slow motion adds up to a change.

    Args:
        level: grey levels by which a pixel may differ: a frozen image that is compressed anew each time does.
        share: of the pixels that may differ by more.
    """

    def __init__(self, level: float, share: float) -> None:
        self._level, self._share = level, share
        self._reference_HW: ImageHW | None = None

    def has_changed(self, image_HW: ImageHW) -> bool:
        """Whether an image shows something new; the first one does."""
        reference_HW = self._reference_HW
        if reference_HW is not None and reference_HW.shape == image_HW.shape:
            different_HW = cv2.absdiff(image_HW, reference_HW) > self._level
            if np.count_nonzero(different_HW) <= self._share * image_HW.size:
                return False
        self._reference_HW = image_HW.copy()
        return True
