"""Latencies of several models in one run, frame about frame, so that whatever else the machine does hits all alike."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from hipseg.frame import ImageHW
from hipseg.runtime.latency import LatencyHistogram
from hipseg.runtime.session import Session

NUM_WARM_UP = 3
_MILLI = 1e3


def interleaved_latencies(
    models: Mapping[str, Path], images: Sequence[ImageHW], *, num_frames: int, num_threads: int | None
) -> dict[str, dict[str, float | None]]:
    """Milliseconds from an image in memory to its segmentation: p50, p95, p99 and max by model.

    Args:
        models: files by name.
        images: shown in turn, the same to all.
        num_frames: a model, after `NUM_WARM_UP` that do not count.
        num_threads: of each model; None takes the physical cores.

    Raises:
        ModelError: one cannot be loaded.
    """
    sessions = {name: Session(path, num_threads=num_threads) for name, path in models.items()}
    histograms = {name: LatencyHistogram() for name in models}
    order, rng = list(models), np.random.default_rng(0)
    try:
        for frame in range(-NUM_WARM_UP, num_frames):
            image_HW = images[frame % len(images)]
            for name in rng.permutation(order):  # no model always follows the same other one
                begin_s = time.perf_counter()
                sessions[name].segment(image_HW)
                if frame >= 0:
                    histograms[name].add(_MILLI * (time.perf_counter() - begin_s))
    finally:
        for session in sessions.values():
            session.close()
    return {name: histogram.summary() for name, histogram in histograms.items()}
