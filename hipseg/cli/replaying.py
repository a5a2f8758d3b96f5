"""What `hipseg replay` does: guidance once more over what it saw, with other settings."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hipseg import __version__
from hipseg.cli.replay_record import GuidanceInput, read_clip_facts, read_inputs
from hipseg.cli.settings import Settings, changed_settings, read_settings
from hipseg.cli.told_besides import ToldBesides, technical_alerts
from hipseg.display.report.page import write_report
from hipseg.display.report.story import SessionStory
from hipseg.errors import SourceError
from hipseg.guidance.clip import ClipGuidance
from hipseg.guidance.engine import Guidance
from hipseg.guidance.record import alert_records, frame_record
from hipseg.guidance.technical import by_urgency
from hipseg.io import JsonLinesSink, SessionFolder, read_json_lines, write_json
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
    recorded = read_json_lines(session / names.FRAMES)
    besides = ToldBesides(read_json_lines(session / names.ALERTS))
    folder = SessionFolder(out, request.overwrite)
    story, alerts = SessionStory(), Counter[str]()
    with JsonLinesSink(folder.file(names.FRAMES)) as frames, JsonLinesSink(folder.file(names.ALERTS)) as events:
        for guidance in _guided(read_inputs(session), ClipGuidance(settings.guidance, facts)):
            before = _recorded_line(recorded, guidance.frame, session)
            for line in (*besides.before(guidance.frame), *alert_records(guidance)):
                _write_alert(line, events, story, alerts)
            frame = _line_again(guidance, before, settings)
            frames.write(frame)
            story.see_record(frame)
            story.key_frames.see(guidance)
        for line in besides.rest():
            _write_alert(line, events, story, alerts)
    counts = {"alert_counts": dict(sorted(alerts.items())), "view_counts": dict(Counter(story.view))}
    now = {**record, **_origin(settings), **counts, "frame_count": story.frame_count}
    write_json(folder.file(names.SESSION), now)
    write_report(folder.file(names.REPORT), story, now)
    return Replayed(folder.path, story.frame_count, dict(record.get("alert_counts") or {}), now["alert_counts"])


def _write_alert(line: Mapping[str, Any], sink: JsonLinesSink, story: SessionStory, counts: Counter[str]) -> None:
    sink.write(line)
    story.see_alert(line)
    counts[line["id"]] += line["event"] == "raised"


def _line_again(guidance: Guidance, before: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    """A replay is no measurement of time and watches no source: what was said of those is kept."""
    alerts = by_urgency((*guidance.alerts, *technical_alerts(before, settings.guidance.alerts)))
    kept = {key: before[key] for key in ("latency_ms", "live") if key in before}
    return {**frame_record(dataclasses.replace(guidance, alerts=alerts)), **kept}


def _recorded_line(lines: Iterator[dict[str, Any]], frame: int, session: Path) -> dict[str, Any]:
    """A frame's own line. Frames whose masks a slow disk could not take are passed over."""
    for line in lines:
        if line.get("frame") == frame:
            return line
    raise SourceError(f"holds no record of frame {frame}", where=session / names.FRAMES)


def _guided(inputs: Iterable[GuidanceInput], clip: ClipGuidance) -> Iterator[Guidance]:
    for seen in inputs:
        yield clip.step(
            seen.segmentation, frame=seen.frame, time_s=seen.time_s, spacing=seen.spacing, region=seen.region,
            source_id=seen.source_id, echo=seen.echo, flow=seen.flow,
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
