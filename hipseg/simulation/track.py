"""A quantity over a clip's ticks that hands and machines change now and then and that holds in between."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Ticks = npt.NDArray[np.float64]


class Track:
    """Values at all ticks; each change lasts until the next one.

    Args:
        time_s: of the ticks.
        start: the value before any change.
    """

    def __init__(self, time_s: Ticks, start: float = 0.0) -> None:
        self.time_s = time_s
        self.values = np.full(len(time_s), float(start))
        self.last = float(start)

    def move(self, at_s: float, for_s: float, to: float) -> None:
        """Goes to another value, gently at both ends. Changes have to come in order."""
        self.values += (to - self.last) * ease(self._share(at_s, for_s))
        self.last = float(to)

    def visit(self, at_s: float, for_s: float, peak: float) -> None:
        """Goes out by `peak` and comes back."""
        self.values += peak * np.sin(np.pi * self._share(at_s, for_s))

    def hold(self, at_s: float, for_s: float, by: float, ramp_s: float = 0.4) -> None:
        """Rises by an amount, stays there, and falls back; the ramps lie within the time."""
        ramp_s = min(ramp_s, for_s / 3)
        self.values += by * (ease(self._share(at_s, ramp_s)) - ease(self._share(at_s + for_s - ramp_s, ramp_s)))

    def during(self, at_s: float, for_s: float) -> npt.NDArray[np.bool_]:
        """The ticks within a time."""
        return during(self.time_s, at_s, for_s)

    def at(self, time_s: float) -> float:
        """The value at a time."""
        return float(np.interp(time_s, self.time_s, self.values))

    def _share(self, at_s: float, for_s: float) -> Ticks:
        return np.clip((self.time_s - at_s) / max(for_s, 1e-6), 0, 1)


def ease(share: Ticks) -> Ticks:
    """From 0 to 1, half evenly and half with soft ends, as a hand moves."""
    eased: Ticks = 0.5 * share + 0.5 * share * share * (3 - 2 * share)
    return eased


def during(time_s: Ticks, at_s: float, for_s: float) -> npt.NDArray[np.bool_]:
    """The ticks within a time, its begin included."""
    within: npt.NDArray[np.bool_] = (time_s >= at_s - 1e-9) & (time_s < at_s + for_s - 1e-9)
    return within
