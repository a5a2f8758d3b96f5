"""The files of one clip's results: records and alerts as lines, overlay, label maps, DICOM segmentation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from hipseg.cli.pipeline import FrameWork
from hipseg.cli.request import InferenceRequest
from hipseg.cli.session_record import STAGES
from hipseg.errors import OutputError
from hipseg.frame import Frame
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
        assert work.segmentation is not None
        if work.picture is not None:
            self.write_picture(work.picture, work.frame.time_s)
        self.write_labels(work.frame, work.segmentation.labels_HW)
        self.write_records(record_of(work, latency_ms), alert_records(work.guidance))

    def write_picture(self, picture: npt.NDArray[np.uint8], time_s: float) -> None:
        """Writes an overlay; those of a live source each at its own time."""
        info = self._info
        if info.num_frames == 1 and not info.is_live:
            write_picture(self._folder.file(names.OVERLAY_IMAGE), picture)
            return
        if self._video is None:
            rate_hz = info.frame_rate_hz or _DEFAULT_FRAME_RATE_HZ
            path = self._folder.file(names.OVERLAY_VIDEO)
            self._video = VideoSink(path, rate_hz, *picture.shape[:2], is_timed=info.is_live)
        height, width = self._video.size
        self._video.write(fitted(picture, height, width), time_s if info.is_live else None)

    def write_labels(self, frame: Frame, scan_labels_HW: npt.NDArray[np.uint8]) -> None:
        """Writes the label map, if one is wanted: of the whole source frame; nothing is known outside of the scan."""
        if self._masks is None and self._seg is None:
            return
        labels_HW = np.zeros(frame.image_HW.shape, dtype=np.uint8)
        labels_HW[frame.region.slices] = scan_labels_HW
        if self._masks is not None:
            self._masks.write(frame.index, labels_HW)
        if self._seg is not None:
            self._seg.write(frame.index, labels_HW)

    def write_records(self, frame: Mapping[str, Any] | None, alerts: Iterable[Mapping[str, Any]]) -> None:
        """Writes lines: alerts, and then the frame they belong to, if they belong to one."""
        for alert in alerts:
            self._alerts.write(alert)
        if frame is not None:
            self._frames.write(frame)

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


def record_of(work: FrameWork, latency_ms: Mapping[str, float]) -> dict[str, Any]:
    """A frame's line of frames.jsonl."""
    assert work.guidance is not None
    rounded = {stage: round(latency_ms[stage], 3) if stage in latency_ms else None for stage in STAGES}
    return {**frame_record(work.guidance), "latency_ms": rounded}


def fitted(picture_HW3: npt.NDArray[np.uint8], height: int, width: int) -> npt.NDArray[np.uint8]:
    """A picture of another size inside a video that has one already: as large as it goes, on black."""
    if picture_HW3.shape[:2] == (height, width):
        return picture_HW3
    scale = min(height / picture_HW3.shape[0], width / picture_HW3.shape[1])
    inner_height, inner_width = (max(round(scale * side), 1) for side in picture_HW3.shape[:2])
    canvas = np.zeros((height, width, 3), np.uint8)
    top, left = (height - inner_height) // 2, (width - inner_width) // 2
    small = cv2.resize(picture_HW3, (inner_width, inner_height), interpolation=cv2.INTER_AREA)
    canvas[top : top + inner_height, left : left + inner_width] = small
    return canvas


def write_picture(path: Path, picture_HW3: npt.NDArray[np.uint8]) -> None:
    """Writes an RGB picture as PNG, atomically."""
    encoded, content = cv2.imencode(".png", cv2.cvtColor(picture_HW3, cv2.COLOR_RGB2BGR))
    assert encoded
    write_atomically(path, content.tobytes())
