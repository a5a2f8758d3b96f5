"""One run of `hipseg benchmark soak`: the live run, then the kills, the page kept up to date all the while."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hipseg.errors import OutputError, SourceError
from hipseg.evaluation.latency.machine import machine
from hipseg.evaluation.latency.recording import write_recording
from hipseg.evaluation.soak.kills import KillRequest, KillTally, kill_and_resume
from hipseg.evaluation.soak.live import LiveSoakRequest, soak_live
from hipseg.evaluation.soak.page import soak_page
from hipseg.io import write_json
from hipseg.io.writing import output_errors
from hipseg.training.run_folder import versions

PAGE = "soak.html"
_LIVE, _KILLS = "live.json", "kills"
_RECORDING, _SIZE = "recording.mp4", (480, 640)


@dataclass(frozen=True)
class SoakRequest:
    """A soak.

    Attributes:
        live: the live run; its folder is the soak's.
        wants_live: it is to be done.
        num_kills: runs of a recording that are killed.
        resume: take up what is in the folder already: a live run that is complete, and kills that are done.
        command: as it was typed.
    """

    live: LiveSoakRequest
    wants_live: bool = True
    num_kills: int = 0
    resume: bool = False
    command: str = ""


def run_soak(request: SoakRequest) -> dict[str, Any]:
    """Runs it. The page and its JSON are written after every step: a soak that is stopped leaves what it found.

    Returns:
        The page's record.

    Raises:
        KeyboardInterrupt: someone stopped it; what was found so far is told on the page.
        OutputError: the folder cannot be written, or holds a soak that is not to be taken up.
        SourceError: what is to be taken up cannot be read.
    """
    out, live = request.live.out, request.live
    _prepare(request)
    record: dict[str, Any] = {
        "command": request.command,
        "machine": machine(),
        "live": None,
        "kills": None,
        "versions": versions(("numpy", "onnxruntime", "av")),
    }

    def keep(tally: KillTally | None = None) -> None:
        if tally is not None:
            record["kills"] = tally.figures()
        soak_page(record).write(out / PAGE, record)

    if request.wants_live:
        record["live"] = _read_live(out / _LIVE) or soak_live(live)
        write_json(out / _LIVE, record["live"])
        keep()
        if not record["live"]["is_complete"]:
            raise KeyboardInterrupt
    if request.num_kills:
        recording = write_recording(out / _RECORDING, *_SIZE)
        kill_and_resume(KillRequest(recording, out / _KILLS, request.num_kills, live.model, live.seed), keep)
    return record


def _prepare(request: SoakRequest) -> None:
    out = request.live.out
    is_there = (out / _LIVE).exists() or (out / _KILLS).exists()
    if is_there and not request.resume:
        raise OutputError("holds a soak already", where=out, mend="give --resume to take it up, or name another folder")
    with output_errors(out):
        out.mkdir(parents=True, exist_ok=True)


def _read_live(path: Path) -> dict[str, Any] | None:
    """The figures of a live run that was complete; one that was stopped is done anew."""
    if not path.is_file():
        return None
    try:
        figures = json.loads(path.read_bytes())
        return dict(figures) if figures["is_complete"] else None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SourceError("can't be read", where=path, mend="begin anew in another folder") from error
