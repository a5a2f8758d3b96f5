"""Latencies of several models in one run, frame about frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from hipseg.evaluation.latency.pairing import interleaved_times, spread_of
from hipseg.frame import ImageHW
from hipseg.runtime.session import Session


def model_latencies(
    models: Mapping[str, Path], images: Sequence[ImageHW], *, num_frames: int, num_threads: int | None
) -> dict[str, dict[str, Any]]:
    """Milliseconds from an image in memory to its segmentation: p50, p95, p99 and max by model.

    Args:
        models: files by name.
        images: shown in turn, the same to all.
        num_frames: of each model.
        num_threads: of each model; None takes the physical cores.

    Raises:
        ModelError: one cannot be loaded.
    """
    with ExitStack() as stack:
        sessions = {name: stack.enter_context(Session(path, num_threads=num_threads)) for name, path in models.items()}
        work = {name: session.segment for name, session in sessions.items()}
        times_ms = interleaved_times(work, images, num_frames=num_frames)
    return {name: spread_of(times) for name, times in times_ms.items()}
