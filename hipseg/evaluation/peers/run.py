"""One run of `hipseg benchmark peers`."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import cv2
import onnx

from hipseg.evaluation.latency.chain import Chain
from hipseg.evaluation.latency.machine import machine, present_load
from hipseg.evaluation.latency.pairing import Work, interleaved_times, ratio_of, spread_of
from hipseg.evaluation.latency.recording import demo_images, recording_options
from hipseg.evaluation.peers.contestants import (
    AbsentError,
    Fast,
    Task,
    fix_sizes,
    monai_pytorch,
    openvino,
    plain_onnxruntime,
)
from hipseg.export.network_part import cut_out, find_network
from hipseg.frame import Frame, ImageHW
from hipseg.io import open_source
from hipseg.runtime.models import CHECKPOINT_FILE, MANIFEST_FILE
from hipseg.runtime.session import Session
from hipseg.runtime.stream import Stream
from hipseg.training.run_folder import versions

HIPSEG, FAST = "hipseg", "FAST"
_SPINNING_ENDS_S = 0.01
_NUM_IMAGES = 16
_PEERS: Mapping[str, Callable[[Task, ExitStack], Work]] = {
    "onnxruntime": plain_onnxruntime,
    "OpenVINO": openvino,
    "MONAI and PyTorch": monai_pytorch,
}


@dataclass(frozen=True)
class PeersRequest:
    """What is compared.

    Attributes:
        model: name or file.
        size: of the frames, width and height, pixels.
        num_frames: that each is timed on.
        num_threads: of each; None takes the physical cores.
        fast_python: Python of an environment with pyfast; None leaves FAST out.
        command: as it was typed.
    """

    model: str
    size: tuple[int, int] = (640, 480)
    num_frames: int = 100
    num_threads: int | None = None
    fast_python: Path | None = None
    command: str = ""


def benchmark_peers(request: PeersRequest, chain: Chain) -> dict[str, Any]:
    """Times all in turn, frame about frame.

    Returns:
        By kind of work ("segmentation": an image in memory to its labels; "whole chain": a file to hipseg's overlay,
        for FAST to its segmentation): times, and how many times as long as hipseg each takes, with intervals; and the
        reasons of those that could not take part.

    Raises:
        ModelError: the model cannot be used, or its network not be cut out.
    """
    before = machine()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hipseg-peers-")))
        session = stack.enter_context(Session(request.model, num_threads=request.num_threads))
        task = _task(session, folder, request)
        absent: dict[str, str] = {}
        work: dict[str, Work] = {HIPSEG: session.segment}
        for name, make in _PEERS.items():
            _try(work, absent, name, lambda make=make: make(task, stack))  # type: ignore[misc]
        whole: dict[str, Work] = {HIPSEG: _chain_of(session, task.pictures, chain)}
        fast: dict[str, Fast] = {}
        _try(fast, absent, FAST, lambda: Fast(task, stack))
        if FAST in fast:
            work[FAST], whole[FAST] = fast[FAST].from_memory, fast[FAST].from_file
        figures = {
            "segmentation": _compare(work, task.images, request.num_frames),
            "whole chain": _compare(whole, task.images, request.num_frames),
        }
    return {
        "command": request.command,
        "machine": {**before, "load_after": present_load()},
        "model": {"name": session.contract.name, "sha256": session.sha256},
        "size": {"height": request.size[1], "width": request.size[0]},
        "threads": session.num_threads,
        "num_frames": request.num_frames,
        "comparisons": figures,
        "absent": absent,
        "versions": versions(("onnxruntime", "openvino", "torch", "monai", "numpy")),
    }


def _try(found: dict[str, Any], absent: dict[str, str], name: str, make: Callable[[], Any]) -> None:
    try:
        found[name] = make()
    except AbsentError as error:
        absent[name] = str(error)


def _task(session: Session, folder: Path, request: PeersRequest) -> Task:
    """Writes frames and network, the same for all."""
    pictures = folder / "frames"
    pictures.mkdir()
    images = [cv2.resize(image_HW, request.size).astype("uint8") for image_HW in demo_images()[-_NUM_IMAGES:]]
    for position, image_HW in enumerate(images):
        cv2.imwrite(str(pictures / f"{position:03d}.png"), image_HW)
    model = onnx.load(session.path)
    size = session.contract.grid_size
    onnx.save(fix_sizes(cut_out(model, find_network(model, str(session.path)), size)), folder / "network.onnx")
    checkpoint = session.path.with_name(CHECKPOINT_FILE)
    return Task(
        network=folder / "network.onnx",
        grid_size=size,
        num_threads=session.num_threads,
        pictures=pictures,
        images=images,
        checkpoint=checkpoint if checkpoint.is_file() else None,
        training=_training_config(session.path.with_name(MANIFEST_FILE)),
        fast_python=request.fast_python,
    )


def _training_config(manifest: Path) -> dict[str, Any]:
    try:
        found = json.loads(manifest.read_bytes())["training_config"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return found if isinstance(found, dict) else {}


def _chain_of(session: Session, pictures: Path, chain: Chain) -> Work:
    """hipseg from a file to the overlay; the frames come in the order of their files."""
    source = open_source(str(pictures), recording_options(rate_hz=30.0))
    source.close()
    stream = Stream(chain.stages(session, source.info))
    frames = _endless(pictures)
    return lambda _: stream.step(chain.work_of(next(frames)))


def _endless(pictures: Path) -> Iterator[Frame]:
    for _ in count():
        source = open_source(str(pictures), recording_options(rate_hz=30.0))
        yield from source.frames()
        source.close()


def _compare(work: Mapping[str, Work], images: list[ImageHW], num_frames: int) -> dict[str, Any]:
    times_ms = interleaved_times(work, images, num_frames=num_frames, pause_s=_SPINNING_ENDS_S)
    return {
        name: {
            "latency_ms": spread_of(times),
            "fps": round(1e3 / float(spread_of(times)["p50"]), 2),
            "time_over_hipseg": ratio_of(times, times_ms[HIPSEG]).to_list(),
        }
        for name, times in times_ms.items()
    }
