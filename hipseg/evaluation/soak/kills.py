"""Runs of `hipseg infer` that are killed at random moments, taken up again, and compared with an undisturbed one."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import av
import numpy as np

from hipseg.errors import HipsegError, SourceError
from hipseg.evaluation.latency.recording import RATE_HZ
from hipseg.evaluation.soak.process import start_hipseg
from hipseg.io import session_folder as names
from hipseg.io import write_json
from hipseg.io.video_sink import FRAGMENT_S
from hipseg.io.writing import output_errors

_PATIENCE_S = 600
_LOG, _TALLY, _UNDISTURBED = "kills.log", "kills.json", "undisturbed"


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


@dataclass
class KillTally:
    """What came of the kills so far.

    Attributes:
        undisturbed_s: that a run takes which nobody disturbs; None before there was one.
        kills: done.
        torn_lines: that they left.
        videos_lacking: more than their last fragment.
        identical: of every run that came to its end, whether it came out as the undisturbed one.
        is_complete: the last run has come to its end.
    """

    undisturbed_s: float | None = None
    kills: int = 0
    torn_lines: int = 0
    videos_lacking: int = 0
    identical: list[bool] = field(default_factory=list)
    is_complete: bool = False

    @classmethod
    def read(cls, path: Path) -> KillTally:
        """As `write` left it; a new one where there is none. Raises SourceError."""
        if not path.is_file():
            return cls()
        try:
            return cls(**json.loads(path.read_bytes()))
        except (OSError, ValueError, TypeError) as error:
            raise SourceError("can't be read", where=path, mend="begin anew in another folder") from error

    def write(self, path: Path) -> None:
        """Keeps it for a later `read`. Raises OutputError."""
        write_json(path, asdict(self))

    def figures(self) -> dict[str, Any]:
        """For the page."""
        return {
            "kills": self.kills,
            "torn_lines": self.torn_lines,
            "videos_lacking_more_than_a_fragment": self.videos_lacking,
            "completed_runs": len(self.identical),
            "identical": all(self.identical) if self.identical else None,
            "undisturbed_s": self.undisturbed_s,
            "is_complete": self.is_complete,
        }


def kill_and_resume(request: KillRequest, tell: Callable[[KillTally], None] = lambda _: None) -> KillTally:
    """Kills, checks what was left each time, takes the run up to its end and compares.

    A run that comes to its end before its moment is begun anew in another folder, and is compared too. What another
    call of the same request has done in the folder is taken up.

    Args:
        request: what is wanted.
        tell: hears what there is so far, again and again.

    Returns:
        Counts of kills, of torn lines and of videos that lack more than their last fragment, and whether all runs that
        were completed came out as the undisturbed one.

    Raises:
        OutputError: the folder cannot be written.
        SourceError: what was done before cannot be read.
        HipsegError: a run that nobody killed failed.
    """
    with output_errors(request.out):
        request.out.mkdir(parents=True, exist_ok=True)
    tally = KillTally.read(request.out / _TALLY)
    for _ in _steps(request, tally):
        tally.write(request.out / _TALLY)
        tell(tally)
    return tally


def _steps(request: KillRequest, tally: KillTally) -> Iterator[None]:
    """One run after the other: the undisturbed one, those that are killed, and the last one to its end."""
    if tally.undisturbed_s is None:
        tally.undisturbed_s = _undisturbed_s(request)
        yield
    reference = results_of(request.out / _UNDISTURBED)
    while tally.kills < request.num_kills:
        rng = np.random.default_rng([request.seed, tally.kills, len(tally.identical)])
        folder = _folder_of(request, tally)
        if _kill(request, folder, float(rng.uniform(0, tally.undisturbed_s))):
            tally.kills += 1
            tally.torn_lines += torn_lines(folder)
            tally.videos_lacking += _lacks_pictures(folder)
        else:
            tally.identical.append(results_of(folder) == reference)
        yield
    if not tally.is_complete:
        folder = _folder_of(request, tally)
        _finish(request, folder)
        tally.identical.append(results_of(folder) == reference)
        tally.is_complete = True
        yield


def _undisturbed_s(request: KillRequest) -> float:
    """Runs once, and says how long it took; what a run that was stopped left is done anew."""
    folder = request.out / _UNDISTURBED
    shutil.rmtree(folder, ignore_errors=True)
    begin_s = time.monotonic()
    _finish(request, folder)
    return round(time.monotonic() - begin_s, 2)


def _folder_of(request: KillRequest, tally: KillTally) -> Path:
    return request.out / f"run_{len(tally.identical):03d}"


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
    try:
        time.sleep(after_s)
        return process.poll() is None
    finally:
        process.kill()
        process.wait()


def _finish(request: KillRequest, folder: Path) -> None:
    """Lets a run come to its end."""
    process = start_hipseg(_arguments(request, folder), request.out / _LOG)
    try:
        exit_code = process.wait(_PATIENCE_S)
    finally:
        process.kill()
        process.wait()
    if exit_code != 0:
        raise HipsegError(f"a run ended with exit code {exit_code}", where=request.out / _LOG)


def _arguments(request: KillRequest, folder: Path) -> list[str]:
    model = [] if request.model is None else ["--model", request.model]
    return ["infer", str(request.recording), "--out", str(folder), "--resume", "--region", "full", "--spacing", "0.1",
            *model]  # fmt: skip
