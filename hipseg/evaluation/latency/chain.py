"""The whole way of a frame, from the file to the overlay in memory, stage by stage."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from hipseg.evaluation.latency.pairing import spread_of
from hipseg.evaluation.latency.recording import recording_options
from hipseg.frame import Frame
from hipseg.io import SourceInfo, open_source
from hipseg.runtime.session import Session
from hipseg.runtime.stream import TOTAL, ReadAhead, Stage, Stream

NUM_WARM_UP = 10
SOURCE, NETWORK = "source", "inference"
_MILLI = 1e3


@dataclass(frozen=True, slots=True)
class Chain:
    """The stages that are measured: those that a run of hipseg uses, handed down by who builds them there.

    Attributes:
        stages: for a session and a source; new ones for every clip, since they follow the needle.
        work_of: a frame as the first stage takes it.
    """

    stages: Callable[[Session, SourceInfo], Sequence[Stage[Any]]]
    work_of: Callable[[Frame], Any]


def endless_frames(recording: Path) -> Iterator[tuple[Frame, float]]:
    """The frames of a recording again and again, with the milliseconds that reading each took."""
    while True:
        source = open_source(str(recording), recording_options())
        try:
            frames = source.frames()
            begin_s = time.perf_counter()
            while (frame := next(frames, None)) is not None:
                yield frame, _MILLI * (time.perf_counter() - begin_s)
                begin_s = time.perf_counter()
        finally:
            source.close()


def measure_chain(session: Session, recording: Path, chain: Chain, num_frames: int) -> dict[str, Any]:
    """Times every stage of one frame after the other, then how many frames a second the chain passes.

    Args:
        session: loaded.
        recording: file that is decoded on the way.
        chain: the stages.
        num_frames: of each measurement, after `NUM_WARM_UP` that do not count.

    Returns:
        Milliseconds by stage with `source` for reading and decoding, from the file to the overlay, and of all but the
        network; frames a second with the next frame read ahead, and the standard deviation of their distances.
    """
    info = _info(recording)
    session.warm_up(info.height, info.width)
    stages = chain.stages(session, info)
    for frame, _ in islice(endless_frames(recording), NUM_WARM_UP):
        Stream(stages).step(chain.work_of(frame))
    rows = [
        {SOURCE: read_ms, **Stream(stages).step(chain.work_of(frame)).latency_ms}
        for frame, read_ms in islice(endless_frames(recording), num_frames)
    ]
    columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    return {
        "height": info.height,
        "width": info.width,
        "latency_ms": {name: spread_of(values) for name, values in columns.items()},
        "file_to_overlay_ms": spread_of(columns[SOURCE] + columns[TOTAL]),
        "all_but_network_ms": spread_of(columns[SOURCE] + columns[TOTAL] - columns[NETWORK]),
        **_throughput(session, recording, chain, num_frames),
    }


def _info(recording: Path) -> SourceInfo:
    source = open_source(str(recording), recording_options())
    source.close()
    return source.info


def _throughput(session: Session, recording: Path, chain: Chain, num_frames: int) -> dict[str, Any]:
    """As `hipseg infer` works: the next frames are read while one is processed."""
    stream = Stream(chain.stages(session, _info(recording)))
    works = (chain.work_of(frame) for frame, _ in islice(endless_frames(recording), NUM_WARM_UP + num_frames))
    with ReadAhead(works) as feed:
        moments_s = [time.perf_counter() for _ in stream.process(feed)]
    distances_ms = _MILLI * np.diff(moments_s[NUM_WARM_UP - 1 :])
    return {"fps": round(_MILLI / float(distances_ms.mean()), 2), "jitter_ms": round(float(distances_ms.std()), 3)}
