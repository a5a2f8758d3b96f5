"""Taking up a run that was cut short: a clip that is complete stays, any other is done again from its first frame.

Tracking and alerts of a frame depend on all frames before it, so half a clip cannot be taken up in the middle and come
out the same.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hipseg.cli.session_record import COMPLETE, SessionRecord, Software
from hipseg.errors import UsageError
from hipseg.io import SourceInfo
from hipseg.io import session_folder as names

_SAME = (
    "hipseg_version", "model", "provider", "settings", "outputs", "source", "source_kind", "frame_rate_hz", "size",
    "region", "spacing_mm",
)  # fmt: skip
"""Entries of session.json that two runs with the same results share."""


def is_done(folder: Path, software: Software, info: SourceInfo) -> bool:
    """Whether a folder holds the complete results of this very run.

    Args:
        folder: for the results of one clip.
        software, info: of the run that is to be taken up.

    Raises:
        UsageError: it holds results of another source, model or settings; taking those up would mix the two.
    """
    earlier = _read(folder / names.SESSION)
    if earlier is None:
        return False
    now = json.loads(json.dumps(SessionRecord(software, info, {}).as_json(COMPLETE)))
    differing = [key for key in _SAME if earlier.get(key) != now[key]]
    if differing:
        raise UsageError(
            f"holds results of another run (other {', '.join(differing)})",
            where=folder,
            mend="choose another folder, or replace them with --overwrite",
        )
    return bool(earlier.get("state") == COMPLETE)


def _read(path: Path) -> dict[str, Any] | None:
    """An earlier session.json; None where there is none that can be read, as after a crash of the machine."""
    try:
        record = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) and "state" in record else None
