"""How far the tissue has moved from one frame to the next: under the probe, with breath, with the needle."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from hipseg.guidance.fluid import Echo
from hipseg.guidance.geometry import Points, ScanPlane

_SHORTER_SIDE = 96
"""Cells to which the shorter side is reduced: speckle averages out, and a shift is still found to a tenth of a cell."""
_LEAST_RESPONSE = 0.08
"""Of the phase correlation, 0-1; below it the pictures have nothing in common."""


class TissueMotion:
    """Compares each frame with the one before by phase correlation (Kuglin and Hines 1975)."""

    def __init__(self) -> None:
        self._before: npt.NDArray[np.float32] | None = None
        self._window: npt.NDArray[np.float32] | None = None

    def step(self, echo: Echo | None, plane: ScanPlane) -> Points | None:
        """The shift [2] in millimetres since the frame before; None for a first frame or when nothing agrees."""
        before, self._before = self._before, None if echo is None else _reduced(echo)
        if before is None or self._before is None or before.shape != self._before.shape or echo is None:
            return None
        if self._window is None or self._window.shape != before.shape:
            self._window = np.asarray(cv2.createHanningWindow(before.shape[::-1], cv2.CV_32F), np.float32)
        shift, response = cv2.phaseCorrelate(before, self._before, self._window)
        if not response >= _LEAST_RESPONSE:
            return None
        reduction = np.divide(echo.shape[::-1], before.shape[::-1])
        cell_mm = plane.grid.scale * np.array([plane.column_mm, plane.row_mm])
        shift_mm: Points = np.asarray(shift) * reduction * cell_mm
        return shift_mm


def _reduced(echo: Echo) -> npt.NDArray[np.float32]:
    height, width = echo.shape
    scale = min(_SHORTER_SIDE / min(height, width), 1.0)
    size = (max(round(width * scale), 8), max(round(height * scale), 8))
    return np.asarray(cv2.resize(echo, size, interpolation=cv2.INTER_AREA), np.float32)
