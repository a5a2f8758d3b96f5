"""A DICOM file up to its pixel data, which stays on the disk."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from struct import unpack
from typing import Any, BinaryIO

from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset, read_preamble
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from hipseg.errors import SourceError
from hipseg.io.dicom.inflate import InflatedStream
from hipseg.io.dicom.values import text_of
from hipseg.io.file_kind import unreadable
from hipseg.io.quiet import quiet_pydicom

_META_GROUP = 0x0002
_PIXEL_DATA = 0x7FE00010
_PIXEL_TAGS = (0x7FE00008, 0x7FE00009, _PIXEL_DATA)
_UNDEFINED_LENGTH = 0xFFFFFFFF
# Private elements of a machine can be as large as the clip; nothing here needs them.
_LARGEST_VALUE_BYTES = 1 << 22


@dataclass(frozen=True, slots=True)
class PixelLocation:
    """Where the value of the pixel data begins in the body.

    Attributes:
        offset: of the first byte.
        length: bytes; None for encapsulated data.
        vr: "OB", "OW", or "" where the encoding names none.
    """

    offset: int
    length: int | None
    vr: str


@dataclass(slots=True)
class DicomFile:
    """An open DICOM file.

    Attributes:
        path: for messages.
        body: the data set's bytes (unpacked where they are deflated).
        header: the elements before the pixel data.
        transfer_syntax: how the body is encoded.
        pixels: None when there is no pixel data.
    """

    path: Path
    body: BinaryIO
    header: Dataset
    transfer_syntax: UID
    pixels: PixelLocation | None

    def close(self) -> None:
        """Closes the file; may be called twice."""
        self.body.close()


def open_dicom_file(path: Path) -> DicomFile:
    """Opens a DICOM file and reads its header.

    Raises:
        SourceError: the file cannot be opened, is not DICOM, or its header is damaged.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise unreadable(path, error) from error
    try:
        return _read(path, file)
    except SourceError:
        file.close()
        raise
    except Exception as error:
        file.close()
        mend = "export or copy it again"
        raise SourceError("its DICOM header is damaged or cut short", where=path, mend=mend) from error


def _read(path: Path, file: BinaryIO) -> DicomFile:
    with quiet_pydicom():
        read_preamble(file, force=True)
        meta = read_dataset(file, is_implicit_VR=False, is_little_endian=True, stop_when=_after_meta)
        syntax = UID(text_of(meta, "TransferSyntaxUID")) or _guess_syntax(file)
        is_deflated = syntax == DeflatedExplicitVRLittleEndian
        body: BinaryIO = io.BufferedReader(InflatedStream(file)) if is_deflated else file
        is_little_endian = syntax != ExplicitVRBigEndian
        header = read_dataset(
            body,
            is_implicit_VR=syntax == ImplicitVRLittleEndian,
            is_little_endian=is_little_endian,
            stop_when=_at_pixels,
            defer_size=_LARGEST_VALUE_BYTES,
        )
        header.update(meta)
    return DicomFile(path, body, header, syntax, _locate_pixels(body, "<" if is_little_endian else ">"))


def _after_meta(tag: Any, vr: str | None, length: int) -> bool:
    del vr, length
    return bool(tag >> 16 != _META_GROUP)


def _at_pixels(tag: Any, vr: str | None, length: int) -> bool:
    del vr, length
    return tag in _PIXEL_TAGS


def _guess_syntax(file: BinaryIO) -> UID:
    """The encoding of a data set without file meta information, by its first element."""
    start = file.tell()
    first = file.read(6)
    file.seek(start)
    if not first[4:6].isalpha():
        return ImplicitVRLittleEndian
    return ExplicitVRBigEndian if first[0] == 0 and first[1] != 0 else ExplicitVRLittleEndian


def _locate_pixels(body: BinaryIO, byte_order: str) -> PixelLocation | None:
    """Reads the pixel data's element header; some writers leave out the VR that their transfer syntax demands."""
    head = body.read(8)
    # As the low bytes of a length both names would be odd, which no length is.
    vr = head[4:6].decode() if head[4:6] in (b"OB", b"OW") else ""
    if vr:
        head = head[:4] + body.read(4)
    if len(head) < 8:
        return None
    group, element, length = unpack(f"{byte_order}HHL", head)
    if (group << 16) + element != _PIXEL_DATA:
        return None
    return PixelLocation(body.tell(), None if length == _UNDEFINED_LENGTH else length, vr)
