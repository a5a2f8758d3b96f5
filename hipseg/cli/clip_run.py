"""One clip from source to results: every frame in order, and whatever happens, whole files and a session.json."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from hipseg.cli.clip_files import ClipFiles, is_still
from hipseg.cli.interruption import Interruption
from hipseg.cli.progress import FrameProgress
from hipseg.cli.request import InferenceRequest
from hipseg.cli.session_record import COMPLETE, FAILED, INTERRUPTED, SessionRecord, Software
from hipseg.display.overlay import Overlay
from hipseg.errors import HipsegError
from hipseg.frame import Frame
from hipseg.guidance.engine import GuidanceEngine
from hipseg.io import Source, write_json
from hipseg.io import session_folder as names
from hipseg.io.session_folder import SessionFolder
from hipseg.runtime.session import Session

_MILLI = 1e3


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
        self._session = model.session
        self.record = SessionRecord(model.software, source.info)
        self._engine = GuidanceEngine(
            request.settings.guidance,
            view_thresholds=model.session.contract.view_thresholds,
            still=is_still(source.info),
        )
        self._overlay = Overlay(source.info.height, source.info.width) if request.overlay else None
        self._files = ClipFiles(folder, spec, source.info, request)

    def run(self, interruption: Interruption) -> None:
        """Processes every frame.

        Raises:
            KeyboardInterrupt: someone asked to stop.
            HipsegError: the source broke, or the results can't be written. In every case what was done stays whole.
        """
        try:
            self._process(interruption)
        except BaseException as fault:
            with interruption.shielded():
                self._finish_after(fault)
            raise
        with interruption.shielded():
            self._files.close()
            self._write_session(COMPLETE)

    def _process(self, interruption: Interruption) -> None:
        info = self._source.info
        with FrameProgress(info.source_id, info.num_frames) as progress, interruption.between_frames():
            for frame in self._source.frames():
                self._step(frame)
                progress.advance()
                interruption.check()

    def _step(self, frame: Frame) -> None:
        begin_s = time.perf_counter()
        scan_HW = np.ascontiguousarray(frame.scan_HW)
        scanned_s = time.perf_counter()
        segmentation = self._session.segment(scan_HW)
        segmented_s = time.perf_counter()
        guidance = self._engine.step(
            segmentation, frame=frame.index, time_s=frame.time_s, spacing=frame.spacing, region=frame.region
        )
        guided_s = time.perf_counter()
        picture = None if self._overlay is None else self._overlay.draw(frame, segmentation, guidance)
        drawn_s = time.perf_counter()
        latency_ms = {
            "preprocess": _MILLI * (scanned_s - begin_s),
            "inference": _MILLI * (segmented_s - scanned_s),
            "guidance": _MILLI * (guided_s - segmented_s),
            "overlay": None if picture is None else _MILLI * (drawn_s - guided_s),
            "total": _MILLI * (drawn_s - begin_s),
        }
        self._files.write(frame, segmentation, guidance, picture, latency_ms)
        self.record.count(guidance, latency_ms)

    def _finish_after(self, fault: BaseException) -> None:
        """Closes what can be closed. The fault that ended the run is the one to report, not those that follow it."""
        interrupted = isinstance(fault, KeyboardInterrupt)
        error = None if interrupted else fault.what if isinstance(fault, HipsegError) else type(fault).__name__
        for attempt in (self._files.close, lambda: self._write_session(INTERRUPTED if interrupted else FAILED, error)):
            try:
                attempt()
            except (OSError, ValueError) as follow_up:
                self.record.warnings.append(str(follow_up))

    def _write_session(self, state: str, error: str | None = None) -> None:
        write_json(self._folder.file(names.SESSION), self.record.as_json(state, error))
