"""A live run: the newest frame to overlay and records, watched, with the display never behind and never stale.

Four threads share the work: the feed reads the source, the worker runs the stages, the recorder writes, and the main
thread watches them all, answers signals and says when the run is over.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hipseg.cli.clip_files import ClipFiles, record_of
from hipseg.cli.clip_run import LoadedModel
from hipseg.cli.igtl_output import frame_messages, state_messages
from hipseg.cli.interruption import Interruption
from hipseg.cli.live_record import LiveRecord
from hipseg.cli.pipeline import FrameWork, Pipeline
from hipseg.cli.progress import FrameProgress
from hipseg.cli.request import InferenceRequest
from hipseg.cli.session_record import COMPLETE, FAILED, INTERRUPTED, RUNNING, SessionRecord
from hipseg.display.live_board import LiveBoard
from hipseg.display.web.server import LiveServer
from hipseg.errors import HipsegError, SourceError
from hipseg.guidance.record import alert_record, alert_records
from hipseg.guidance.technical import TechnicalMonitor
from hipseg.io import SessionFolder, Source, open_source, write_json
from hipseg.io import session_folder as names
from hipseg.io.igtl.server import IgtlServer
from hipseg.runtime.live.feed import LiveFeed, LiveFrame
from hipseg.runtime.live.recorder import Recorder
from hipseg.runtime.live.watch import Report, Watch
from hipseg.runtime.live.worker import LiveWorker
from hipseg.runtime.memory import free_memory_percent
from hipseg.runtime.stream import Stream

_TICK_S = 0.02
_LOOK_AT_MEMORY_EVERY_S = 1.0
_GRACE_S = 1.0
_MILLI = 1e3


@dataclass(frozen=True, slots=True)
class _Moment:
    """The newest frame that went through the stages."""

    index: int
    time_s: float
    taken_s: float


class LiveRun:
    """Runs one open live source, and records it if a folder is named.

    Args:
        source: open; the run closes it.
        model: ready.
        request: what is wanted.

    Attributes:
        folder: with the results, None when nothing is recorded.
        record: what session.json says.

    Raises:
        UsageError: the port of the live view is in use.
        OutputError: the folder cannot take the results.
    """

    def __init__(self, source: Source, model: LoadedModel, request: InferenceRequest) -> None:
        self._source, self._request = source, request
        config = request.settings.guidance
        self._limits = config.live
        self._board = LiveBoard(self._limits.stale_after_ms)
        port = request.live.view_port
        self._server = None if port is None else LiveServer(self._board, port)
        igtl_port = request.live.igtl_port
        self._igtl = None if igtl_port is None else IgtlServer(igtl_port)
        self.folder = None if request.out is None else SessionFolder(request.out, request.overwrite)
        self._live = LiveRecord()
        self._live.first_run_ms = model.session.warm_up(source.info.region.height, source.info.region.width)
        self._watch = Watch(self._limits)
        self._monitor = TechnicalMonitor(config.alerts)
        wants_pictures = request.overlay or self._server is not None
        pipeline = Pipeline(
            model.session, config, source.info, overlay=wants_pictures, technical=lambda: self._monitor.active
        )
        self._stream = Stream(list(pipeline.stages()), on_stage=self._watch.stage_begun)
        self._is_replay = source.info.kind == "replay"
        self._feed = LiveFeed(source, None if self._is_replay else self._reopen, self._limits, self._watch)
        self._worker = LiveWorker(self._feed.slot, self._work, self._watch)
        self._recorder = Recorder()
        self._files = None if self.folder is None else ClipFiles(self.folder, request.spec, source.info, request)
        self._newest: _Moment | None = None
        self.record = SessionRecord(model.software, source.info, self._stream.latencies)

    def run(self, interruption: Interruption) -> None:
        """Goes on until the source ends or is gone, the time is over, or someone stops it.

        Raises:
            KeyboardInterrupt: someone asked to stop.
            SourceError: the source was lost and did not come back.
            HipsegError: the model or the stages failed for good, or the results can't be written.
        """
        self._write_session(RUNNING)
        try:
            self._go(interruption)
        except BaseException as fault:
            with interruption.shielded():
                self._finish(INTERRUPTED if isinstance(fault, KeyboardInterrupt) else FAILED, fault)
            raise
        with interruption.shielded():
            self._finish(COMPLETE, None)

    def _reopen(self) -> Source:
        source = open_source(self._request.spec, self._request.source)
        self.record.info = source.info
        return source

    def _go(self, interruption: Interruption) -> None:
        info = self._source.info
        with (
            FrameProgress(info.source_id, info.num_frames) as progress,
            interruption.between_frames(),
            self._recorder,
            self._looked_on(progress),
            self._worker,
            self._feed,
        ):
            self._watch_over(interruption, progress)
        if self._recorder.fault is not None:
            raise self._recorder.fault

    @contextlib.contextmanager
    def _looked_on(self, progress: FrameProgress) -> Iterator[None]:
        """The live view and the OpenIGTLink output, if they are wanted."""
        with self._server or contextlib.nullcontext() as server, self._igtl or contextlib.nullcontext() as igtl:
            if server is not None:
                progress.tell(f"live view at {server.address}")
            if igtl is not None:
                progress.tell(f"OpenIGTLink output on port {igtl.port}")
            yield

    def _watch_over(self, interruption: Interruption, progress: FrameProgress) -> None:
        """The main thread's loop."""
        begin_s, next_memory_s, free_percent, shown = time.monotonic(), 0.0, None, 0
        duration_s = self._request.live.duration_s or math.inf
        while not self._worker.over.wait(_TICK_S):
            now_s = time.monotonic()
            if now_s >= next_memory_s:
                next_memory_s, free_percent = now_s + _LOOK_AT_MEMORY_EVERY_S, free_memory_percent()
            self._tick(self._watch.report(free_percent), now_s, progress)
            count = self.record.frame_count
            progress.advance(count - shown)
            shown = count
            interruption.check()
            self._check_hope()
            if now_s - begin_s >= duration_s:
                return
        if self._feed.fault is not None:
            raise self._feed.fault

    def _tick(self, report: Report, now_s: float, progress: FrameProgress) -> None:
        """Alerts, the display's state and the records follow what the watchdog found."""
        was_withdrawn, is_withdrawn = self._board.is_withdrawn, report.is_withdrawn
        events = self._monitor.step(report.findings)
        self._board.set_state(self._monitor.active, withdrawn=is_withdrawn)
        self._live.note(report.findings, now_s)
        self.record.count_alerts(events)
        index, time_s = self._position(now_s)
        for event in events:
            progress.tell(f"{time_s:.2f} s: {event.alert.message} ({event.event})")
        if self._igtl is not None and (events or is_withdrawn != was_withdrawn):
            alerts = self._monitor.active
            self._igtl.publish(lambda: state_messages(alerts, guidance_shown=not is_withdrawn))
        if self._files is None:
            return
        files, lines = self._files, [alert_record(event, index, time_s) for event in events]
        if lines:
            self._recorder.must(lambda: files.write_records(None, lines))
        if is_withdrawn and not was_withdrawn and self._request.overlay:
            self._record_picture(files, time_s)

    def _position(self, now_s: float) -> tuple[int | None, float]:
        """The newest frame's number, and the time that has come since."""
        newest = self._newest
        return (None, 0.0) if newest is None else (newest.index, newest.time_s + max(now_s - newest.taken_s, 0.0))

    def _check_hope(self) -> None:
        """Raises when what is wrong has been wrong for too long."""
        limits, worker = self._limits, self._worker
        if self._recorder.fault is not None and self._server is None:
            raise self._recorder.fault
        if worker.fault is not None and worker.failing_s > limits.give_up_after_s:
            raise worker.fault
        stage_s = self._watch.stage_s
        if stage_s > limits.give_up_after_s + limits.stage_limit_ms / _MILLI:
            raise HipsegError(f"a stage has been hanging for {stage_s:.0f} s", mend="start hipseg again")
        self._check_source()

    def _check_source(self) -> None:
        """A source that blocks its reader cannot say that it is lost."""
        limits, silent_s = self._limits, self._feed.silent_s
        if self._is_replay or not self._feed.is_reading or silent_s <= limits.silent_after_s + _GRACE_S:
            return
        self._watch.source_lost()
        if silent_s > limits.silent_after_s + limits.give_up_after_s + _GRACE_S:
            raise SourceError(f"has not answered for {silent_s:.0f} s", where=self.record.info.source_id)

    def _work(self, live: LiveFrame) -> None:
        """Takes a frame through the stages, to the display and to the recorder. Runs in the worker's thread."""
        processed = self._stream.step(FrameWork(live.frame))
        work = processed.work
        assert work.guidance is not None
        assert work.segmentation is not None
        age_ms = _MILLI * (time.monotonic() - live.taken_s)
        self._live.ages.add(age_ms)
        if work.picture is not None:
            self._board.show(work.picture, live.frame, live.taken_s)
        self._newest = _Moment(live.frame.index, live.frame.time_s, live.taken_s)
        self.record.count(work)
        entry = self._live_entry(live, age_ms)
        if self._igtl is not None and self._igtl.has_clients:
            self._igtl.publish(lambda: frame_messages(work, guidance_shown=entry["guidance_shown"]))
        if self._files is not None:
            self._record(self._files, work, processed.latency_ms, entry)

    def _record(self, files: ClipFiles, work: FrameWork, latency_ms: dict[str, float], entry: dict[str, Any]) -> None:
        assert work.guidance is not None
        assert work.segmentation is not None
        frame, labels_HW = work.frame, work.segmentation.labels_HW
        line = {**record_of(work, latency_ms), "live": entry}
        alerts = alert_records(work.guidance)
        if self._request.overlay:
            self._record_picture(files, frame.time_s)
        self._recorder.may(lambda: files.write_labels(frame, labels_HW))
        self._recorder.must(lambda: files.write_records(line, alerts))

    def _record_picture(self, files: ClipFiles, time_s: float) -> None:
        """Records what the display shows now, guidance or not."""
        view = self._board.view()
        if view is not None:
            picture_HW3 = view.picture_HW3
            self._recorder.may(lambda: files.write_picture(picture_HW3, time_s))

    def _live_entry(self, live: LiveFrame, age_ms: float) -> dict[str, Any]:
        report = self._watch.report()
        return {
            "source_time_s": live.source_time_s,
            "age_ms": round(age_ms, 3),
            "guidance_shown": not report.is_withdrawn and age_ms <= self._limits.stale_after_ms,
            "conditions": [finding.condition.value for finding in report.findings],
        }

    def _finish(self, state: str, fault: BaseException | None) -> None:
        """Closes what can be closed. The fault that ended the run is the one to report, not those that follow it."""
        error = fault.what if isinstance(fault, HipsegError) else None
        if fault is not None and error is None and state == FAILED:
            error = type(fault).__name__
        try:
            if self._files is not None:
                self._files.close()
            self._write_session(state, error)
        except (OSError, ValueError) as follow_up:
            if fault is None:
                raise
            self.record.warnings.append(str(follow_up))

    def _write_session(self, state: str, error: str | None = None) -> None:
        if self.folder is None:
            return
        self.record.dropped_frames = self._feed.slot.dropped
        counts = {
            "frames_in": self._feed.num_frames,
            "losses": self._feed.num_losses,
            "reopened": self._feed.num_reopened,
            "failed_frames": self._worker.num_failed,
            "pictures_not_recorded": self._recorder.num_left_out,
        }
        self.record.live = self._live.as_json(counts, self.record.info.counts)
        write_json(self.folder.file(names.SESSION), self.record.as_json(state, error))
