"""Recordings of simulated clips, written frame by frame: DICOM, H.264 video, or a folder of PNG."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from hipseg.io.video_sink import VideoSink
from hipseg.io.writing import output_errors, write_atomically
from hipseg.simulation.dicom import encode_dicom, encode_jpeg
from hipseg.simulation.frames import SimulatedFrame


class Recording(Protocol):
    """A clip being written. It is whole at its place only after `finish`."""

    def write(self, frame: SimulatedFrame) -> None:
        """Appends a frame. Raises OutputError."""
        ...

    def finish(self) -> None:
        """Puts the recording in its place. Raises OutputError."""
        ...


class DicomRecording:
    """`<stem>.dcm`; only the compressed frames are kept until the end."""

    def __init__(self, stem: Path, frame_rate_hz: float) -> None:
        self._path, self._frame_rate_hz = stem.with_name(f"{stem.name}.dcm"), frame_rate_hz
        self._jpegs: list[bytes] = []
        self._last: SimulatedFrame | None = None

    def write(self, frame: SimulatedFrame) -> None:
        """Appends a frame."""
        self._jpegs.append(encode_jpeg(frame.image_HW))
        self._last = frame

    def finish(self) -> None:
        """Writes the file. Raises OutputError."""
        assert self._last is not None, "a clip without frames"
        shape = (self._last.image_HW.shape[0], self._last.image_HW.shape[1])
        content = encode_dicom(self._jpegs, shape, self._last.spacing, self._frame_rate_hz, self._last.patient)
        write_atomically(self._path, content)


class VideoRecording:
    """`<stem>.mp4`."""

    def __init__(self, stem: Path, frame_rate_hz: float) -> None:
        self._path, self._part = stem.with_name(f"{stem.name}.mp4"), stem.with_name(f".{stem.name}.mp4.part")
        self._frame_rate_hz = frame_rate_hz
        self._sink: VideoSink | None = None

    def write(self, frame: SimulatedFrame) -> None:
        """Appends a frame. Raises OutputError."""
        if self._sink is None:
            self._sink = VideoSink(self._part, self._frame_rate_hz, *frame.image_HW.shape)
        self._sink.write(np.repeat(frame.image_HW[..., None], 3, axis=2))

    def finish(self) -> None:
        """Closes the video and moves it to its place. Raises OutputError."""
        assert self._sink is not None, "a clip without frames"
        self._sink.close()
        with output_errors(self._path):
            self._part.replace(self._path)


class PictureRecording:
    """A folder `<stem>` of PNG, which have no frame rate: the truth beside it holds the times."""

    def __init__(self, stem: Path, frame_rate_hz: float) -> None:
        del frame_rate_hz
        self._folder, self._count = stem, 0
        with output_errors(stem):
            stem.mkdir(exist_ok=True)

    def write(self, frame: SimulatedFrame) -> None:
        """Writes a frame's picture. Raises OutputError."""
        _, encoded = cv2.imencode(".png", frame.image_HW)
        write_atomically(self._folder / f"{self._count:06d}.png", encoded.tobytes())
        self._count += 1

    def finish(self) -> None:
        """Nothing is left to do."""


def open_recording(format_: str, stem: Path, frame_rate_hz: float) -> Recording:
    """A recording of a format: "dicom", "mp4" or "png".

    Args:
        format_: which.
        stem: place and name, without an ending.
        frame_rate_hz: of the clip.
    """
    kinds: dict[str, Callable[[Path, float], Recording]] = {
        "dicom": DicomRecording,
        "mp4": VideoRecording,
        "png": PictureRecording,
    }
    return kinds[format_](stem, frame_rate_hz)
