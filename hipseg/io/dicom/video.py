"""MPEG-2, H.264 and HEVC inside DICOM: one coded stream over all fragments (PS3.5 8.2.5-8.2.8)."""

from __future__ import annotations

import io
from collections.abc import Iterator

from hipseg.errors import SourceError
from hipseg.io.dicom.decoding import ends_early
from hipseg.io.dicom.file import DicomFile
from hipseg.io.dicom.fragments import FragmentStream, index_fragments
from hipseg.io.dicom.pixel_format import PixelFormat
from hipseg.io.doppler import Decoded
from hipseg.io.video_decoding import decoded_frames, open_video

_FIRST, _LAST = 100, 108
_JPEG_AND_VIDEO = "1.2.840.10008.1.2.4."


def is_video(file: DicomFile) -> bool:
    """Whether the transfer syntax is one of the coded videos, 1.2.840.10008.1.2.4.100 to .108 (and .1 of each)."""
    uid = str(file.transfer_syntax)
    if not uid.startswith(_JPEG_AND_VIDEO):
        return False
    number = uid.removeprefix(_JPEG_AND_VIDEO).split(".")[0]
    return number.isdigit() and _FIRST <= int(number) <= _LAST


def video_frames(file: DicomFile, format_: PixelFormat, warnings: list[str]) -> Iterator[Decoded]:
    """Decodes the frames of a coded video to grey and flow, as many as the header says.

    Raises:
        SourceError: the stream cannot be decoded, ends early, or has another size than the header says.
    """
    if format_.location.length is not None:
        raise SourceError("its video is not encapsulated", where=file.path, mend="export it again")
    fragments = index_fragments(file.body, format_.location.offset)
    stream = io.BufferedReader(FragmentStream(file.body, fragments))
    video = open_video(stream, file.path)
    count = 0
    with video.container:
        for frame in decoded_frames(video, file.path):
            if count == format_.num_frames:
                warnings.append("The file holds more frames than its header says; the rest was left out.")
                return
            if frame.image_HW.shape != (format_.rows, format_.columns):
                height, width = frame.image_HW.shape
                expected = f"{format_.columns} x {format_.rows} as its header says"
                raise SourceError(f"its video has {width} x {height} pixels", where=file.path, expected=expected)
            yield Decoded(frame.image_HW, frame.flow)
            count += 1
    if count < format_.num_frames:
        raise ends_early(file, count, format_)
