"""Finding the files that annotations name, and never leaving the folder that was given."""

from __future__ import annotations

import hashlib
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

import cv2
import numpy as np

from hipseg.data.reading import ImageHW
from hipseg.errors import SourceError
from hipseg.io.file_kind import FileFormat, FileKind, format_of, unreadable
from hipseg.io.image_header import read_image_header
from hipseg.io.picture_source import check_size

PICTURE_ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")
CLIP_ENDINGS = (".dcm", ".dicom", ".mp4", ".m4v", ".mov", ".avi", ".mkv")

_LONGEST_ID = 80
_PNG_SIGNATURE, _PNG_PLAIN = (
    b"\x89PNG\r\n\x1a\n",
    {b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"sRGB", b"pHYs"},
)
_JPEG_START, _JPEG_SCAN, _JPEG_APP0, _JPEG_APP14 = b"\xff\xd8", 0xDA, 0xE0, 0xEE


class FileIndex:
    """The files below a folder, found by the names that annotations give them.

    Args:
        root: nothing outside it is ever read, wherever a name or a link points.
        endings: of the files that count, in small letters.
    """

    def __init__(self, root: Path, endings: Iterable[str]) -> None:
        self.root = root.resolve()
        self._by_name: dict[str, list[Path]] = defaultdict(list)
        self.paths = [path for path in files_below(root) if path.suffix.lower() in set(endings)]
        for path in self.paths:
            self._by_name[path.name.casefold()].append(path)

    def find(self, name: object, beside: Path, *, where: str, field: str) -> Path:
        """The file an annotation names: relative to its own folder or to the root, else the only one of that name.

        Raises:
            SourceError: not a name, it leads out of the folder, or there is no such file or several.
        """
        if not isinstance(name, str) or not name.strip() or "\0" in name:
            raise SourceError(f"field '{field}' is {name!r}", where=where, expected="the name of a file")
        relative = PurePosixPath(name.replace("\\", "/"))
        for folder in (beside, self.root):
            path = self._inside(folder / relative, name, where, field)
            if path.is_file():
                return path
        found = self._by_name[relative.name.casefold()]
        if len(found) == 1:
            return found[0]
        what = f"field '{field}' names '{name}', which is not there"
        if found:
            what = f"field '{field}' names '{name}', and {len(found)} files have that name"
        raise SourceError(what, where=where, expected="a file of the export")

    def _inside(self, path: Path, name: str, where: str, field: str) -> Path:
        try:
            resolved = path.resolve()
        except (OSError, RuntimeError) as error:
            raise SourceError(f"field '{field}' names '{name}', which cannot be followed", where=where) from error
        if not resolved.is_relative_to(self.root):
            raise SourceError(
                f"field '{field}' names '{name}', which leads out of the folder",
                where=where,
                expected="a file inside the export",
            )
        return resolved


def files_below(root: Path) -> Iterator[Path]:
    """All regular files below a folder by name, without hidden ones; links out of it or to folders are passed over."""
    real_root = root.resolve()
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(name for name in names if not name.startswith(".")):
            path = Path(folder, name)
            is_link = path.is_symlink()
            if path.is_file() and (not is_link or path.resolve().is_relative_to(real_root)):
                yield path


def relative_name(path: Path, root: Path) -> str:
    """How a file is called inside a source, without its ending."""
    if not path.is_relative_to(root):
        path, root = path.resolve(), root.resolve()
    relative = path.relative_to(root) if path.is_relative_to(root) else Path(path.name)
    return relative.with_suffix("").as_posix()


def safe_id(name: str) -> str:
    """A name as an id: letters, digits, ".", "_" and "-"; long ones end in a checksum of the whole."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", name.replace("/", "_")).strip("._-")
    if len(plain) <= _LONGEST_ID and plain:
        return plain
    return f"{plain[: _LONGEST_ID - 9] or 'case'}_{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def read_picture(path: Path) -> tuple[ImageHW, bytes | None]:
    """A picture in grey, uint8 [H, W], and its file where that may be kept byte for byte.

    PNG and JPEG of 8 bits are kept unless they carry anything beside the picture: texts and EXIF may name a patient.

    Raises:
        SourceError: not a picture, damaged, cut short, or of a size that is not an image's.
    """
    format_ = format_of(path)
    if format_.kind is not FileKind.IMAGE:
        raise SourceError(f"is {format_.value.upper()}", where=path, expected="a picture")
    header = read_image_header(path, format_)
    check_size(header.height, header.width, path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise unreadable(path, error) from error
    image_HW = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_GRAYSCALE)
    if image_HW is None or not _is_whole(content, format_):
        raise SourceError("its picture is damaged or cut short", where=path, mend="copy or export it again")
    return np.asarray(image_HW, np.uint8), content if _is_plain(content, format_) else None


def _is_whole(content: bytes, format_: FileFormat) -> bool:
    """OpenCV fills what is missing with grey; the end marks tell."""
    if format_ is FileFormat.PNG:
        return b"IEND" in content[-64:]
    return format_ is not FileFormat.JPEG or b"\xff\xd9" in content[-4096:]


def _is_plain(content: bytes, format_: FileFormat) -> bool:
    if format_ is FileFormat.PNG:
        return content[24] <= 8 and _png_chunks(content) <= _PNG_PLAIN
    return format_ is FileFormat.JPEG and _is_plain_jpeg(content)


def _png_chunks(content: bytes) -> set[bytes]:
    kinds, offset = set(), len(_PNG_SIGNATURE)
    while offset + 8 <= len(content):
        kinds.add(content[offset + 4 : offset + 8])
        offset += 12 + int.from_bytes(content[offset : offset + 4], "big")
    return kinds if offset == len(content) else kinds | {b"more"}


def _is_plain_jpeg(content: bytes) -> bool:
    """Whether nothing but JFIF's and Adobe's own markers and the coding tables stand before the scan."""
    offset = len(_JPEG_START)
    while offset + 4 <= len(content) and content[offset] == 0xFF:
        marker = content[offset + 1]
        if marker == _JPEG_SCAN:
            return content.endswith(b"\xff\xd9")
        is_application = 0xE0 <= marker <= 0xEF and marker not in (_JPEG_APP0, _JPEG_APP14)
        if is_application or marker == 0xFE:
            return False
        offset += 2 + int.from_bytes(content[offset + 2 : offset + 4], "big")
    return False
