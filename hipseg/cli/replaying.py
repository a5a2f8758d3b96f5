"""What `hipseg replay` does: guidance once more over what it saw, with other settings."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hipseg import __version__
from hipseg.cli.replay_record import GuidanceInput, read_clip_facts, read_inputs
from hipseg.cli.settings import Settings, changed_settings, read_settings
from hipseg.display.report.page import write_report
from hipseg.display.report.story import SessionStory
from hipseg.errors import SourceError
from hipseg.guidance.clip import ClipGuidance
from hipseg.guidance.engine import Guidance
from hipseg.guidance.record import alert_records, frame_record
from hipseg.io import JsonLinesSink, SessionFolder, write_json
from hipseg.io import session_folder as names

_OUT = "replayed"


@dataclass(frozen=True, slots=True)
class ReplayRequest:
    """One call of `hipseg replay`.

    Attributes:
        session: folder that `hipseg infer --masks` wrote, of one clip or of several.
        out: folder for the results; None: `replayed` in the session's.
        config, assignments: settings that go before those of the session.
        overwrite: replace results that are there.
    """

    session: Path
    out: Path | None = None
    config: Path | None = None
    assignments: list[str] = field(default_factory=list)
    overwrite: bool = False

    @property
    def folder(self) -> Path:
        """For the results."""
        return self.session / _OUT if self.out is None else self.out


@dataclass(frozen=True, slots=True)
class Replayed:
    """What became of one clip: how often each alert was raised, in the session and now."""

    folder: Path
    frame_count: int
    before: dict[str, int]
    after: dict[str, int]


def run_replay(request: ReplayRequest) -> Iterator[Replayed]:
    """Replays a session, or every complete clip of a batch.

    Raises:
        SourceError: no session, none with masks, or a broken file.
        UsageError: settings that cannot be.
        OutputError: the results can't be written.
    """
    record = read_session(request.session)
    clips = record.get("clips")
    if not isinstance(clips, list):
        yield _replay_clip(request, request.session, request.folder, record)
        return
    done = [clip["name"] for clip in clips if isinstance(clip, dict) and clip.get("state") == "complete"]
    if not done:
        raise SourceError("holds no complete clip", where=request.session)
    for name in done:
        session = request.session / str(name)
        yield _replay_clip(request, session, request.folder / str(name), read_session(session))


def read_session(folder: Path) -> dict[str, Any]:
    """session.json of a folder. Raises SourceError."""
    path = folder / names.SESSION
    if not path.is_file():
        raise SourceError(
            "is not a session", where=folder, expected=names.SESSION, mend="name a folder of hipseg infer"
        )
    try:
        record = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise SourceError("can't be read", where=path, expected="JSON") from error
    if not isinstance(record, dict):
        raise SourceError(f"holds a JSON {type(record).__name__}", where=path, expected="a JSON object")
    return record


def _replay_clip(request: ReplayRequest, session: Path, out: Path, record: dict[str, Any]) -> Replayed:
    facts = read_clip_facts(session)
    settings = read_settings(request.config, [*_assignments(record), *request.assignments])
    latencies = _latencies(session / names.FRAMES)
    folder = SessionFolder(out, request.overwrite)
    story, alerts, views = SessionStory(), Counter[str](), Counter[str]()
    with JsonLinesSink(folder.file(names.FRAMES)) as frames, JsonLinesSink(folder.file(names.ALERTS)) as events:
        steps = _guided(read_inputs(session), ClipGuidance(settings.guidance, facts))
        for guidance, latency_ms in zip(steps, latencies, strict=False):
            for line in alert_records(guidance):
                events.write(line)
            frames.write({**frame_record(guidance), "latency_ms": latency_ms})
            story.see(guidance)
            views[guidance.view.state.value] += 1
            alerts.update(event.alert.id for event in guidance.events if event.event == "raised")
    counts = {"alert_counts": dict(sorted(alerts.items())), "view_counts": dict(views)}
    now = {**record, **_origin(settings), **counts, "frame_count": story.frame_count}
    write_json(folder.file(names.SESSION), now)
    write_report(folder.file(names.REPORT), story, now)
    return Replayed(folder.path, story.frame_count, dict(record.get("alert_counts") or {}), now["alert_counts"])


def _guided(inputs: Iterable[GuidanceInput], clip: ClipGuidance) -> Iterator[Guidance]:
    for seen in inputs:
        yield clip.step(
            seen.segmentation, frame=seen.frame, time_s=seen.time_s, spacing=seen.spacing, region=seen.region,
            echo=seen.echo, flow=seen.flow,
        )  # fmt: skip


def _assignments(record: dict[str, Any]) -> list[str]:
    """The session's own settings as KEY=VALUE."""
    settings = record.get("settings")
    return [f"{key}={json.dumps(value)}" for key, value in settings.items()] if isinstance(settings, dict) else []


def _origin(settings: Settings) -> dict[str, Any]:
    return {
        "hipseg_version": __version__,
        "settings": changed_settings(settings),
        "replayed": True,
        "state": "complete",
    }


def _latencies(path: Path) -> Iterator[Any]:
    """Of every recorded frame: a replay is no measurement of time, and keeps what was measured."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise SourceError(f"can't be read ({error.strerror})", where=path) from error
    for number, line in enumerate(lines, start=1):
        try:
            yield json.loads(line)["latency_ms"]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise SourceError(f"line {number} is no record of a frame", where=path) from error
