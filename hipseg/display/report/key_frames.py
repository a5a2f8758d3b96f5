"""Frames of a session that are worth a picture."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hipseg.guidance.engine import Guidance
from hipseg.guidance.injection import Spread

Picture = npt.NDArray[np.uint8]


class Moment(Enum):
    """Which frames those are."""

    CLOSEST = "Closest to a vessel"
    PLACED = "Needle placed"
    INJECTED = "Fluid seen"
    LAST = "Last frame"


class KeyFrame(NamedTuple):
    """One of them; without a picture where none was drawn."""

    frame: int
    time_s: float
    picture_HW3: Picture | None


class KeyFrames(dict[Moment, KeyFrame]):
    """Chosen while frames pass: no more than one picture a moment is kept."""

    def __init__(self) -> None:
        super().__init__()
        self._closest_mm = np.inf

    def see(self, guidance: Guidance, picture_HW3: Picture | None = None, *, is_shown: bool = True) -> None:
        """Takes a frame.

        Args:
            guidance: of the frame.
            picture_HW3: what the display showed then, if anything was drawn.
            is_shown: the display showed guidance; where it had withdrawn it, nothing that guidance says is a moment.
        """
        this = KeyFrame(guidance.frame, guidance.time_s, picture_HW3)
        self[Moment.LAST] = this
        if not is_shown:
            return
        distances = (guidance.distances.tip_to_artery, guidance.distances.tip_to_vein)
        clearance = min((value for value in distances if value is not None), default=np.inf)
        if clearance < self._closest_mm:
            self._closest_mm = clearance
            self[Moment.CLOSEST] = this
        if guidance.injection.placed:
            self.setdefault(Moment.PLACED, this)
        if guidance.injection.spread in (Spread.INTRA_ARTICULAR, Spread.EXTRA_ARTICULAR):
            self.setdefault(Moment.INJECTED, this)
