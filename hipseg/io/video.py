"""Video files as sources of frames."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from hipseg.io.file_kind import FileFormat, unreadable
from hipseg.io.picture_source import ClipFacts, Picture, PictureSource, frame_rate_or_default, is_plausible_rate
from hipseg.io.source import SourceOptions
from hipseg.io.video_decoding import OpenVideo, decoded_frames, open_video

_FFMPEG_NAMES = {
    FileFormat.MP4: "mov",
    FileFormat.AVI: "avi",
    FileFormat.MATROSKA: "matroska",
    FileFormat.GIF: "gif",
}


def open_video_file(path: Path, format_: FileFormat, options: SourceOptions) -> PictureSource:
    """Opens a video file.

    Times are the file's own time stamps (recordings of a screen often have a varying rate), unless the user gives
    a rate.

    Raises:
        SourceError: not a video, cut before its index, or without a frame that can be decoded.
        UsageError: an option does not fit.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise unreadable(path, error) from error
    try:
        video = open_video(file, path, _FFMPEG_NAMES[format_])
        facts = _describe(video, path, options)
        pictures = _pictures(video, facts, has_own_times=options.frame_rate_hz is None)

        def release() -> None:
            video.container.close()
            file.close()

        return PictureSource(facts, pictures, options, release)
    except BaseException:
        file.close()
        raise


def _describe(video: OpenVideo, path: Path, options: SourceOptions) -> ClipFacts:
    warnings: list[str] = []
    rate = video.stream.average_rate or video.stream.guessed_rate
    rate_hz = float(rate) if rate and is_plausible_rate(float(rate)) else None
    return ClipFacts(
        source_id=path.stem,
        kind="video",
        where=path,
        num_frames=video.stream.frames or None,
        frame_rate_hz=frame_rate_or_default(rate_hz, options, warnings),
        warnings=warnings,
    )


def _pictures(video: OpenVideo, facts: ClipFacts, *, has_own_times: bool) -> Iterator[Picture]:
    """Pictures with times that always go on: a stamp that is missing or goes back is replaced by the nominal step."""
    step_s = 1 / (facts.frame_rate_hz or 1.0)
    last_s: float | None = None
    for frame in decoded_frames(video, facts.where):
        expected_s = 0.0 if last_s is None else last_s + step_s
        goes_on = frame.time_s is not None and (last_s is None or frame.time_s > last_s)
        last_s = frame.time_s if has_own_times and goes_on and frame.time_s is not None else expected_s
        yield Picture(frame.image_HW, last_s, frame.flow)
