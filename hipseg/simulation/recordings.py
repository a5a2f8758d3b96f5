"""Recordings of simulated clips, written frame by frame: DICOM, H.264 video, or a folder of PNG."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt

from hipseg.io.video_sink import VideoSink
from hipseg.io.writing import output_errors, write_atomically
from hipseg.simulation.dicom import DicomClip, encode_jpeg
from hipseg.simulation.frames import SimulatedFrame
from hipseg.simulation.procedure import Procedure


class Recording(Protocol):
    """A clip being written. It is whole at its place only after `finish`."""

    def write(self, frame: SimulatedFrame) -> None:
        """Appends a frame. Raises OutputError."""
        ...

    def finish(self) -> None:
        """Puts the recording in its place. Raises OutputError."""
        ...


class DicomRecording:
    """`<stem>.dcm`, in colour if any of its frames is; memory holds no frames."""

    def __init__(self, stem: Path, procedure: Procedure) -> None:
        self._path, self._times_s = stem.with_name(f"{stem.name}.dcm"), procedure.time_s
        self._rate_hz = procedure.scenario.frame_rate_hz
        self._in_colour, self._patient = procedure.shows_colour, procedure.patient
        self._clip: DicomClip | None = None

    def write(self, frame: SimulatedFrame) -> None:
        """Appends a frame. Raises OutputError."""
        if self._clip is None:
            self._clip = DicomClip(self._path, frame.image_HW.shape[:2], frame.spacing, in_colour=self._in_colour)
        self._clip.append(encode_jpeg(_pixels(frame) if self._in_colour else frame.image_HW))

    def finish(self) -> None:
        """Writes the file. Raises OutputError."""
        assert self._clip is not None, "a clip without frames"
        self._clip.finish(self._times_s, self._rate_hz, self._patient)


class VideoRecording:
    """`<stem>.mp4`; a frame that was dropped leaves a gap in its times."""

    def __init__(self, stem: Path, procedure: Procedure) -> None:
        self._path, self._part = stem.with_name(f"{stem.name}.mp4"), stem.with_name(f".{stem.name}.mp4.part")
        self._rate_hz = procedure.scenario.frame_rate_hz
        self._has_gaps = len(procedure.time_s) < len(procedure.timeline.time_s)
        self._sink: VideoSink | None = None

    def write(self, frame: SimulatedFrame) -> None:
        """Appends a frame. Raises OutputError."""
        if self._sink is None:
            self._sink = VideoSink(self._part, self._rate_hz, *frame.image_HW.shape, is_timed=self._has_gaps)
        self._sink.write(_pixels(frame), frame.time_s if self._has_gaps else None)

    def finish(self) -> None:
        """Closes the video and moves it to its place. Raises OutputError."""
        assert self._sink is not None, "a clip without frames"
        self._sink.close()
        with output_errors(self._path):
            self._part.replace(self._path)


class PictureRecording:
    """A folder `<stem>` of PNG, which have no times: the truth beside it holds them."""

    def __init__(self, stem: Path, procedure: Procedure) -> None:
        self._folder, self._count, self._in_colour = stem, 0, procedure.shows_colour
        with output_errors(stem):
            stem.mkdir(exist_ok=True)

    def write(self, frame: SimulatedFrame) -> None:
        """Writes a frame's picture. Raises OutputError."""
        image = _pixels(frame)[..., ::-1] if self._in_colour else frame.image_HW
        _, encoded = cv2.imencode(".png", image)
        write_atomically(self._folder / f"{self._count:06d}.png", encoded.tobytes())
        self._count += 1

    def finish(self) -> None:
        """Nothing is left to do."""


def open_recording(format_: str, stem: Path, procedure: Procedure) -> Recording:
    """A recording of a format: "dicom", "mp4" or "png".

    Args:
        format_: which.
        stem: place and name, without an ending.
        procedure: that will be recorded; its times and whether it has colour.
    """
    kinds: dict[str, Callable[[Path, Procedure], Recording]] = {
        "dicom": DicomRecording,
        "mp4": VideoRecording,
        "png": PictureRecording,
    }
    return kinds[format_](stem, procedure)


def _pixels(frame: SimulatedFrame) -> npt.NDArray[np.uint8]:
    """The frame in RGB."""
    return np.repeat(frame.image_HW[..., None], 3, axis=2) if frame.colour_HW3 is None else frame.colour_HW3
