"""One clip from source to results: every frame in order, and whatever happens, whole files and a session.json."""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from hipseg.cli.interruption import Interruption
from hipseg.cli.progress import FrameProgress
from hipseg.cli.request import InferenceRequest
from hipseg.cli.session_record import COMPLETE, FAILED, INTERRUPTED, SessionRecord, Software
from hipseg.display.overlay import Overlay
from hipseg.errors import HipsegError, OutputError
from hipseg.frame import Frame
from hipseg.guidance.engine import Guidance, GuidanceEngine
from hipseg.guidance.record import alert_records, frame_record
from hipseg.io import JsonLinesSink, MaskSink, Source, SourceInfo, VideoSink, write_json, write_segmentation_dicom
from hipseg.io import session_folder as names
from hipseg.io.session_folder import SessionFolder
from hipseg.io.writing import write_atomically
from hipseg.runtime.segmentation import Segmentation
from hipseg.runtime.session import Session

_MILLI = 1e3
_DEFAULT_FRAME_RATE_HZ = 10.0


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
        self._source, self._spec, self._folder, self._request = source, spec, folder, request
        self._session = model.session
        self.record = SessionRecord(model.software, source.info)
        self._engine = GuidanceEngine(
            request.settings.guidance,
            view_thresholds=model.session.contract.view_thresholds,
            still=is_still(source.info),
        )
        self._overlay = Overlay(source.info.height, source.info.width) if request.overlay else None
        self._files = _Files(folder, source.info, request)

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
            self._write_dicom_seg()
            self._write_session(COMPLETE)

    def _process(self, interruption: Interruption) -> None:
        info = self._source.info
        with FrameProgress(info.source_id, info.num_frames) as progress, interruption.between_frames():
            for frame in self._source.frames():
                self._step(frame)
                progress.advance()
                if interruption.requested:
                    raise KeyboardInterrupt

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

    def _write_dicom_seg(self) -> None:
        if self._request.dicom_seg:
            write_segmentation_dicom(self._folder.file(names.SEGMENTATION), self._spec, self._files.labels())

    def _write_session(self, state: str, error: str | None = None) -> None:
        write_json(self._folder.file(names.SESSION), self.record.as_json(state, error))


def is_still(info: SourceInfo) -> bool:
    """Whether a source is a single image."""
    return info.num_frames == 1


class _Files:
    """The files that grow with the frames."""

    def __init__(self, folder: SessionFolder, info: SourceInfo, request: InferenceRequest) -> None:
        self._folder, self._info, self._keep_labels = folder, info, request.dicom_seg
        self._frames = JsonLinesSink(folder.file(names.FRAMES))
        self._alerts = JsonLinesSink(folder.file(names.ALERTS))
        self._masks = MaskSink(folder.file(names.MASKS)) if request.masks else None
        self._video: VideoSink | None = None
        self._packed_labels: list[bytes] = []

    def write(
        self,
        frame: Frame,
        segmentation: Segmentation,
        guidance: Guidance,
        picture: np.ndarray | None,
        latency_ms: dict[str, Any],
    ) -> None:
        """Writes one frame; its record comes last, so that a record means that the frame is done."""
        if picture is not None:
            self._write_picture(picture)
        if self._masks is not None or self._keep_labels:
            self._write_labels(frame, segmentation)
        for alert in alert_records(guidance):
            self._alerts.write(alert)
        rounded = {stage: None if value is None else round(value, 3) for stage, value in latency_ms.items()}
        self._frames.write({**frame_record(guidance), "latency_ms": rounded})

    def _write_picture(self, picture: np.ndarray) -> None:
        if is_still(self._info):
            write_picture(self._folder.file(names.OVERLAY_IMAGE), picture)
            return
        if self._video is None:
            rate_hz = self._info.frame_rate_hz or _DEFAULT_FRAME_RATE_HZ
            self._video = VideoSink(self._folder.file(names.OVERLAY_VIDEO), rate_hz, *picture.shape[:2])
        self._video.write(picture)

    def _write_labels(self, frame: Frame, segmentation: Segmentation) -> None:
        labels_HW = np.zeros(frame.image_HW.shape, dtype=np.uint8)
        labels_HW[frame.region.slices] = segmentation.labels_HW
        if self._masks is not None:
            self._masks.write(frame.index, labels_HW)
        if self._keep_labels:
            self._packed_labels.append(zlib.compress(labels_HW.tobytes(), 1))

    def labels(self) -> Iterator[np.ndarray]:
        """The label maps [H, W] of all frames, kept packed until the end: DICOM SEG is written in one go."""
        shape = (self._info.height, self._info.width)
        for packed in self._packed_labels:
            yield np.frombuffer(zlib.decompress(packed), dtype=np.uint8).reshape(shape)

    def close(self) -> None:
        """Closes every file; the first fault is raised when all have been tried."""
        faults = []
        for sink in (self._video, self._alerts, self._frames):
            try:
                if sink is not None:
                    sink.close()
            except OutputError as fault:
                faults.append(fault)
        if faults:
            raise faults[0]


def write_picture(path: Path, picture_HW3: np.ndarray) -> None:
    """Writes an RGB picture as PNG, atomically."""
    encoded, content = cv2.imencode(".png", cv2.cvtColor(picture_HW3, cv2.COLOR_RGB2BGR))
    assert encoded
    write_atomically(path, content.tobytes())
