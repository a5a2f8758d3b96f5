"""From what a user names to an open source of frames."""

from __future__ import annotations

from pathlib import Path

from hipseg.io.camera import CAMERA_PREFIX, open_camera
from hipseg.io.clips import SERIES_MARK, find_group
from hipseg.io.dicom.series import open_dicom_series
from hipseg.io.dicom.source import open_dicom
from hipseg.io.file_kind import FileKind, format_of
from hipseg.io.igtl.source import IGTL_PREFIX, open_igtl
from hipseg.io.images import open_image, open_image_folder
from hipseg.io.network_stream import STREAM_SCHEMES, open_network_stream
from hipseg.io.replay import REPLAY_PREFIX, open_replay
from hipseg.io.scan_region import parse_region
from hipseg.io.source import Source, SourceOptions
from hipseg.io.video import open_video_file

LIVE_PREFIXES = (CAMERA_PREFIX, IGTL_PREFIX, REPLAY_PREFIX, *STREAM_SCHEMES)


def is_live_spec(spec: str) -> bool:
    """Whether a spec names a live source."""
    return spec.startswith(LIVE_PREFIXES)


def open_source(spec: str, options: SourceOptions = SourceOptions()) -> Source:
    """Opens a source of frames.

    Args:
        spec: a DICOM, video or image file, a folder with one clip (images, or a DICOM series), or a live source:
            "camera:N", "igtl://HOST:PORT[/DEVICE]", "rtsp://...", "http://..." (MJPEG), "replay:RECORDING". What a
            file is, its content tells, not its name.
        options: what the user says about it.

    Returns:
        The open source: at least its first frame could be decoded.

    Raises:
        SourceError: missing, unreadable, damaged, of no supported kind, or not ultrasound.
        UsageError: an option is malformed or does not fit the source.
    """
    parse_region(options.region)
    if spec.startswith(CAMERA_PREFIX):
        return open_camera(spec, options)
    if spec.startswith(IGTL_PREFIX):
        return open_igtl(spec, options)
    if spec.startswith(STREAM_SCHEMES):
        return open_network_stream(spec, options)
    if spec.startswith(REPLAY_PREFIX):
        return open_replay(spec, options, _open_recording)
    return _open_recording(spec, options)


def _open_recording(spec: str, options: SourceOptions) -> Source:
    group = find_group(spec)
    folder = Path(spec.split(SERIES_MARK)[0])
    if group.series:
        return open_dicom_series(folder, group.series, options)
    if len(group.paths) > 1:
        return open_image_folder(folder, group.paths, options)
    return _open_file(group.paths[0], options)


def _open_file(path: Path, options: SourceOptions) -> Source:
    format_ = format_of(path)
    if format_.kind is FileKind.DICOM:
        return open_dicom(path, options)
    if format_.kind is FileKind.VIDEO:
        return open_video_file(path, format_, options)
    return open_image(path, format_, options)
