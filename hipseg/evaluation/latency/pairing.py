"""Several ways to do the same work, timed frame about frame: whatever else the machine does hits all alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hipseg.evaluation.bootstrap import LEVEL
from hipseg.frame import ImageHW

NUM_WARM_UP = 3
_MILLI = 1e3
_BLOCK_FRAMES = 5
"""Neighbours in time share the machine's load: they are drawn together."""
_NUM_RESAMPLES = 2000
_SEED = 7

Floats = npt.NDArray[np.float64]
Work = Callable[[ImageHW], object]


@dataclass(frozen=True, slots=True)
class Ratio:
    """How much longer one takes than another.

    Attributes:
        value: of the medians; 2 means twice as long.
        low, high: its 95 % interval, blocks of neighbouring frames resampled.
    """

    value: float
    low: float
    high: float

    def inverted(self) -> Ratio:
        """The other way round: how much faster."""
        return Ratio(1 / self.value, 1 / self.high, 1 / self.low)

    def to_list(self) -> list[float]:
        """Value, low, high, for JSON."""
        return [round(each, 4) for each in (self.value, self.low, self.high)]

    def __str__(self) -> str:
        return f"{self.value:.2f} [{self.low:.2f}, {self.high:.2f}]"


def interleaved_times(
    contestants: Mapping[str, Work],
    images: Sequence[ImageHW],
    *,
    num_frames: int,
    pause_s: float = 0.0,
) -> dict[str, Floats]:
    """Milliseconds of each contestant on each frame, [num_frames], in an order drawn anew for every frame.

    Args:
        contestants: what is done with an image, by name.
        images: shown in turn, the same to all.
        num_frames: to each, after `NUM_WARM_UP` that do not count.
        pause_s: before each, for threads of the one before that go on spinning.
    """
    times_ms = {name: np.zeros(num_frames) for name in contestants}
    order, rng = list(contestants), np.random.default_rng(_SEED)
    for frame in range(-NUM_WARM_UP, num_frames):
        image_HW = images[frame % len(images)]
        for position in rng.permutation(len(order)):
            name = order[position]
            time.sleep(pause_s)
            begin_s = time.perf_counter()
            contestants[name](image_HW)
            if frame >= 0:
                times_ms[name][frame] = _MILLI * (time.perf_counter() - begin_s)
    return times_ms


def ratio_of(times_ms: Floats, reference_ms: Floats) -> Ratio:
    """The ratio of two medians with its interval.

    Args:
        times_ms, reference_ms: of the same frames, measured in turn.
    """
    num_frames = len(times_ms)
    num_blocks = max(num_frames // _BLOCK_FRAMES, 1)
    rng = np.random.default_rng(_SEED)
    starts = rng.integers(0, max(num_frames - _BLOCK_FRAMES, 0) + 1, (_NUM_RESAMPLES, num_blocks, 1))
    drawn = np.minimum(starts + np.arange(_BLOCK_FRAMES), num_frames - 1).reshape(_NUM_RESAMPLES, -1)
    replicates = np.median(times_ms[drawn], axis=1) / np.median(reference_ms[drawn], axis=1)
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(replicates, [tail, 1 - tail])
    return Ratio(float(np.median(times_ms) / np.median(reference_ms)), float(low), float(high))


def spread_of(times_ms: Floats) -> dict[str, Any]:
    """Median, 95th and 99th percentile, longest, in milliseconds."""
    p50, p95, p99 = np.percentile(times_ms, [50, 95, 99])
    figures = {"p50": p50, "p95": p95, "p99": p99, "max": times_ms.max()}
    return {name: round(float(value), 3) for name, value in figures.items()}
