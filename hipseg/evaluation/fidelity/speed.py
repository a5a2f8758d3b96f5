"""How fast the simulator is, and whether its memory stays flat."""

from __future__ import annotations

import resource
import sys
import time
from typing import Any

import cv2
import numpy as np

from hipseg.simulation import SimulationConfig, simulate_frame
from hipseg.simulation.workers import in_parallel

FRAME_PX = 512
_FACE_MM = 51.2
_WARM_UP = 4
FULL = SimulationConfig(
    aperture_mm=(_FACE_MM, _FACE_MM),
    depth_mm=(_FACE_MM, _FACE_MM),
    pixel_mm=(_FACE_MM / (FRAME_PX + 0.5),) * 2,
    curvilinear_share=0.0,
    needle_share=1.0,
    look_alike_share=1.0,
    furniture_share=1.0,
    contact_loss_share=1.0,
)
"""Frames of 512 x 512 pixels with everything in them that costs time."""


def measure_speed(num_frames: int, num_workers: int) -> dict[str, Any]:
    """Frames a second, each of a patient of its own, over processes; starting these is not counted.

    The time of the processor, in one process, says what an idle machine would do where this one is busy.
    """
    warm_up = _WARM_UP * num_workers
    frames = in_parallel(_render, range(warm_up + num_frames), num_workers)
    for _ in range(warm_up):
        next(frames)
    start = time.perf_counter()
    shapes = set(frames)
    seconds = time.perf_counter() - start
    return {
        "frames_per_second": round(num_frames / seconds, 2),
        "cpu_ms_per_frame": _cpu_ms_per_frame(max(num_frames // 4, 4)),
        "num_frames": num_frames,
        "num_workers": num_workers,
        "frame_px": [list(shape) for shape in sorted(shapes)],
    }


def _cpu_ms_per_frame(num_frames: int) -> float:
    cv2.setNumThreads(1)
    _render(0)
    start = time.process_time()
    for number in range(num_frames):
        _render(number)
    return round(1000 * (time.process_time() - start) / num_frames, 1)


def measure_memory(num_frames: int) -> dict[str, Any]:
    """Highest resident memory of this process after a tenth of the frames and after all of them, MiB."""
    cv2.setNumThreads(1)
    for number in range(num_frames // 10):
        _render(number)
    early = _peak_mib()
    for number in range(num_frames // 10, num_frames):
        _render(number)
    return {"num_frames": num_frames, "peak_after_a_tenth_mib": early, "peak_at_the_end_mib": _peak_mib()}


def _render(number: int) -> tuple[int, ...]:
    return simulate_frame(FULL, np.random.default_rng((99, number))).image_HW.shape


def _peak_mib() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (2**20 if sys.platform == "darwin" else 2**10), 1)
