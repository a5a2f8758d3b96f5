"""Latencies of any number of frames in a fixed amount of memory."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

SHORTEST_MS, LONGEST_MS = 1e-3, 1e7
_MILLI = 1e3
RESOLUTION = 0.01
"""Relative width of a bucket: percentiles are exact to half of it."""


class LatencyHistogram:
    """Counts in buckets whose width grows with the latency (16 kB, whatever the number of frames).

    Attributes:
        count: latencies so far.
    """

    def __init__(self) -> None:
        self.count = 0
        self._longest_ms = 0.0
        self._counts = np.zeros(_bucket(LONGEST_MS) + 1, np.int64)

    def add(self, latency_ms: float) -> None:
        """Takes one latency in milliseconds; those shorter than a microsecond count as one."""
        self._counts[_bucket(latency_ms)] += 1
        self._longest_ms = max(self._longest_ms, latency_ms)
        self.count += 1

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Takes the time of the block, if it comes to its end."""
        begin_s = time.perf_counter()
        yield
        self.add(_MILLI * (time.perf_counter() - begin_s))

    def percentile(self, percent: float) -> float | None:
        """The latency in milliseconds below which `percent` of all lie, to 0.5 %; None before the first."""
        if not self.count:
            return None
        rank = max(1, math.ceil(self.count * percent / 100))
        bucket = int(np.searchsorted(np.cumsum(self._counts), rank))
        middle_ms: float = SHORTEST_MS * (1 + RESOLUTION) ** (bucket + 0.5)
        return min(middle_ms, self._longest_ms)

    def summary(self) -> dict[str, float | None]:
        """p50, p95, p99 and max in milliseconds, to the microsecond; None before the first latency."""
        figures = {f"p{percent}": self.percentile(percent) for percent in (50, 95, 99)}
        figures["max"] = self._longest_ms if self.count else None
        return {name: None if value is None else round(value, 3) for name, value in figures.items()}


def _bucket(latency_ms: float) -> int:
    clipped_ms = min(max(latency_ms, SHORTEST_MS), LONGEST_MS)
    return int(math.log(clipped_ms / SHORTEST_MS) / math.log1p(RESOLUTION))
