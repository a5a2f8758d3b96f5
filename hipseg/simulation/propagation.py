"""Depth error by the speed of sound: fat is slower than a scanner assumes, so that all below it shows too deep.

30 mm of fat at 1455 m/s display 1.7 mm too deep at the assumed 1540 m/s (clinical.md section 2). A straight needle
that crosses from fat into muscle seems to bend there (the bayonet artefact). Image, masks and landmarks are moved
together: they are where structures appear. Lengths in the truth record stay those of the body.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from hipseg.simulation.phantom import Section
from hipseg.simulation.probe import Probe
from hipseg.simulation.surfaces import Array

ASSUMED_M_S, FAT_M_S = 1540.0, 1455.0
FULL_EXCESS = ASSUMED_M_S / FAT_M_S - 1
"""Millimetres displayed too deep per millimetre of fat."""
_SMOOTH_MM = 3.0


@dataclass(frozen=True, slots=True)
class SlowFat:
    """The fat on each beam and by how much it delays.

    Attributes:
        fat_mm_L: its thickness on each beam.
        excess: millimetres displayed too deep per millimetre of fat.
    """

    fat_mm_L: Array
    excess: float

    def displayed_mm(self, range_mm: float, line: float) -> float:
        """Where a point of a beam appears, as distance from the face."""
        fat_mm = float(np.interp(line, np.arange(len(self.fat_mm_L)), self.fat_mm_L))
        return range_mm + self.excess * min(range_mm, fat_mm)

    def displayed(self, values_SL: Array, probe: Probe, *, nearest: bool = False) -> Array:
        """Values [S, L] moved to where they appear."""
        shown_mm = np.broadcast_to(probe.range_mm, values_SL.shape)
        delay_mm = np.minimum(shown_mm * np.float32(self.excess / (1 + self.excess)), self.excess * self.fat_mm_L)
        sample = ((shown_mm - delay_mm) / np.float32(probe.sample_mm) - 0.5).astype(np.float32)
        line = np.broadcast_to(np.arange(values_SL.shape[1], dtype=np.float32), values_SL.shape)
        mode = cv2.INTER_NEAREST if nearest else cv2.INTER_LINEAR
        return cv2.remap(values_SL, np.ascontiguousarray(line), sample, mode, borderMode=cv2.BORDER_REPLICATE)


def slow_fat(section: Section, probe: Probe, excess: float) -> SlowFat:
    """The subcutaneous fat of a section as a delay; smooth along the face, as a beam is wide there."""
    fat_mm_L = (section.fat > 0).sum(axis=0).astype(np.float32) * np.float32(probe.sample_mm)
    smooth = cv2.GaussianBlur(fat_mm_L[None], (0, 0), _SMOOTH_MM / probe.line_mm, borderType=cv2.BORDER_REPLICATE)[0]
    return SlowFat(smooth, excess)
