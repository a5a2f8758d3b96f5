"""What a file is, told by its content; its name only says what it claims to be."""

from __future__ import annotations

import stat
from enum import Enum
from pathlib import Path

from hipseg.errors import SourceError

HEAD_BYTES = 132
_PREAMBLE = 128
SUPPORTED = "DICOM, mp4, mov, avi, mkv, gif, png, jpg, bmp or tif"


class FileKind(Enum):
    """How a file is opened."""

    DICOM = "DICOM"
    VIDEO = "video"
    IMAGE = "image"


class FileFormat(Enum):
    """A format by its usual name."""

    DICOM = "dicom"
    MP4 = "mp4"
    AVI = "avi"
    MATROSKA = "mkv"
    GIF = "gif"
    PNG = "png"
    JPEG = "jpg"
    BMP = "bmp"
    TIFF = "tif"

    @property
    def kind(self) -> FileKind:
        """The way such a file is opened."""
        if self is FileFormat.DICOM:
            return FileKind.DICOM
        is_video = self in (FileFormat.MP4, FileFormat.AVI, FileFormat.MATROSKA, FileFormat.GIF)
        return FileKind.VIDEO if is_video else FileKind.IMAGE


_CLAIMS = {
    FileFormat.DICOM: (".dcm", ".dicom", ".ima"),
    FileFormat.MP4: (".mp4", ".m4v", ".mov"),
    FileFormat.AVI: (".avi",),
    FileFormat.MATROSKA: (".mkv", ".webm"),
    FileFormat.GIF: (".gif",),
    FileFormat.PNG: (".png", ".apng"),
    FileFormat.JPEG: (".jpg", ".jpeg"),
    FileFormat.BMP: (".bmp",),
    FileFormat.TIFF: (".tif", ".tiff"),
}
_BY_SUFFIX = {suffix: format_ for format_, suffixes in _CLAIMS.items() for suffix in suffixes}

_QUICKTIME_ATOMS = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot")
_PREFIXES = (
    (b"\x89PNG\r\n\x1a\n", FileFormat.PNG),
    (b"\xff\xd8\xff", FileFormat.JPEG),
    (b"II*\0", FileFormat.TIFF),
    (b"MM\0*", FileFormat.TIFF),
    (b"\x1aE\xdf\xa3", FileFormat.MATROSKA),
    (b"GIF8", FileFormat.GIF),
)


def format_of(path: Path) -> FileFormat:
    """The format of a file that can be read.

    Raises:
        SourceError: missing, a folder, not a regular file, empty, without permission, or of no supported format.
    """
    head = _read_head(path)
    found = _format_of_content(head)
    if found is not None:
        return found
    if claimed := claimed_format(path):
        what = f"named {path.suffix.lower()}, but its content is not {claimed.value.upper()}"
        raise SourceError(what, where=path, expected=SUPPORTED, mend="look at the file, or export the recording again")
    raise SourceError("not a format hipseg reads", where=path, expected=SUPPORTED)


def claimed_format(path: Path) -> FileFormat | None:
    """The format that a file's name claims, if any."""
    return _BY_SUFFIX.get(path.suffix.lower())


def is_candidate(path: Path) -> bool:
    """Whether a file in a folder is a recording by its name or by its content; unreadable ones go by name."""
    if claimed_format(path):
        return True
    try:
        return _format_of_content(_read_head(path)) is not None
    except SourceError:
        return False


def _read_head(path: Path) -> bytes:
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise SourceError("is a folder", where=path, expected="a file")
        # Opening a named pipe or a device may wait for ever.
        if not stat.S_ISREG(status.st_mode):
            raise SourceError("not a regular file", where=path, expected=SUPPORTED)
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except (OSError, ValueError) as error:
        if isinstance(error, SourceError):
            raise
        raise unreadable(path, error) from error
    if not head:
        raise SourceError("is empty", where=path, expected=SUPPORTED, mend="copy or export it again")
    return head


def unreadable(path: Path, error: Exception) -> SourceError:
    """The operating system's refusal to open a file, as its user should read it."""
    if isinstance(error, FileNotFoundError):
        return SourceError("does not exist", where=path, mend="check the path")
    if isinstance(error, PermissionError):
        return SourceError("may not be read", where=path, mend="ask for permission, or copy the file")
    reason = getattr(error, "strerror", None) or str(error)
    return SourceError(f"cannot be read ({reason})", where=path)


def _format_of_content(head: bytes) -> FileFormat | None:
    if head[_PREAMBLE:HEAD_BYTES] == b"DICM" or _is_dicom_without_preamble(head):
        return FileFormat.DICOM
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return FileFormat.AVI
    if head[4:8] in _QUICKTIME_ATOMS:
        return FileFormat.MP4
    # The four bytes after the size are reserved; two letters alone could begin any text.
    if head[:2] == b"BM" and head[6:10] == bytes(4):
        return FileFormat.BMP
    return next((format_ for prefix, format_ in _PREFIXES if head.startswith(prefix)), None)


def _is_dicom_without_preamble(head: bytes) -> bool:
    """Old files begin with their first element: group 0002 or 0008, a low element number, little or big endian."""
    little = head[:2] in (b"\x02\x00", b"\x08\x00") and head[3:4] == b"\x00"
    big = head[:2] in (b"\x00\x02", b"\x00\x08") and head[2:3] == b"\x00"
    return len(head) > 16 and (little or big)
