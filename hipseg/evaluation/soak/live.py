"""A live run of hipseg for a long time, from a sender that goes wrong, watched from outside."""

from __future__ import annotations

import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hipseg.evaluation.latency.recording import demo_images
from hipseg.evaluation.latency.trend import trend_of
from hipseg.evaluation.soak.process import Sample, sample_of, start_hipseg
from hipseg.evaluation.soak.records import check_records
from hipseg.evaluation.soak.sender import UnreliableSender
from hipseg.io import session_folder as names
from hipseg.runtime.live.limits import LiveLimits

_LOOK_EVERY_S = 0.5
_STOPPED_EVERY = 60.0
_STOPPED_S = 0.5
_PATIENCE_S = 60.0
_WARM_UP_SHARE = 0.1
_LOG, _OUT = "hipseg.log", "session"


@dataclass(frozen=True)
class LiveSoakRequest:
    """One live soak.

    Attributes:
        out: folder for the run's results and what it said.
        model: name or file; None takes the released one.
        rate_hz: of the sender.
        duration_s: longest.
        num_frames: the run is ended when so many were recorded; None waits for the time.
        fault_every_s: seconds from fault to fault; None has none.
        seed: of the faults.
    """

    out: Path
    model: str | None = None
    rate_hz: float = 30.0
    duration_s: float = 60.0
    num_frames: int | None = None
    fault_every_s: float | None = 5.0
    seed: int = 0


def soak_live(request: LiveSoakRequest) -> dict[str, Any]:
    """Runs it.

    Returns:
        Faults that were thrown in, what the records say, and memory, handles and threads with their growth.

    Raises:
        OutputError: the folder cannot be written.
    """
    rng = np.random.default_rng(request.seed)
    with UnreliableSender(demo_images(), request.rate_hz, request.fault_every_s, rng) as sender:
        process = start_hipseg(_arguments(request, sender.port), request.out / _LOG)
        try:
            moments_s, samples, stopped = _watch(process, request, rng)
            exit_code = process.wait(_PATIENCE_S)
        finally:
            process.kill()
            process.wait()
    return {
        "exit_code": exit_code,
        "seconds": round(moments_s[-1], 1) if moments_s else 0.0,
        "rate_hz": request.rate_hz,
        "faults": {**dict(sorted(sender.faults.items())), "process_stopped": stopped},
        **check_records(request.out / _OUT, LiveLimits().stale_after_ms),
        **_resources(moments_s, samples),
    }


def _arguments(request: LiveSoakRequest, port: int) -> list[str]:
    model = [] if request.model is None else ["--model", request.model]
    return [
        "infer", f"igtl://127.0.0.1:{port}", "--out", str(request.out / _OUT), "--duration", str(request.duration_s),
        "--region", "full", "--overwrite", *model,
    ]  # fmt: skip


def _watch(
    process: subprocess.Popen[bytes], request: LiveSoakRequest, rng: np.random.Generator
) -> tuple[list[float], list[Sample], int]:
    """Looks at the process from its first frame to its end; now and then stops it, as a lid that is closed does."""
    begin_s, moments_s, samples, stopped = time.monotonic(), [], [], 0
    next_stop_s = begin_s + _STOPPED_EVERY * rng.uniform(0.5, 1.5)
    lines = _LineCount(request.out / _OUT / names.FRAMES)
    while process.poll() is None:
        time.sleep(_LOOK_EVERY_S)
        now_s = time.monotonic()
        sample, count = sample_of(process.pid), lines.now()
        if sample is not None and count:
            moments_s.append(now_s - begin_s)
            samples.append(sample)
        if request.fault_every_s is not None and now_s >= next_stop_s:
            process.send_signal(signal.SIGSTOP)
            time.sleep(_STOPPED_S)
            process.send_signal(signal.SIGCONT)
            stopped, next_stop_s = stopped + 1, now_s + _STOPPED_EVERY * rng.uniform(0.5, 1.5)
        if request.num_frames is not None and count >= request.num_frames:
            process.send_signal(signal.SIGINT)
            break
        if now_s - begin_s > request.duration_s + _PATIENCE_S:
            break
    return moments_s, samples, stopped


class _LineCount:
    """Counts the lines of a file that grows, reading each byte once."""

    def __init__(self, path: Path) -> None:
        self._path, self._position, self._count = path, 0, 0

    def now(self) -> int:
        if self._path.is_file():
            with self._path.open("rb") as file:
                file.seek(self._position)
                content = file.read()
            self._position += len(content)
            self._count += content.count(b"\n")
        return self._count


def _resources(moments_s: list[float], samples: list[Sample]) -> dict[str, Any]:
    """First and last figures, the highest, and the growth once the run has settled."""
    settled = int(len(samples) * _WARM_UP_SHARE)
    figures: dict[str, Any] = {}
    for name in Sample.__dataclass_fields__:
        values = np.array([getattr(sample, name) for sample in samples], np.float64)
        if not len(values):
            figures[name] = None
            continue
        growth = trend_of(np.array(moments_s[settled:]), values[settled:])
        figures[name] = {
            "first": round(float(values[settled]), 2),
            "last": round(float(values[-1]), 2),
            "highest": round(float(values.max()), 2),
            "growth": None if growth is None else growth.to_dict(),
        }
    return figures
