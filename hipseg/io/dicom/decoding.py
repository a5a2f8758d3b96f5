"""Encoded frames to arrays, one at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.encaps import encapsulate
from pydicom.pixels.decoders.base import get_decoder

from hipseg.errors import SourceError
from hipseg.io.dicom.file import DicomFile
from hipseg.io.dicom.fragments import Fragments, frame_starts, index_fragments
from hipseg.io.dicom.grey_levels import grey_table
from hipseg.io.dicom.pixel_format import PixelFormat
from hipseg.io.dicom.values import value_of
from hipseg.io.doppler import Decoded, decoded
from hipseg.io.grey import to_8_bit
from hipseg.io.quiet import captured_stderr, quiet_pydicom

_DAMAGED = "The data of some frames is damaged: parts of the picture may be wrong."

SUPPORTED_SYNTAXES = "uncompressed, deflated, RLE, JPEG, JPEG-LS, JPEG 2000, MPEG-2, H.264 or HEVC"


def grey_frames(file: DicomFile, format_: PixelFormat, warnings: list[str]) -> Iterator[Decoded]:
    """Decodes the frames of an image or clip to 8-bit grey, reading each when it is asked for.

    Args:
        file: stays open while frames are read.
        format_: of its pixels.
        warnings: what the user should know is added.

    Yields:
        Grey levels, uint8 [H, W], and colour flow.

    Raises:
        SourceError: the encoding is not supported, or a frame is missing or cannot be decoded.
    """
    table: npt.NDArray[np.uint8] | None = None
    for index, encoded in enumerate(_encoded_frames(file, format_, warnings)):
        image = _decode(file, format_, encoded, index, warnings)
        if format_.samples == 3:
            yield decoded(np.ascontiguousarray(to_8_bit(image, format_.bits_stored)))
            continue
        if table is None:
            table = grey_table(file, format_, image, warnings)
        yield Decoded(table[image.view(f"u{image.dtype.itemsize}")])


def _encoded_frames(file: DicomFile, format_: PixelFormat, warnings: list[str]) -> Iterator[bytes]:
    if not file.transfer_syntax.is_transfer_syntax:
        raise _unsupported(file)
    if file.transfer_syntax.is_encapsulated != (format_.location.length is None):
        what = f"its pixel data is not encoded as its transfer syntax '{file.transfer_syntax.name}' says"
        raise SourceError(what, where=file.path, mend="export it again")
    if format_.location.length is None:
        yield from _encapsulated_frames(file, format_, warnings)
    else:
        yield from _native_frames(file, format_)


def _native_frames(file: DicomFile, format_: PixelFormat) -> Iterator[bytes]:
    for index in range(format_.num_frames):
        file.body.seek(format_.location.offset + index * format_.frame_bytes)
        encoded = file.body.read(format_.frame_bytes)
        if len(encoded) < format_.frame_bytes:
            raise ends_early(file, index, format_)
        yield encoded


def _encapsulated_frames(file: DicomFile, format_: PixelFormat, warnings: list[str]) -> Iterator[bytes]:
    fragments = index_fragments(file.body, format_.location.offset)
    starts = frame_starts(file.body, fragments, format_.num_frames, _extended_offsets(file))
    if len(starts) - 1 > format_.num_frames:
        warnings.append("The file holds more frames than its header says; the rest was left out.")
    for index in range(format_.num_frames):
        if index + 1 >= len(starts):
            raise ends_early(file, index, format_)
        yield _read_fragments(file, fragments, range(starts[index], starts[index + 1]))


def _read_fragments(file: DicomFile, fragments: Fragments, indices: range) -> bytes:
    parts = []
    for index in indices:
        file.body.seek(fragments.offsets[index])
        parts.append(file.body.read(fragments.lengths[index]))
    return b"".join(parts)


def _extended_offsets(file: DicomFile) -> list[int]:
    table = value_of(file.header, "ExtendedOffsetTable")
    return np.frombuffer(table, "<u8").tolist() if isinstance(table, bytes) and len(table) % 8 == 0 else []


def _decode(file: DicomFile, format_: PixelFormat, encoded: bytes, index: int, warnings: list[str]) -> npt.NDArray[Any]:
    is_native = format_.location.length is not None
    with quiet_pydicom(), nullcontext() if is_native else captured_stderr() as remarks:
        try:
            image = _as_array(file, format_, encoded)
        except NotImplementedError as error:
            raise _unsupported(file) from error
        except Exception as error:
            what = f"frame {index} of {format_.num_frames} cannot be decoded ({file.transfer_syntax.name})"
            raise SourceError(
                what, where=file.path, mend="it is damaged, or of a rare kind: export it again"
            ) from error
        if remarks and remarks.tell() and _DAMAGED not in warnings:
            warnings.append(_DAMAGED)
    # Decoders may answer in the file's byte order, or in fewer bits than the header allocates.
    return image.astype(format_.dtype, copy=False)


def _as_array(file: DicomFile, format_: PixelFormat, encoded: bytes) -> npt.NDArray[Any]:
    """Levels [H, W] or RGB [H, W, 3] of one frame."""
    source = encapsulate([encoded], has_bot=False) if format_.location.length is None else encoded
    options = format_.decoder_options()
    if format_.location.vr:
        options["pixel_vr"] = format_.location.vr
    image, _ = get_decoder(file.transfer_syntax).as_array(source, index=0, **options)
    return image


def _unsupported(file: DicomFile) -> SourceError:
    what = f"transfer syntax '{file.transfer_syntax.name}' cannot be decoded"
    return SourceError(what, where=file.path, expected=SUPPORTED_SYNTAXES, mend="export it in one of these")


def ends_early(file: DicomFile, index: int, format_: PixelFormat) -> SourceError:
    """The fault of a file that holds fewer frames than its header says."""
    what = f"is cut short: {index} of {format_.num_frames} frames are there"
    return SourceError(what, where=file.path, mend="copy or export it again")
