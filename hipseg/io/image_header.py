"""Size of an image file, and whether it holds more than one picture, read without decoding it."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from struct import unpack
from typing import BinaryIO, NamedTuple

from hipseg.errors import SourceError
from hipseg.io.file_kind import FileFormat, unreadable

_JPEG_SIZES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_ALONE = frozenset(range(0xD0, 0xD9)) | {0x01}
_TIFF_WIDTH, _TIFF_HEIGHT, _TIFF_SHORT = 256, 257, 3
_MAX_CHUNKS = 1000


class ImageHeader(NamedTuple):
    """Size in pixels, and whether further pictures follow the first."""

    height: int
    width: int
    has_more: bool = False


def read_image_header(path: Path, format_: FileFormat) -> ImageHeader:
    """Reads the header of a png, jpg, bmp or tif file. Raises SourceError when it is damaged."""
    try:
        with path.open("rb") as file:
            return _READERS[format_](file)
    except OSError as error:
        raise unreadable(path, error) from error
    except (struct.error, ValueError) as error:
        what = f"its {format_.value} header is damaged or cut short"
        raise SourceError(what, where=path, mend="copy or export it again") from error


def _read_png(file: BinaryIO) -> ImageHeader:
    file.seek(16)
    width, height = unpack(">II", file.read(8))
    file.seek(8)
    # An animated PNG says so in a chunk before the first image data.
    for _ in range(_MAX_CHUNKS):
        length, kind = unpack(">I4s", file.read(8))
        if kind in (b"acTL", b"IDAT"):
            return ImageHeader(height, width, has_more=kind == b"acTL")
        file.seek(length + 4, io.SEEK_CUR)
    raise ValueError("no image data")


def _read_jpeg(file: BinaryIO) -> ImageHeader:
    file.seek(2)
    for _ in range(_MAX_CHUNKS):
        prefix, marker = unpack(">BB", file.read(2))
        if prefix != 0xFF:
            raise ValueError("no marker")
        if marker == 0xFF:  # fill bytes may stand before a marker
            file.seek(-1, io.SEEK_CUR)
        elif marker not in _JPEG_ALONE:
            (length,) = unpack(">H", file.read(2))
            if marker in _JPEG_SIZES:
                _, height, width = unpack(">BHH", file.read(5))
                return ImageHeader(height, width)
            file.seek(length - 2, io.SEEK_CUR)
    raise ValueError("no frame header")


def _read_bmp(file: BinaryIO) -> ImageHeader:
    file.seek(14)
    (header_bytes,) = unpack("<I", file.read(4))
    if header_bytes == 12:
        width, height = unpack("<HH", file.read(4))
    else:
        width, height = unpack("<ii", file.read(8))
    # A negative height says that the first row comes first.
    return ImageHeader(abs(height), width)


def _read_tiff(file: BinaryIO) -> ImageHeader:
    order = "<" if file.read(2) == b"II" else ">"
    _, directory = unpack(f"{order}HI", file.read(6))
    file.seek(directory)
    (num_entries,) = unpack(f"{order}H", file.read(2))
    sizes: dict[int, int] = {}
    for _ in range(num_entries):
        tag, kind, _, value = unpack(f"{order}HHI4s", file.read(12))
        if tag in (_TIFF_WIDTH, _TIFF_HEIGHT):
            sizes[tag] = unpack(f"{order}H", value[:2])[0] if kind == _TIFF_SHORT else unpack(f"{order}I", value)[0]
    (following,) = unpack(f"{order}I", file.read(4))
    if len(sizes) < 2:
        raise ValueError("no size")
    return ImageHeader(sizes[_TIFF_HEIGHT], sizes[_TIFF_WIDTH], has_more=following != 0)


_READERS = {
    FileFormat.PNG: _read_png,
    FileFormat.JPEG: _read_jpeg,
    FileFormat.BMP: _read_bmp,
    FileFormat.TIFF: _read_tiff,
}
