"""The files of one clip's results: records and alerts as lines, overlay, label maps, DICOM segmentation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from hipseg.cli.request import InferenceRequest
from hipseg.errors import OutputError
from hipseg.frame import Frame
from hipseg.guidance.engine import Guidance
from hipseg.guidance.record import alert_records, frame_record
from hipseg.io import JsonLinesSink, MaskSink, SegmentationDicomSink, SourceInfo, VideoSink
from hipseg.io import session_folder as names
from hipseg.io.session_folder import SessionFolder
from hipseg.io.writing import write_atomically
from hipseg.runtime.segmentation import Segmentation

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
        if self._masks is not None or self._seg is not None:
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


def write_picture(path: Path, picture_HW3: np.ndarray) -> None:
    """Writes an RGB picture as PNG, atomically."""
    encoded, content = cv2.imencode(".png", cv2.cvtColor(picture_HW3, cv2.COLOR_RGB2BGR))
    assert encoded
    write_atomically(path, content.tobytes())


def is_still(info: SourceInfo) -> bool:
    """Whether a source is a single image."""
    return info.num_frames == 1
