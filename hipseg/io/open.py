"""From what a user names to an open source of frames."""

from __future__ import annotations

import re
from pathlib import Path

from hipseg.errors import SourceError, UsageError
from hipseg.io.camera import CAMERA_PREFIX, open_camera
from hipseg.io.clips import SERIES_MARK, FileGroup, group_files, list_clips
from hipseg.io.dicom.series import open_dicom_series
from hipseg.io.dicom.source import open_dicom
from hipseg.io.file_kind import FileKind, format_of
from hipseg.io.images import open_image, open_image_folder
from hipseg.io.scan_region import parse_region
from hipseg.io.source import Source, SourceOptions
from hipseg.io.video import open_video_file

_IGTL = re.compile(r"igtl://[^:/\s]+(:\d{1,5})?(/.+)?")


def open_source(spec: str, options: SourceOptions = SourceOptions()) -> Source:
    """Opens a source of frames.

    Args:
        spec: a DICOM, video or image file, a folder with one clip (images, or a DICOM series), or "camera:N".
            What a file is, its content tells, not its name.
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
    if spec.startswith("igtl:"):
        raise _refuse_igtl(spec)
    path = Path(spec)
    if path.is_dir():
        return _open_folder(path, options)
    if SERIES_MARK in spec and not path.exists():
        return _open_series_of(spec, options)
    return _open_file(path, options)


def _open_file(path: Path, options: SourceOptions) -> Source:
    format_ = format_of(path)
    if format_.kind is FileKind.DICOM:
        return open_dicom(path, options)
    if format_.kind is FileKind.VIDEO:
        return open_video_file(path, format_, options)
    return open_image(path, format_, options)


def _open_folder(folder: Path, options: SourceOptions) -> Source:
    groups = group_files(folder)
    whole = [group for group in groups if group.spec == str(folder)] or groups
    if len(whole) == 1:
        return _open_group(folder, whole[0], options)
    clips = list_clips(str(folder))
    if len(clips) == 1:
        return open_source(clips[0].spec, options)
    raise SourceError(
        f"holds {len(clips)} recordings", where=folder, expected="one clip", mend="name one of the files in it"
    )


def _open_series_of(spec: str, options: SourceOptions) -> Source:
    folder = Path(spec.split(SERIES_MARK)[0])
    for group in group_files(folder):
        if group.spec == spec:
            return _open_group(folder, group, options)
    raise SourceError("does not hold that series any more", where=folder)


def _open_group(folder: Path, group: FileGroup, options: SourceOptions) -> Source:
    if group.series:
        return open_dicom_series(folder, group.series, options)
    if len(group.paths) > 1:
        return open_image_folder(folder, group.paths, options)
    return _open_file(group.paths[0], options)


def _refuse_igtl(spec: str) -> Exception:
    if not _IGTL.fullmatch(spec):
        return UsageError(f"'{spec}' is not an address", where="source", expected="igtl://HOST:PORT[/DEVICE]")
    mend = "record a clip, or capture the screen with camera:N"
    return SourceError("OpenIGTLink sources are not supported yet", where=spec, mend=mend)
