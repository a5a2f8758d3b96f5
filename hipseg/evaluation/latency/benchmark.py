"""One run of `hipseg benchmark latency`."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from hipseg import __version__
from hipseg.errors import HipsegError, ModelError
from hipseg.evaluation.latency.chain import Chain, endless_frames, measure_chain
from hipseg.evaluation.latency.live import measure_live
from hipseg.evaluation.latency.machine import machine, present_load
from hipseg.evaluation.latency.pairing import interleaved_times, spread_of
from hipseg.evaluation.latency.recording import write_recording
from hipseg.evaluation.latency.roof import measure_roof
from hipseg.evaluation.latency.sharing import measure_sharing
from hipseg.evaluation.latency.start import cold_start
from hipseg.frame import ImageHW
from hipseg.runtime.models import DEFAULT_MODEL, list_models
from hipseg.runtime.providers import CPU
from hipseg.runtime.session import Session
from hipseg.runtime.threads import checked_num_threads
from hipseg.training.run_folder import versions

ALL_SIZES = ((640, 480), (800, 600), (1024, 768), (1280, 720), (1920, 1080))
RATES_HZ = (15.0, 30.0, 60.0)
_NUM_IMAGES = 8
_FEWER = 4
"""The roof's rounds and the sweep's frames: each is a fourth of the frames of the chain."""


@dataclass(frozen=True)
class LatencyRequest:
    """What is to be measured.

    Attributes:
        models: names or files; empty takes the released one, `all_models` those of the shelf.
        sizes: of frames, width and height, pixels; stage by stage. All else is measured at the first.
        num_frames: of each measurement.
        rates_hz: of live sources; `live_s` seconds of each.
        num_threads, provider: of the models.
        slow_network_ms: the live network is made to take so long.
        command: as it was typed.
    """

    models: Sequence[str] = ()
    all_models: bool = False
    sizes: Sequence[tuple[int, int]] = ((640, 480),)
    num_frames: int = 200
    rates_hz: Sequence[float] = RATES_HZ
    live_s: float = 4.0
    num_threads: int | None = None
    provider: str = CPU
    slow_network_ms: float | None = None
    command: str = ""


def benchmark_latency(request: LatencyRequest, chain: Chain) -> dict[str, Any]:
    """Measures everything, model by model.

    Args:
        request: what.
        chain: the stages of a run.

    Returns:
        The record: `models` with all figures, and the first model's at the first size in `model`, `size`,
        `latency_ms` and `fps`.

    Raises:
        ModelError, UsageError: a model that was named cannot be used.
    """
    before = machine()
    names = [model.name for model in list_models()] if request.all_models else request.models or [DEFAULT_MODEL]
    with tempfile.TemporaryDirectory(prefix="hipseg-latency-") as temporary:
        recordings = [
            write_recording(Path(temporary) / f"{width}x{height}.mp4", height, width) for width, height in request.sizes
        ]
        models = [_measure_or_tell(name, recordings, request, chain) for name in names]
    first = next((each for each in models if "sizes" in each), None)
    return {
        "hipseg": __version__,
        "command": request.command,
        "machine": {**before, "load_after": present_load()},
        "threads": checked_num_threads(request.num_threads),
        "provider": request.provider,
        "num_frames": request.num_frames,
        **(_headline(first) if first is not None else {}),
        "models": models,
        "versions": versions(("numpy", "onnxruntime", "opencv-python-headless", "av")),
    }


def _headline(first: dict[str, Any]) -> dict[str, Any]:
    size = first["sizes"][0]
    return {
        "model": {key: first[key] for key in ("name", "version", "sha256")},
        "size": {"height": size["height"], "width": size["width"]},
        "latency_ms": size["latency_ms"],
        "fps": size["fps"],
    }


def _measure_or_tell(name: str, recordings: Sequence[Path], request: LatencyRequest, chain: Chain) -> dict[str, Any]:
    """Of several models a broken one does not stop the others."""
    try:
        return _measure(name, recordings, request, chain)
    except HipsegError as error:
        if not request.all_models:
            raise
        return {"name": name, "fault": str(error)}


def _measure(name: str, recordings: Sequence[Path], request: LatencyRequest, chain: Chain) -> dict[str, Any]:
    first, (width, height) = recordings[0], request.sizes[0]
    images = [frame.image_HW for frame, _ in islice(endless_frames(first), _NUM_IMAGES)]
    with Session(name, num_threads=request.num_threads, provider=request.provider) as session:
        figures = {
            "name": session.contract.name,
            "version": session.contract.model_version,
            "sha256": session.sha256,
            "start": cold_start(session.path, height, width, session.num_threads),
            "sizes": [measure_chain(session, each, chain, request.num_frames) for each in recordings],
            "live": [
                measure_live(
                    session, first, chain, rate_hz=rate_hz, duration_s=request.live_s,
                    network_ms=request.slow_network_ms,
                )
                for rate_hz in request.rates_hz
            ],
            "roof": _roof_or_fault(session, height, width, max(request.num_frames // _FEWER, 5)),
            "threads": _sweep(session, images, request),
        }  # fmt: skip
        figures["sharing"] = measure_sharing(
            session.path, images[0], num_threads=session.num_threads, duration_s=max(request.live_s / _FEWER, 0.2)
        )
    return figures


def _roof_or_fault(session: Session, height: int, width: int, num_rounds: int) -> dict[str, Any]:
    """A model without weights has no network that could use the machine."""
    try:
        return measure_roof(session, height, width, num_rounds)
    except ModelError as error:
        return {"fault": error.what}


def _sweep(session: Session, images: Sequence[ImageHW], request: LatencyRequest) -> list[dict[str, Any]]:
    """Model times by the number of threads, in turn: up to one more than there are cores."""
    counts = range(1, checked_num_threads(None) + 2)
    sessions = {str(count): Session(session.path, num_threads=count, provider=request.provider) for count in counts}
    work = {count: each.segment for count, each in sessions.items()}
    times_ms = interleaved_times(work, images, num_frames=max(request.num_frames // _FEWER, 5))
    for each in sessions.values():
        each.close()
    return [{"threads": int(count), "latency_ms": spread_of(times)} for count, times in times_ms.items()]
