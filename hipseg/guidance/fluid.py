"""Fluid beside the needle's tip, seen in the image: it is black and pushes tissue away that was brighter before.

No class of the label scheme stands for fluid outside the joint, so it is found as a change of brightness: an area that
reaches the tip, wider than a needle, has turned dark against the seconds before, and nothing known explains it.
"""

from __future__ import annotations

import math
from collections import deque

import cv2
import numpy as np
import numpy.typing as npt

from hipseg import anatomy
from hipseg.frame import ImageHW
from hipseg.guidance.geometry import Points
from hipseg.guidance.injection_config import InjectionConfig
from hipseg.guidance.structures import Scene
from hipseg.runtime.grid import Grid

Echo = npt.NDArray[np.uint8]
"""Grey levels [H, W] on the occupied cells of the network's grid."""
_Level = npt.NDArray[np.float32]

_SPECKLE_MM, _SETTLING_S, _KEPT_EVERY_S = 0.7, 0.15, 0.25
_LEAST_BEFORE_S = 1.0
"""A shorter past says nothing of what is new."""
_BLACK_LEVEL = 14
"""What was darker than this before cannot turn dark."""
_THINNEST_MM = 1.8
"""Where a needle was, a line of its width turns dark when it is drawn back."""
_EXPLAINED = (anatomy.JOINT_RECESS, anatomy.NEEDLE, *anatomy.VESSELS)


def echo_on_grid(scan_HW: ImageHW, grid: Grid) -> Echo:
    """The scan region's grey levels on the occupied cells of a grid."""
    rows, columns = grid.occupied
    size = (columns.stop - columns.start, rows.stop - rows.start)
    return np.asarray(cv2.resize(scan_HW, size, interpolation=cv2.INTER_AREA), np.uint8)


class FluidWatch:
    """Remembers how bright everything was, and measures what has turned dark beside the tip."""

    def __init__(self, config: InjectionConfig) -> None:
        self._config = config
        self._level: _Level | None = None
        self._past: deque[tuple[float, _Level]] = deque()
        self._time_s = -math.inf

    def step(self, echo: Echo | None, scene: Scene, tip_mm: Points | None, time_s: float) -> float | None:
        """Area that has turned dark, mm2; None when it is not known.

        Args:
            echo: of the frame; None when no image is at hand.
            scene: of the frame, with a scale.
            tip_mm: the tip [2], None when it is not known.
            time_s: of the frame.
        """
        if echo is None or time_s < self._time_s or (self._level is not None and self._level.shape != echo.shape):
            self._level, self._time_s = None, -math.inf
            self._past.clear()
        if echo is None:
            return None
        level = self._settled(echo, scene, time_s)
        before = self._before(time_s)
        self._remember(level, time_s)
        if before is None or tip_mm is None:
            return None
        return self._area_at(self._darkened(level, before, scene), tip_mm, scene)

    def _settled(self, echo: Echo, scene: Scene, time_s: float) -> _Level:
        """Brightness without speckle, averaged over a moment."""
        sigma = _SPECKLE_MM / scene.plane.cell_mm
        smooth = cv2.GaussianBlur(echo.astype(np.float32), (0, 0), sigmaX=max(sigma, 0.3))
        elapsed_s = time_s - self._time_s
        share = 1.0 if self._level is None else elapsed_s / (elapsed_s + _SETTLING_S)
        level = np.asarray(smooth if self._level is None else self._level + np.float32(share) * (smooth - self._level))
        self._level, self._time_s = level, time_s
        return level

    def _before(self, time_s: float) -> _Level | None:
        while len(self._past) > 1 and time_s - self._past[1][0] >= self._config.before_s:
            self._past.popleft()
        old_enough = self._past and time_s - self._past[0][0] >= min(_LEAST_BEFORE_S, self._config.before_s)
        return self._past[0][1] if old_enough else None

    def _remember(self, level: _Level, time_s: float) -> None:
        if not self._past or time_s - self._past[-1][0] >= _KEPT_EVERY_S:
            self._past.append((time_s, level))

    def _darkened(self, level: _Level, before: _Level, scene: Scene) -> npt.NDArray[np.uint8]:
        """Cells that lost brightness, whatever became of the gain; not in bone's shadow, nor where fluid belongs."""
        gain = float(level.sum()) / max(float(before.sum()), 1.0)
        dark = (level < self._config.darkens_to * gain * before) & (before > _BLACK_LEVEL)
        bone = _is_any_of(anatomy.BONES, scene.labels_HW)
        dark &= ~(np.maximum.accumulate(bone, axis=0) | _is_any_of(_EXPLAINED, scene.labels_HW))
        side = max(round(_THINNEST_MM / scene.plane.cell_mm), 1)
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
        return np.asarray(cv2.morphologyEx(dark.view(np.uint8), cv2.MORPH_OPEN, kernel), np.uint8)

    def _area_at(self, dark_HW: npt.NDArray[np.uint8], tip_mm: Points, scene: Scene) -> float:
        """Of the connected areas that reach the tip."""
        config, plane = self._config, scene.plane
        column, row = plane.to_cells(tip_mm)
        reach = math.ceil(config.fluid_reach_mm / plane.cell_mm) + 1
        top, left = max(int(row) - reach, 0), max(int(column) - reach, 0)
        around_HW = dark_HW[top : max(int(row) + reach + 2, 0), left : max(int(column) + reach + 2, 0)]
        rows, columns = np.ogrid[top : top + around_HW.shape[0], left : left + around_HW.shape[1]]
        from_tip_mm = np.hypot(rows - row, columns - column) * plane.cell_mm
        if not around_HW.size:
            return 0.0
        _, pieces = cv2.connectedComponents(around_HW * (from_tip_mm <= config.fluid_reach_mm), connectivity=8)
        near = np.unique(pieces[from_tip_mm <= config.fluid_near_mm])
        return float(np.isin(pieces, near[near > 0]).sum() * plane.cell_area_mm2)


def _is_any_of(class_ids: tuple[int, ...], labels_HW: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Which labels are one of these, by a table of all that a label can be."""
    table = np.zeros(256, np.uint8)
    table[list(class_ids)] = 1
    return np.asarray(cv2.LUT(labels_HW, table), np.uint8).view(np.bool_)
