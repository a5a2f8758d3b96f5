"""Runs of `hipseg infer` that are killed at random moments, taken up again, and compared with an undisturbed one."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np

from hipseg.errors import HipsegError
from hipseg.evaluation.latency.recording import RATE_HZ
from hipseg.evaluation.soak.process import start_hipseg
from hipseg.io import session_folder as names
from hipseg.io.video_sink import FRAGMENT_S
from hipseg.io.writing import output_errors

_PATIENCE_S = 600
_LOG = "kills.log"


@dataclass(frozen=True)
class KillRequest:
    """So many kills.

    Attributes:
        recording: that is processed.
        out: folder for all runs.
        num_kills: wanted.
        model: name or file; None takes the released one.
        seed: of the moments.
    """

    recording: Path
    out: Path
    num_kills: int
    model: str | None = None
    seed: int = 0


def kill_and_resume(request: KillRequest) -> dict[str, Any]:
    """Kills, checks what was left each time, takes the run up to its end and compares.

    A run that comes to its end before its moment is begun anew in another folder, and is compared too.

    Returns:
        Counts of kills, of torn lines and of videos that lack more than their last fragment, and whether all runs that
        were completed came out as the undisturbed one.
    """
    rng = np.random.default_rng(request.seed)
    with output_errors(request.out):
        request.out.mkdir(parents=True, exist_ok=True)
    begin_s = time.monotonic()
    _finish(request, request.out / "undisturbed")
    whole_s = time.monotonic() - begin_s
    reference, folder, number = results_of(request.out / "undisturbed"), request.out / "run_000", 0
    torn = lacking = killed = 0
    identical: list[bool] = []
    while killed < request.num_kills:
        if _kill(request, folder, float(rng.uniform(0, whole_s))):
            killed += 1
            torn += torn_lines(folder)
            lacking += _lacks_pictures(folder)
            continue
        identical.append(results_of(folder) == reference)
        number += 1
        folder = request.out / f"run_{number:03d}"
    _finish(request, folder)
    identical.append(results_of(folder) == reference)
    return {
        "kills": killed,
        "torn_lines": torn,
        "videos_lacking_more_than_a_fragment": lacking,
        "completed_runs": len(identical),
        "identical": all(identical),
        "undisturbed_s": round(whole_s, 2),
    }


def results_of(out: Path) -> dict[str, Any]:
    """Everything a run found, without what it took: records, alerts, and the pictures' content."""
    lines = [json.loads(line) for line in (out / names.FRAMES).read_text().splitlines()]
    frames = [{key: value for key, value in line.items() if key != "latency_ms"} for line in lines]
    return {"frames": frames, "alerts": (out / names.ALERTS).read_text(), "pictures": _pictures(out)}


def torn_lines(out: Path) -> int:
    """Lines that are not whole, in the records that are there."""
    return sum(_torn(out / name) for name in (names.FRAMES, names.ALERTS) if (out / name).is_file())


def _torn(path: Path) -> int:
    content = path.read_bytes()
    torn = int(bool(content) and not content.endswith(b"\n"))
    for line in content.splitlines():
        try:
            json.loads(line)
        except ValueError:
            torn += 1
    return torn


def _lacks_pictures(out: Path) -> bool:
    """Of half a second, one frame more may be under way; a video without a first fragment cannot be opened."""
    lines = (out / names.FRAMES).read_bytes().count(b"\n") if (out / names.FRAMES).is_file() else 0
    may_lack = int(FRAGMENT_S * RATE_HZ) + 2
    return lines > may_lack and len(_pictures(out)) < lines - may_lack


def _pictures(out: Path) -> list[int]:
    """The sum of each picture's values."""
    with av.open(str(out / names.OVERLAY_VIDEO)) as video:
        return [int(frame.to_ndarray(format="rgb24").sum()) for frame in video.decode(video=0)]


def _kill(request: KillRequest, folder: Path, after_s: float) -> bool:
    """Starts or takes up a run and kills it; False when it had ended."""
    process = start_hipseg(_arguments(request, folder), request.out / _LOG)
    time.sleep(after_s)
    is_running = process.poll() is None
    process.kill()
    process.wait()
    return is_running


def _finish(request: KillRequest, folder: Path) -> None:
    """Lets a run come to its end."""
    process = start_hipseg(_arguments(request, folder), request.out / _LOG)
    if process.wait(_PATIENCE_S) != 0:
        raise HipsegError(f"a run ended with exit code {process.returncode}", where=request.out / _LOG)


def _arguments(request: KillRequest, folder: Path) -> list[str]:
    model = [] if request.model is None else ["--model", request.model]
    return ["infer", str(request.recording), "--out", str(folder), "--resume", "--region", "full", "--spacing", "0.1",
            *model]  # fmt: skip
