"""The files of one clip's results: records and alerts as lines, overlay, label maps, DICOM segmentation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from hipseg.cli.pipeline import FrameWork
from hipseg.cli.request import InferenceRequest
from hipseg.cli.session_record import STAGES
from hipseg.errors import OutputError
from hipseg.guidance.record import alert_records, frame_record
from hipseg.io import JsonLinesSink, MaskSink, SegmentationDicomSink, SessionFolder, SourceInfo, VideoSink
from hipseg.io import session_folder as names
from hipseg.io.writing import write_atomically

_DEFAULT_FRAME_RATE_HZ = 10.0


class ClipFiles:
    """The results that grow with the frames.

    Args:
        folder: claimed for the clip.
        spec, info: of the source.
        request: which results are wanted.
    """

    def __init__(self, folder: SessionFolder, spec: str, info: SourceInfo, request: InferenceRequest) -> None:
        self._folder, self._info = folder, info
        self._frames = JsonLinesSink(folder.file(names.FRAMES))
        self._alerts = JsonLinesSink(folder.file(names.ALERTS))
        self._masks = MaskSink(folder.file(names.MASKS)) if request.masks else None
        self._seg = SegmentationDicomSink(folder.file(names.SEGMENTATION), spec) if request.dicom_seg else None
        self._video: VideoSink | None = None

    def write(self, work: FrameWork, latency_ms: Mapping[str, float]) -> None:
        """Writes one frame; its record comes last, so that a record means that the frame is done."""
        assert work.guidance is not None
        if work.picture is not None:
            self._write_picture(work.picture)
        if self._masks is not None or self._seg is not None:
            self._write_labels(work)
        for alert in alert_records(work.guidance):
            self._alerts.write(alert)
        rounded = {stage: round(latency_ms[stage], 3) if stage in latency_ms else None for stage in STAGES}
        self._frames.write({**frame_record(work.guidance), "latency_ms": rounded})

    def _write_picture(self, picture: npt.NDArray[np.uint8]) -> None:
        if self._info.num_frames == 1:
            write_picture(self._folder.file(names.OVERLAY_IMAGE), picture)
            return
        if self._video is None:
            rate_hz = self._info.frame_rate_hz or _DEFAULT_FRAME_RATE_HZ
            self._video = VideoSink(self._folder.file(names.OVERLAY_VIDEO), rate_hz, *picture.shape[:2])
        self._video.write(picture)

    def _write_labels(self, work: FrameWork) -> None:
        """Labels of the whole source frame; nothing is known outside of the scan region."""
        assert work.segmentation is not None
        frame, labels_HW = work.frame, np.zeros(work.frame.image_HW.shape, dtype=np.uint8)
        labels_HW[frame.region.slices] = work.segmentation.labels_HW
        if self._masks is not None:
            self._masks.write(frame.index, labels_HW)
        if self._seg is not None:
            self._seg.write(frame.index, labels_HW)

    def close(self) -> None:
        """Closes every file; the first fault is raised when all have been tried."""
        faults = []
        for sink in (self._video, self._alerts, self._frames, self._seg):
            try:
                if sink is not None:
                    sink.close()
            except OutputError as fault:
                faults.append(fault)
        if faults:
            raise faults[0]


def write_picture(path: Path, picture_HW3: npt.NDArray[np.uint8]) -> None:
    """Writes an RGB picture as PNG, atomically."""
    encoded, content = cv2.imencode(".png", cv2.cvtColor(picture_HW3, cv2.COLOR_RGB2BGR))
    assert encoded
    write_atomically(path, content.tobytes())
