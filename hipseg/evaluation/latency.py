"""How long each stage from a frame in memory to its overlay takes on this machine."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from hipseg import __version__
from hipseg.display.overlay import Overlay
from hipseg.frame import Frame, ScanRegion, Spacing
from hipseg.guidance.config import GuidanceConfig
from hipseg.guidance.engine import Guidance, GuidanceEngine
from hipseg.runtime.segmentation import Segmentation
from hipseg.runtime.session import Session
from hipseg.runtime.stream import Stage, Stream

NUM_WARM_UP = 10

_FRAME_RATE_HZ = 30.0
_SPACING = Spacing(0.1, 0.1, "simulation")
_SEED = 7
_MILLI = 1e3


@dataclass(frozen=True, slots=True)
class FrameWork:
    """A frame on its way to an overlay; what is not done yet is None."""

    frame: Frame
    segmentation: Segmentation | None = None
    guidance: Guidance | None = None
    overlay_HW3: npt.NDArray[np.uint8] | None = None


def measure_latency(
    model: str, *, height: int, width: int, num_frames: int, num_threads: int | None = None
) -> dict[str, Any]:
    """Runs inference, guidance and overlay over frames of moving speckle.

    Args:
        model: name on the shelf, or path of a model file.
        height, width: of the frames, pixels.
        num_frames: to measure, after `NUM_WARM_UP` that don't count.
        num_threads: of the model; None takes the physical cores.

    Returns:
        Milliseconds by stage (p50, p95, p99, max), frames a second, and how long the model took to load.
    """
    begin_s = time.perf_counter()
    session = Session(model, num_threads=num_threads)
    loaded_s = time.perf_counter()
    stages = _stages(session, ScanRegion(0, 0, width, height, "full"))
    for _ in Stream(stages).process(_speckle(height, width, NUM_WARM_UP)):
        pass
    stream = Stream(stages)
    for _ in stream.process(_speckle(height, width, num_frames)):
        pass
    latency_ms = {name: histogram.summary() for name, histogram in stream.latencies.items()}
    median_ms = latency_ms["total"]["p50"]
    session.close()
    return {
        "hipseg": __version__,
        "model": {"name": session.contract.name, "version": session.contract.model_version, "sha256": session.sha256},
        "provider": session.provider,
        "threads": session.num_threads,
        "size": {"height": height, "width": width},
        "num_frames": num_frames,
        "load_ms": round(_MILLI * (loaded_s - begin_s), 1),
        "latency_ms": latency_ms,
        "fps": round(_MILLI / median_ms, 1) if median_ms else None,
    }


def _stages(session: Session, region: ScanRegion) -> list[Stage[FrameWork]]:
    engine = GuidanceEngine(GuidanceConfig(view_check=False), view_thresholds=session.contract.view_thresholds)
    overlay = Overlay(region)

    def infer(work: FrameWork) -> FrameWork:
        return replace(work, segmentation=session.segment(work.frame.scan_HW))

    def guide(work: FrameWork) -> FrameWork:
        assert work.segmentation is not None
        frame = work.frame
        return replace(
            work,
            guidance=engine.step(
                work.segmentation, frame=frame.index, time_s=frame.time_s, spacing=frame.spacing, region=frame.region
            ),
        )

    def draw(work: FrameWork) -> FrameWork:
        assert work.segmentation is not None
        assert work.guidance is not None
        return replace(work, overlay_HW3=overlay.draw(work.frame, work.segmentation, work.guidance))

    return [Stage("inference", infer), Stage("guidance", guide), Stage("overlay", draw)]


def _speckle(height: int, width: int, num_frames: int) -> Iterator[FrameWork]:
    """Windows that wander over one large speckled image: new pixels every frame, made in no time."""
    margin = 64
    rng = np.random.default_rng(_SEED)
    noise = rng.rayleigh(40.0, (height + margin, width + margin)).astype(np.float32)
    image_HW = np.clip(cv2.GaussianBlur(noise, (0, 0), 1.2) * 1.5 - 20, 0, 255).astype(np.uint8)
    region = ScanRegion(0, 0, width, height, "full")
    for index in range(num_frames):
        y, x = index * 3 % margin, index * 5 % margin
        window_HW = np.ascontiguousarray(image_HW[y : y + height, x : x + width])
        yield FrameWork(Frame(window_HW, index, index / _FRAME_RATE_HZ, _SPACING, region, "speckle"))
