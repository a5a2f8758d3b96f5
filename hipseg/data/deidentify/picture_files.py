"""Pictures and videos without what their files say beside the pixels, blanked around the scan, without loss."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import av
import cv2
import numpy as np
import numpy.typing as npt

from hipseg.data.deidentify.kept import Kept, Survey, decide
from hipseg.errors import SourceError
from hipseg.frame import ScanRegion
from hipseg.io.file_kind import FileFormat, unreadable
from hipseg.io.grey import to_8_bit
from hipseg.io.picture_source import check_size

_LARGEST_RATE_HZ, _DEFAULT_RATE_HZ = 1000, 25
Cleaned = tuple[bytes, Kept]


def clean_image(path: Path, *, given: ScanRegion | None, reviewed: bool) -> Cleaned:
    """A picture as a PNG without metadata; arguments and faults as for `dicom_files.clean_dicom`."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise unreadable(path, error) from error
    image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH)
    if image is None or image.dtype not in (np.uint8, np.uint16):
        raise SourceError("not an image this installation can decode", where=path)
    check_size(image.shape[0], image.shape[1], path)
    survey = Survey()
    survey.add(to_8_bit(np.asarray(image), 8 * image.dtype.itemsize))
    kept = decide(survey, str(path), declared=None, given=given, reviewed=reviewed)
    _, png = cv2.imencode(".png", kept.apply(np.asarray(image)))
    return png.tobytes(), kept


def clean_video(path: Path, *, given: ScanRegion | None, reviewed: bool) -> Cleaned:
    """A video as FFV1 in Matroska without sound, subtitles or metadata; arguments and faults as for `clean_image`."""
    survey = Survey()
    for frame_HW3 in _frames(path):
        survey.add(frame_HW3)
    kept = decide(survey, str(path), declared=None, given=given, reviewed=reviewed)
    content = io.BytesIO()
    with av.open(content, "w", format="matroska") as video:
        stream = None
        for frame_HW3 in _frames(path):
            if stream is None:
                stream = video.add_stream("ffv1", rate=_rate(path))
                stream.height, stream.width = frame_HW3.shape[:2]
                stream.pix_fmt = "bgr0"
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(kept.apply(frame_HW3)), format="rgb24")
            video.mux(stream.encode(picture))
        if stream is not None:
            video.mux(stream.encode())
    return content.getvalue(), kept


def _frames(path: Path) -> Iterator[npt.NDArray[np.uint8]]:
    try:
        with av.open(str(path)) as video:
            if not video.streams.video:
                raise SourceError("holds no video", where=path)
            for frame in video.decode(video.streams.video[0]):
                check_size(frame.height, frame.width, path)
                yield np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
    except av.FFmpegError as error:
        raise SourceError("its frames cannot be decoded", where=path, mend="copy or export it again") from error


def _rate(path: Path) -> int:
    with av.open(str(path)) as video:
        rate = video.streams.video[0].average_rate
    return round(rate) if rate and 1 <= rate <= _LARGEST_RATE_HZ else _DEFAULT_RATE_HZ


def suffix_of(format_: FileFormat) -> str:
    """The ending of a cleaned file."""
    return {"DICOM": ".dcm", "video": ".mkv", "image": ".png"}[format_.kind.value]
