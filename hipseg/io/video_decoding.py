"""Coded video to grey pictures: files, and streams inside DICOM."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import av
import av.logging
from av.container import InputContainer
from av.video.stream import VideoStream

from hipseg.errors import SourceError
from hipseg.frame import ColourFlow, ImageHW
from hipseg.io.picture_source import check_size
from hipseg.io.video_picture import picture_of

# What matters becomes a SourceError; the rest is chatter on the user's terminal.
av.logging.set_level(None)


class DecodedFrame(NamedTuple):
    """A decoded picture, grey uint8 [H, W], its presentation time in seconds where the stream tells it, and flow."""

    image_HW: ImageHW
    time_s: float | None
    flow: ColourFlow | None = None


class OpenVideo(NamedTuple):
    """A container and the one stream of it that is read."""

    container: InputContainer
    stream: VideoStream


def open_video(file: Any, where: str | Path, format_: str | None = None) -> OpenVideo:
    """Opens the first video stream of a file-like object.

    Args:
        file: with read and seek; not a path, which FFmpeg might take for a network address.
        where: for messages.
        format_: FFmpeg's name of the container; None lets it look.

    Raises:
        SourceError: not a video, cut before its index, without a video stream, or of a size that is not an image's.
    """
    try:
        container = av.open(file, "r", format=format_, metadata_errors="replace")
    except (av.FFmpegError, OSError, ValueError) as error:
        what, mend = "cannot be opened as a video", "the recording may have been cut short: export it again"
        raise SourceError(what, where=where, expected="mp4, mov, avi or mkv", mend=mend) from error
    if not container.streams.video:
        container.close()
        raise SourceError("holds no video stream", where=where, expected="a video")
    stream = container.streams.video[0]
    if stream.width and stream.height:
        check_size(stream.height, stream.width, where)
    return OpenVideo(container, stream)


def decoded_frames(video: OpenVideo, where: str | Path) -> Iterator[DecodedFrame]:
    """The frames in the order of presentation.

    Raises:
        SourceError: data that cannot be decoded, after the frames before it.
    """
    count = num_packets = 0
    try:
        for packet in video.container.demux(video.stream):
            num_packets += packet.size > 0
            for frame in packet.decode():
                if frame.is_corrupt:
                    raise SourceError(f"frame {count} is damaged", where=where, mend="export the recording again")
                image_HW, flow = picture_of(frame)
                yield DecodedFrame(image_HW, frame.time, flow)
                count += 1
    except (av.FFmpegError, OSError) as error:
        if isinstance(error, SourceError):
            raise
        what = f"cannot be decoded after {count} frames"
        raise SourceError(what, where=where, mend="the recording is damaged: export it again") from error
    if num_packets < video.stream.frames:
        what = f"is cut short: {num_packets} of {video.stream.frames} frames are there"
        raise SourceError(what, where=where, mend="copy or export it again")
