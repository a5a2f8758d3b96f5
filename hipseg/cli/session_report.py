"""report.html of a session, from what it recorded: nothing has to be kept in memory while it goes on for hours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hipseg.display.report.key_frames import KeyFrames
from hipseg.display.report.page import write_report
from hipseg.display.report.story import SessionStory
from hipseg.io import SessionFolder, read_json_lines
from hipseg.io import session_folder as names


def report_session(folder: SessionFolder, record: Mapping[str, Any], key_frames: KeyFrames) -> None:
    """Writes the page of a session whose records are written.

    Args:
        folder: with its frames.jsonl and alerts.jsonl.
        record: content of its session.json.
        key_frames: chosen while it went on.

    Raises:
        OutputError: the page cannot be written.
        SourceError: the records cannot be read.
    """
    frames, alerts = (read_json_lines(folder.file(name)) for name in (names.FRAMES, names.ALERTS))
    write_report(folder.file(names.REPORT), SessionStory.of_records(frames, alerts, key_frames), record)
