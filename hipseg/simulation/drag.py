"""Tissue that sticks to a moving needle: it goes along near the tip and springs back when the needle rests."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hipseg.simulation.surfaces import Array

DELAY_S = 0.12
"""Tissue near the tip follows as far as the needle goes in this time (no published value)."""
REBOUND_S = 0.3
FARTHEST_MM = 1.2


@dataclass(frozen=True, slots=True)
class Drag:
    """A displacement of the tissue, largest at a point of the needle and fading around it.

    Attributes:
        centre_uw: where it is largest, plane coordinates.
        direction_uw: unit vector of the needle's advance.
        amount_mm: signed displacement there; negative while the needle is drawn back.
        reach_mm: standard deviation of its fall-off.
    """

    centre_uw: tuple[float, float]
    direction_uw: tuple[float, float]
    amount_mm: float
    reach_mm: float = 3.0

    def at_rest(self, u: Array, w: Array) -> tuple[Array, Array]:
        """Where tissue that is now at u, w lies when nothing pulls at it."""
        squared = (u - np.float32(self.centre_uw[0])) ** 2 + (w - np.float32(self.centre_uw[1])) ** 2
        shift = np.float32(self.amount_mm) * np.exp(-squared / np.float32(2 * self.reach_mm**2))
        return u - shift * np.float32(self.direction_uw[0]), w - shift * np.float32(self.direction_uw[1])


def dragged_mm(length_mm: npt.NDArray[np.float64], tick_s: float) -> npt.NDArray[np.float64]:
    """How far the tissue follows a needle of a given length at each tick.

    A spring and a damper in parallel: the tissue is pulled along as the needle moves and creeps back with the time
    constant `REBOUND_S`.
    """
    moved_mm = np.diff(length_mm, prepend=length_mm[:1])
    keep = np.exp(-tick_s / REBOUND_S)
    share = min(DELAY_S / REBOUND_S, 1.0)
    amount_mm = np.zeros_like(length_mm)
    for tick in range(1, len(length_mm)):
        amount_mm[tick] = keep * amount_mm[tick - 1] + share * moved_mm[tick]
    return np.asarray(FARTHEST_MM * np.tanh(amount_mm / FARTHEST_MM))
