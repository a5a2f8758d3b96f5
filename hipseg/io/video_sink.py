"""H.264 video that can be played at any moment, also after the process was killed."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import numpy as np
import numpy.typing as npt
from av.video.stream import VideoStream

from hipseg.io.writing import output_error, output_errors

# A fragment starts at every key frame and is written as soon as it is whole: a killed process loses
# less than one fragment.
FRAGMENT_S = 0.5
_CONTAINER = {"movflags": "frag_keyframe+empty_moov+default_base_moof", "flush_packets": "1"}
# zerolatency keeps no frames back for look-ahead, so that fragments are whole when their time is over.
_ENCODER = {"preset": "superfast", "tune": "zerolatency", "crf": "20"}
_LARGEST_DENOMINATOR = 1001
_CLOCK = Fraction(1, 90_000)
"""Of timed videos, as MPEG's own."""
_SLOWEST_HZ, _FASTEST_HZ = 0.1, 1000.0


class VideoSink:
    """Writes RGB images as fragmented mp4.

    Frames follow each other at a constant rate, or each at its own time. Odd sizes are padded to even ones by
    repeating the last column or row, since H.264's chroma planes are halved.

    Args:
        path: the mp4 file, replaced when it exists.
        frame_rate_hz: of the video, limited to 0.1-1000.
        height, width: of every image, pixels.
        is_timed: every image comes with its time; the rate is what it is about.

    Raises:
        OutputError: the file cannot be opened.
    """

    def __init__(
        self, path: str | Path, frame_rate_hz: float, height: int, width: int, *, is_timed: bool = False
    ) -> None:
        self._path, self._is_timed = Path(path), is_timed
        self._shape = (height, width, 3)
        with output_errors(self._path):
            self._file = self._path.open("wb", buffering=0)
        self._container = av.open(self._file, "w", format="mp4", container_options=_CONTAINER)
        self._stream = self._add_stream(min(max(frame_rate_hz, _SLOWEST_HZ), _FASTEST_HZ))
        self._next_tick = 0
        self._closed = False

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of every image, pixels."""
        return self._shape[:2]

    def _add_stream(self, frame_rate_hz: float) -> VideoStream:
        height, width, _ = self._shape
        rate = Fraction(frame_rate_hz).limit_denominator(_LARGEST_DENOMINATOR)
        stream = self._container.add_stream("libx264", rate=rate, options=dict(_ENCODER))
        stream.height, stream.width = height + height % 2, width + width % 2
        stream.pix_fmt = "yuv420p"
        stream.gop_size = max(1, round(FRAGMENT_S * frame_rate_hz))
        if self._is_timed:
            stream.codec_context.time_base = _CLOCK
        return stream

    def write(self, image_HW3: npt.NDArray[np.uint8], time_s: float | None = None) -> None:
        """Appends one RGB image, uint8 [H, W, 3], with its time in seconds if the video is timed.

        A time that does not follow the one before is moved behind it. Raises OutputError when the disk is full.
        """
        assert image_HW3.shape == self._shape, f"{image_HW3.shape} in a video of {self._shape}"
        assert (time_s is not None) == self._is_timed
        frame = av.VideoFrame.from_ndarray(_padded_to_even(image_HW3), format="rgb24")
        frame.time_base = _CLOCK if self._is_timed else 1 / Fraction(self._stream.codec_context.framerate)
        frame.pts = self._next_tick if time_s is None else max(round(time_s / _CLOCK), self._next_tick)
        self._next_tick = frame.pts + 1
        self._mux(frame)

    def _mux(self, frame: av.VideoFrame | None) -> None:
        try:
            self._container.mux(self._stream.encode(frame))
        except OSError as error:
            self._abandon()
            raise output_error(error, self._path) from error

    def close(self) -> None:
        """Writes what is pending and closes the file; may be called twice. Raises OutputError."""
        if self._closed:
            return
        self._closed = True
        try:
            if self._next_tick:
                self._container.mux(self._stream.encode(None))
            self._container.close()
            self._file.close()
        except OSError as error:
            self._abandon()
            raise output_error(error, self._path) from error

    def _abandon(self) -> None:
        """Lets go after a fault: what the disk holds already stays playable."""
        self._closed = True
        self._file.close()

    def __enter__(self) -> VideoSink:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _padded_to_even(image_HW3: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    height, width, _ = image_HW3.shape
    if height % 2 or width % 2:
        return np.pad(image_HW3, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    return np.ascontiguousarray(image_HW3)
