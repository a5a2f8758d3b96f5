"""One clip from source to results: every frame in order, and whatever happens, whole files and a session.json."""

from __future__ import annotations

from dataclasses import dataclass

from hipseg.cli.clip_files import ClipFiles
from hipseg.cli.interruption import Interruption
from hipseg.cli.pipeline import FrameWork, Pipeline
from hipseg.cli.progress import FrameProgress
from hipseg.cli.replay_record import ReplaySink
from hipseg.cli.request import InferenceRequest
from hipseg.cli.session_record import (
    COMPLETE,
    FAILED,
    INTERRUPTED,
    RECORD,
    RUNNING,
    SOURCE,
    SessionRecord,
    Software,
)
from hipseg.cli.session_report import report_session
from hipseg.display.report.key_frames import KeyFrames
from hipseg.errors import HipsegError
from hipseg.io import SessionFolder, Source, write_json
from hipseg.io import session_folder as names
from hipseg.runtime.latency import LatencyHistogram
from hipseg.runtime.session import Session
from hipseg.runtime.stream import ReadAhead, Stream


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model that is ready, with what session.json says of it."""

    session: Session
    software: Software


class ClipRun:
    """Runs one open source into one claimed folder.

    Args:
        source: open; closed by its owner.
        spec: what the source was opened from.
        folder: claimed for this clip.
        model: ready.
        request: what is wanted.

    Attributes:
        record: what session.json says.
    """

    def __init__(
        self, source: Source, spec: str, folder: SessionFolder, model: LoadedModel, request: InferenceRequest
    ) -> None:
        self._source, self._folder = source, folder
        pipeline = Pipeline(
            model.session,
            request.settings.guidance,
            source.info,
            overlay=request.overlay,
            display=request.settings.display,
        )
        self._replay = ReplaySink(folder.path, pipeline.facts) if request.masks else None
        self._stream = Stream(list(pipeline.stages()))
        self._files = ClipFiles(folder, spec, source.info, request)
        self._key_frames = KeyFrames()
        self._write_times = LatencyHistogram()
        self.record = SessionRecord(model.software, source.info, self._stream.latencies)

    def run(self, interruption: Interruption) -> None:
        """Processes every frame.

        Raises:
            KeyboardInterrupt: someone asked to stop.
            HipsegError: the source broke, or the results can't be written. In every case what was done stays whole.
        """
        self._write_session(RUNNING)
        try:
            self._process(interruption)
        except BaseException as fault:
            with interruption.shielded():
                self._finish_after(fault)
            raise
        with interruption.shielded():
            self._close()
            self._write_session(COMPLETE)

    def _process(self, interruption: Interruption) -> None:
        info = self._source.info
        with (
            FrameProgress(info.source_id, info.num_frames) as progress,
            interruption.between_frames(),
            ReadAhead(map(FrameWork, self._source.frames())) as feed,
        ):
            self.record.latencies = {**self._stream.latencies, SOURCE: feed.latency, RECORD: self._write_times}
            for processed in self._stream.process(feed):
                with self._write_times.timed():
                    if self._replay is not None:
                        self._replay.write(processed.work)
                    self._files.write(processed.work, processed.latency_ms)
                self._tell(processed.work)
                progress.advance()
                interruption.check()

    def _tell(self, work: FrameWork) -> None:
        assert work.guidance is not None
        self.record.count(work)
        self._key_frames.see(work.guidance, work.picture)

    def _close(self) -> None:
        self._files.close()
        if self._replay is not None:
            self._replay.close()

    def _finish_after(self, fault: BaseException) -> None:
        """Closes what can be closed. The fault that ended the run is the one to report, not those that follow it."""
        interrupted = isinstance(fault, KeyboardInterrupt)
        error = None if interrupted else fault.what if isinstance(fault, HipsegError) else type(fault).__name__
        for attempt in (self._close, lambda: self._write_session(INTERRUPTED if interrupted else FAILED, error)):
            try:
                attempt()
            except (OSError, ValueError) as follow_up:
                self.record.warnings.append(str(follow_up))

    def _write_session(self, state: str, error: str | None = None) -> None:
        record = self.record.as_json(state, error)
        write_json(self._folder.file(names.SESSION), record)
        if state != RUNNING:
            report_session(self._folder, record, self._key_frames)
