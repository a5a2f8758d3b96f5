"""Everything that a live run gives away: display, OpenIGTLink, records. None of it holds up the next frame."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from hipseg.cli.clip_files import ClipFiles, record_of
from hipseg.cli.igtl_output import frame_messages, state_messages
from hipseg.cli.pipeline import FrameWork
from hipseg.cli.progress import FrameProgress
from hipseg.cli.replay_record import ReplaySink
from hipseg.cli.request import InferenceRequest
from hipseg.display.live_board import LiveBoard
from hipseg.display.report.key_frames import KeyFrames
from hipseg.display.web.server import LiveServer
from hipseg.guidance.alerts import ActiveAlert, AlertEvent
from hipseg.guidance.clip import ClipFacts
from hipseg.guidance.record import alert_record, alert_records
from hipseg.io import SessionFolder, SourceInfo
from hipseg.io.igtl.server import IgtlServer
from hipseg.runtime.live.feed import LiveFrame
from hipseg.runtime.live.recorder import Recorder


class LiveOutputs:
    """Opens what is wanted. Ports come before the folder: a run that can't begin leaves nothing behind.

    Args:
        request: what is wanted.
        info: of the source.

    Attributes:
        folder: with the results, None when nothing is recorded.
        recorder: writes them.
        key_frames: for the report.
        wants_pictures: overlays are to be drawn.
        has_live_view: someone may be looking on.

    Raises:
        UsageError: a port is in use.
        OutputError: the folder cannot take the results.
    """

    def __init__(self, request: InferenceRequest, info: SourceInfo) -> None:
        live = request.live
        self._board = LiveBoard(request.settings.guidance.live.stale_after_ms)
        self._server = None if live.view_port is None else LiveServer(self._board, live.view_port)
        self._igtl = None if live.igtl_port is None else IgtlServer(live.igtl_port)
        self.folder = None if request.out is None else SessionFolder(request.out, request.overwrite)
        self._files = None if self.folder is None else ClipFiles(self.folder, request.spec, info, request)
        self._replay: ReplaySink | None = None
        self._wants_replay = request.masks
        self.key_frames = KeyFrames()
        self._records_pictures = request.overlay and self._files is not None
        self.recorder = Recorder()
        self.has_live_view = self._server is not None
        self.wants_pictures = self._records_pictures or self.has_live_view

    def keep_for_replay(self, facts: ClipFacts) -> None:
        """Records what guidance sees, if masks are wanted. Raises OutputError."""
        if self.folder is not None and self._wants_replay:
            self._replay = ReplaySink(self.folder.path, facts)

    @contextlib.contextmanager
    def at_work(self, progress: FrameProgress) -> Iterator[None]:
        """Serves and records inside the block; at its end all is written."""
        with (
            self.recorder,
            self._server or contextlib.nullcontext() as server,
            self._igtl or contextlib.nullcontext() as igtl,
        ):
            if server is not None:
                progress.tell(f"live view at {server.address}")
            if igtl is not None:
                progress.tell(f"OpenIGTLink output on port {igtl.port}")
            yield

    def show(self, work: FrameWork, live: LiveFrame) -> None:
        """Puts a frame's overlay on the display."""
        assert work.guidance is not None
        self._board.hear(work.guidance.events, live.frame.time_s)
        if work.picture is not None:
            self._board.show(work.picture, live.frame, live.taken_s)

    def give(self, work: FrameWork, latency_ms: dict[str, float], entry: dict[str, Any]) -> None:
        """Sends and records a frame.

        Args:
            work: done.
            latency_ms: by stage.
            entry: "live" of its record.
        """
        assert work.guidance is not None
        assert work.segmentation is not None
        if self._igtl is not None and self._igtl.has_clients:
            self._igtl.publish(lambda: frame_messages(work, guidance_shown=entry["guidance_shown"]))
        if self._files is None:
            return
        files, frame, labels_HW = self._files, work.frame, work.segmentation.labels_HW
        line, alerts = {**record_of(work, latency_ms), "live": entry}, alert_records(work.guidance)
        view = self._board.view() if work.picture is not None else None
        is_shown = entry["guidance_shown"] and (view is None or view.is_current)
        self.key_frames.see(work.guidance, None if view is None else view.picture_HW3, is_shown=is_shown)
        self._record_picture(frame.time_s)
        self.recorder.may(lambda: files.write_labels(frame, labels_HW))
        replay = self._replay
        if replay is not None:
            self.recorder.may(lambda: replay.write(work))
        self.recorder.must(lambda: files.write_records(line, alerts))

    def set_state(
        self, alerts: tuple[ActiveAlert, ...], events: Sequence[AlertEvent], *, withdrawn: bool,
        frame: int | None, time_s: float,
    ) -> None:  # fmt: skip
        """Follows what the watchdog found.

        Args:
            alerts: technical ones that stand.
            events: what became of them.
            withdrawn: guidance may not be shown.
            frame, time_s: when that is: the newest frame, and the time that has come since.
        """
        self._board.hear(events, time_s)
        events = [*events, *self._board.take_notes()]
        has_turned = withdrawn != self._board.is_withdrawn
        self._board.set_state(alerts, withdrawn=withdrawn)
        if self._igtl is not None and (events or has_turned):
            self._igtl.publish(lambda: state_messages(alerts, guidance_shown=not withdrawn))
        if self._files is None:
            return
        files, lines = self._files, [alert_record(event, frame, time_s) for event in events]
        if lines:
            self.recorder.must(lambda: files.write_records(None, lines))
        if withdrawn and has_turned:
            self._record_picture(time_s)

    def close(self) -> None:
        """Closes the files. Raises OutputError."""
        for part in (self._replay, self._files):
            if part is not None:
                part.close()

    def _record_picture(self, time_s: float) -> None:
        """Records what the display shows now, with guidance or without."""
        view = self._board.view() if self._records_pictures else None
        if view is not None and self._files is not None:
            files, picture_HW3 = self._files, view.picture_HW3
            self.recorder.may(lambda: files.write_picture(picture_HW3, time_s))
