"""A live run of hipseg for a long time, from a sender that goes wrong, watched from outside."""

from __future__ import annotations

import signal
import subprocess
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from hipseg.evaluation.latency.recording import demo_images
from hipseg.evaluation.latency.trend import course_of, trend_of
from hipseg.evaluation.soak.process import Sample, sample_of, start_hipseg
from hipseg.evaluation.soak.records import check_records
from hipseg.evaluation.soak.sender import UnreliableSender
from hipseg.io import JsonLinesSink
from hipseg.io import session_folder as names
from hipseg.runtime.live.limits import LiveLimits

_LOOK_EVERY_S = 0.5
_STOPPED_EVERY = 60.0
_STOPPED_S = 0.5
_PATIENCE_S = 60.0
_WARM_UP_SHARE = 0.1
_LOG, _OUT, _SAMPLES = "hipseg.log", "session", "samples.jsonl"


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
    """Runs it. Ctrl-C ends the run, not the account of it.

    Returns:
        Faults that were thrown in, what the records say, and memory, handles and threads with their growth; with
        `is_complete`, whether it went on for as long as was asked.

    Raises:
        OutputError: the folder cannot be written.
    """
    rng = np.random.default_rng(request.seed)
    watched = _Watched()
    with UnreliableSender(demo_images(), request.rate_hz, request.fault_every_s, rng) as sender:
        process = start_hipseg(_arguments(request, sender.port), request.out / _LOG)
        try:
            _watch(process, request, rng, watched)
        except KeyboardInterrupt:
            process.send_signal(signal.SIGINT)
            watched.was_stopped = True
        exit_code = _ended(process)
    return {
        "exit_code": exit_code,
        "is_complete": not watched.was_stopped,
        "seconds": round(watched.moments_s[-1], 1) if watched.moments_s else 0.0,
        "rate_hz": request.rate_hz,
        "faults": {**dict(sorted(sender.faults.items())), "process_stopped": watched.num_stops},
        **check_records(request.out / _OUT, LiveLimits().stale_after_ms),
        **_resources(watched.moments_s, watched.samples),
    }


@dataclass
class _Watched:
    """What was seen of the process: samples with their moments, how often it was stopped for a while."""

    moments_s: list[float] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    num_stops: int = 0
    was_stopped: bool = False


def _ended(process: subprocess.Popen[bytes]) -> int | None:
    """Its exit code; None of one that had to be killed."""
    try:
        return process.wait(_PATIENCE_S)
    except subprocess.TimeoutExpired:
        return None
    finally:
        process.kill()
        process.wait()


def _arguments(request: LiveSoakRequest, port: int) -> list[str]:
    model = [] if request.model is None else ["--model", request.model]
    return [
        "infer", f"igtl://127.0.0.1:{port}", "--out", str(request.out / _OUT), "--duration", str(request.duration_s),
        "--region", "full", "--overwrite", *model,
    ]  # fmt: skip


def _watch(
    process: subprocess.Popen[bytes], request: LiveSoakRequest, rng: np.random.Generator, watched: _Watched
) -> None:
    """Looks at the process from its first frame to its end; now and then stops it, as a lid that is closed does.

    What is seen is written down at once: a soak that is killed itself leaves it.
    """
    begin_s = time.monotonic()
    next_stop_s = begin_s + _STOPPED_EVERY * rng.uniform(0.5, 1.5)
    lines = _LineCount(request.out / _OUT / names.FRAMES)
    with JsonLinesSink(request.out / _SAMPLES) as sink:
        while process.poll() is None:
            time.sleep(_LOOK_EVERY_S)
            now_s = time.monotonic()
            sample, count = sample_of(process.pid), lines.now()
            if sample is not None and count:
                watched.moments_s.append(now_s - begin_s)
                watched.samples.append(sample)
                sink.write({"time_s": round(now_s - begin_s, 2), "lines": count, **asdict(sample)})
            if request.fault_every_s is not None and now_s >= next_stop_s:
                _stop_for_a_while(process)
                watched.num_stops += 1
                next_stop_s = now_s + _STOPPED_EVERY * rng.uniform(0.5, 1.5)
            if request.num_frames is not None and count >= request.num_frames:
                process.send_signal(signal.SIGINT)
                break
            if now_s - begin_s > request.duration_s + _PATIENCE_S:
                break


def _stop_for_a_while(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGSTOP)
    try:
        time.sleep(_STOPPED_S)
    finally:
        process.send_signal(signal.SIGCONT)


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
    """Medians of the first and the last tenth once the run has settled, the highest, the growth, and the course."""
    times_s = np.array(moments_s, np.float64)
    settled = int(len(samples) * _WARM_UP_SHARE)
    figures: dict[str, Any] = {}
    for name in Sample.__dataclass_fields__:
        values = np.array([getattr(sample, name) for sample in samples], np.float64)
        if not len(values):
            figures[name] = None
            continue
        growth = trend_of(times_s[settled:], values[settled:])
        tenth = max(len(values) // 10, 1)
        figures[name] = {
            "first": round(float(np.median(values[settled : settled + tenth])), 2),
            "last": round(float(np.median(values[-tenth:])), 2),
            "highest": round(float(values.max()), 2),
            "growth": None if growth is None else growth.to_dict(),
            "course": course_of(times_s, values),
        }
    return figures
