"""Procedures that were played, kept in files, so that a benchmark that is stopped goes on where it was.

`procedures/0012.json.gz` holds the truth of every frame of case 12 and, for each eye, the session's own records of
frames and alerts. What other code, models or settings have played is played again.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections.abc import Iterator
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import hipseg
from hipseg.evaluation.alerts.eyes import digest_of
from hipseg.evaluation.alerts.play import AlertJob, PlayedCase, play_case
from hipseg.io.writing import output_errors, write_atomically
from hipseg.simulation.script.files import scenario_folder

_ROOMS = ("anatomy.py", "frame.py", "guidance", "io/doppler.py", "runtime/grid.py", "simulation")
_PLAYERS = ("evaluation/alerts/play.py", "evaluation/alerts/eyes.py")


def kept_case(job: AlertJob, folder: Path, case: int) -> PlayedCase:
    """One procedure from its file; without one it is played, and its file is written.

    Args:
        job: what is played.
        folder: of the files, made when it is missing.
        case: its number.

    Raises:
        UsageError: no such scenario. ModelError: no such model.
        OutputError: the folder cannot be written.
    """
    path, stamp = folder / f"{case:04d}.json.gz", _stamp(job)
    record = _read(path)
    if record is None or record["stamp"] != stamp:
        record = {"stamp": stamp, **play_case(job, case)}
        with output_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
        write_atomically(path, gzip.compress(json.dumps(record).encode(), 4, mtime=0))
    return PlayedCase.of_record(record)


def _stamp(job: AlertJob) -> dict[str, Any]:
    eyes = {name: digest_of(name) for name in job.eyes}
    return {**asdict(job), "scenarios": list(job.scenarios), "eyes": eyes, "code": _digest_of_code()}


@cache
def _digest_of_code() -> str:
    """Of every line that has a say in what is played, models apart, which are named by their file's digest."""
    digest = hashlib.sha256()
    for path in _files_of_code():
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def _files_of_code() -> Iterator[Path]:
    package = Path(hipseg.__file__).parent
    for name in (*_ROOMS, *_PLAYERS):
        room = package / name
        yield from sorted(room.rglob("*.py")) if room.is_dir() else [room]
    yield from sorted(scenario_folder().glob("*.yaml"))


def _read(path: Path) -> dict[str, Any] | None:
    """A file's record; None without a whole one."""
    try:
        record = json.loads(gzip.decompress(path.read_bytes()))
    except (OSError, EOFError, ValueError, zlib.error):
        return None
    return record if isinstance(record, dict) and "stamp" in record else None
