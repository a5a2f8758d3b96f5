"""A live run: the newest frame to overlay and records, watched, with the display never behind and never stale.

Four threads share the work: the feed reads the source, the worker runs the stages, the recorder writes, and the main
thread watches them all, answers signals and says when the run is over.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any

from hipseg.cli.clip_run import LoadedModel
from hipseg.cli.interruption import Interruption
from hipseg.cli.live_outputs import LiveOutputs
from hipseg.cli.live_record import LiveRecord
from hipseg.cli.pipeline import FrameWork, Pipeline
from hipseg.cli.progress import FrameProgress
from hipseg.cli.request import InferenceRequest
from hipseg.cli.session_record import COMPLETE, FAILED, INTERRUPTED, RECORD, RUNNING, SessionRecord
from hipseg.cli.session_report import report_session
from hipseg.errors import HipsegError, SourceError
from hipseg.guidance.technical import TechnicalMonitor
from hipseg.io import Source, open_source, write_json
from hipseg.io import session_folder as names
from hipseg.runtime.live.feed import LiveFeed, LiveFrame
from hipseg.runtime.live.watch import Watch
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
        outputs: with the folder of the results.
        record: what session.json says.

    Raises:
        UsageError: a port is in use.
        OutputError: the folder cannot take the results.
    """

    def __init__(self, source: Source, model: LoadedModel, request: InferenceRequest) -> None:
        self._source, self._request = source, request
        config, info = request.settings.guidance, source.info
        self._limits, self._is_replay = config.live, info.kind == "replay"
        self.outputs = LiveOutputs(request, info)
        self._live = LiveRecord()
        self._live.first_run_ms = model.session.warm_up(info.region.height, info.region.width)
        self._watch, self._monitor = Watch(self._limits), TechnicalMonitor(config.alerts)
        pipeline = Pipeline(
            model.session, config, info, overlay=self.outputs.wants_pictures, display=request.settings.display,
            technical=lambda: self._monitor.active,
        )  # fmt: skip
        self.outputs.keep_for_replay(pipeline.facts)
        self._stream = Stream(list(pipeline.stages()), on_stage=self._watch.stage_begun)
        self._feed = LiveFeed(source, None if self._is_replay else self._reopen, self._limits, self._watch)
        self._worker = LiveWorker(self._feed.slot, self._work, self._watch)
        self._newest: _Moment | None = None
        latencies = {**self._stream.latencies, RECORD: self.outputs.recorder.latency}
        self.record = SessionRecord(model.software, info, latencies)

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
                self._finish_after(fault)
            raise
        with interruption.shielded():
            self.outputs.close()
            self._write_session(COMPLETE)

    def _reopen(self) -> Source:
        source = open_source(self._request.spec, self._request.source)
        self.record.info = source.info
        return source

    def _go(self, interruption: Interruption) -> None:
        info, recorder = self._source.info, self.outputs.recorder
        with (
            FrameProgress(info.source_id, info.num_frames) as progress,
            interruption.between_frames(),
            self.outputs.at_work(progress),
            self._worker,
            self._feed,
        ):
            self._watch_over(interruption, progress)
        if recorder.fault is not None:
            raise recorder.fault

    def _watch_over(self, interruption: Interruption, progress: FrameProgress) -> None:
        """The main thread's loop."""
        begin_s, next_memory_s, free_percent, shown = time.monotonic(), 0.0, None, 0
        duration_s = math.inf if self._request.live.duration_s is None else self._request.live.duration_s
        is_over = False
        while not is_over:
            is_over = self._worker.over.wait(_TICK_S)
            now_s = time.monotonic()
            if now_s >= next_memory_s:
                next_memory_s, free_percent = now_s + _LOOK_AT_MEMORY_EVERY_S, free_memory_percent()
            self._tick(free_percent, now_s, progress)
            count = self.record.frame_count
            progress.advance(count - shown)
            shown = count
            interruption.check()
            self._check_hope()
            is_over |= now_s - begin_s >= duration_s
        if self._feed.fault is not None and self._worker.over.is_set():
            raise self._feed.fault

    def _tick(self, free_percent: float | None, now_s: float, progress: FrameProgress) -> None:
        """Alerts, display and records follow what the watchdog finds."""
        report = self._watch.follow(free_percent)
        events = self._monitor.step(report.findings)
        self._live.note(report.findings, now_s)
        self.record.count_alerts(events)
        frame, time_s = self._position(now_s)
        self.outputs.set_state(self._monitor.active, events, withdrawn=report.is_withdrawn, frame=frame, time_s=time_s)
        for event in events:
            progress.tell(f"{time_s:.2f} s: {event.alert.message} ({event.event})")

    def _position(self, now_s: float) -> tuple[int | None, float]:
        """The newest frame's number, and the time that has come since."""
        newest = self._newest
        return (None, 0.0) if newest is None else (newest.index, newest.time_s + max(now_s - newest.taken_s, 0.0))

    def _check_hope(self) -> None:
        """Raises when what is wrong has been wrong for too long."""
        limits, worker, recorder = self._limits, self._worker, self.outputs.recorder
        # A procedure goes on with a display whose disk is full; without a display there is nothing to go on for.
        if recorder.fault is not None and not self.outputs.has_live_view:
            raise recorder.fault
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
        """Takes a frame through the stages and gives it away. Runs in the worker's thread."""
        processed = self._stream.step(FrameWork(live.frame))
        age_ms = _MILLI * (time.monotonic() - live.taken_s)
        self.outputs.show(processed.work, live)
        self._live.ages.add(age_ms)
        self._newest = _Moment(live.frame.index, live.frame.time_s, live.taken_s)
        self.record.count(processed.work)
        self.outputs.give(processed.work, processed.latency_ms, self._live_entry(live, age_ms))

    def _live_entry(self, live: LiveFrame, age_ms: float) -> dict[str, Any]:
        report = self._watch.report()
        return {
            "source_time_s": live.source_time_s,
            "age_ms": round(age_ms, 3),
            "guidance_shown": not report.is_withdrawn and age_ms <= self._limits.stale_after_ms,
            "conditions": [finding.condition.value for finding in report.findings],
        }

    def _finish_after(self, fault: BaseException) -> None:
        """Closes what can be closed. The fault that ended the run is the one to report, not those that follow it."""
        state = INTERRUPTED if isinstance(fault, KeyboardInterrupt) else FAILED
        error = fault.what if isinstance(fault, HipsegError) else type(fault).__name__ if state == FAILED else None
        for attempt in (self.outputs.close, lambda: self._write_session(state, error)):
            try:
                attempt()
            except (OSError, ValueError) as follow_up:
                self.record.warnings.append(str(follow_up))

    def _write_session(self, state: str, error: str | None = None) -> None:
        if self.outputs.folder is None:
            return
        self.record.dropped_frames = self._feed.slot.dropped
        counts = {
            "frames_in": self._feed.num_frames,
            "losses": self._feed.num_losses,
            "reopened": self._feed.num_reopened,
            "failed_frames": self._worker.num_failed,
            "pictures_not_recorded": self.outputs.recorder.num_left_out,
        }
        self.record.live = self._live.as_json(counts, self.record.info.counts)
        record = self.record.as_json(state, error)
        write_json(self.outputs.folder.file(names.SESSION), record)
        if state != RUNNING:
            report_session(self.outputs.folder, record, self.outputs.key_frames)
