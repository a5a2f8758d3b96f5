"""What the header says of the pixels, checked before any of them is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from hipseg.errors import SourceError
from hipseg.io.dicom.file import DicomFile, PixelLocation
from hipseg.io.dicom.values import integer_of, text_of, value_of
from hipseg.io.picture_source import check_size

_GREY = ("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR")
_COLOUR = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_PARTIAL_420", "YBR_PARTIAL_422", "YBR_RCT", "YBR_ICT")


@dataclass(frozen=True, slots=True)
class PixelFormat:
    """The image pixel module (PS3.3 C.7.6.3) of an ultrasound image, and where its data lies.

    Attributes:
        rows, columns: of a frame, pixels.
        num_frames: as the header says, at least 1.
        samples: 1, or 3 for colour.
        photometric: photometric interpretation.
        bits_allocated, bits_stored: 8 or 16, and at most that.
        is_signed: two's complement.
        planar: colour planes one after the other.
        location: of the data.
    """

    rows: int
    columns: int
    num_frames: int
    samples: int
    photometric: str
    bits_allocated: int
    bits_stored: int
    is_signed: bool
    planar: bool
    location: PixelLocation

    @property
    def frame_bytes(self) -> int:
        """Size of an uncompressed frame."""
        # YBR_FULL_422 stores two chroma values for two pixels.
        samples = 2 if self.photometric in ("YBR_FULL_422", "YBR_PARTIAL_422") else self.samples
        return self.rows * self.columns * samples * self.bits_allocated // 8

    @property
    def dtype(self) -> np.dtype:
        """Of a decoded frame."""
        return np.dtype(f"{'i' if self.is_signed else 'u'}{self.bits_allocated // 8}")

    def decoder_options(self) -> dict[str, Any]:
        """The description of one frame for pydicom's decoders."""
        return {
            "rows": self.rows,
            "columns": self.columns,
            "number_of_frames": 1,
            "samples_per_pixel": self.samples,
            "photometric_interpretation": self.photometric,
            "bits_allocated": self.bits_allocated,
            "bits_stored": self.bits_stored,
            "pixel_representation": int(self.is_signed),
            "planar_configuration": int(self.planar),
            "pixel_keyword": "PixelData",
        }


def read_pixel_format(file: DicomFile) -> PixelFormat:
    """Reads and checks the description of the pixels.

    Raises:
        SourceError: no pixel data, no frames, a field that is missing or of a kind that ultrasound does not have,
            or a frame that is too small or too large.
    """
    if file.pixels is None:
        mend = "the file may be a report, a directory, or cut short"
        raise SourceError("holds no pixel data", where=file.path, expected="an image", mend=mend)
    rows, columns = _required(file, "Rows"), _required(file, "Columns")
    check_size(rows, columns, file.path)
    bits_allocated = _one_of(file, "BitsAllocated", (8, 16), default=8)
    photometric = text_of(file.header, "PhotometricInterpretation").upper() or "MONOCHROME2"
    return PixelFormat(
        rows=rows,
        columns=columns,
        num_frames=_num_frames(file),
        samples=_samples(file, photometric),
        photometric=photometric,
        bits_allocated=bits_allocated,
        bits_stored=_one_of(file, "BitsStored", range(1, bits_allocated + 1), default=bits_allocated),
        is_signed=bool(_one_of(file, "PixelRepresentation", (0, 1), default=0)),
        planar=bool(_one_of(file, "PlanarConfiguration", (0, 1), default=0)),
        location=file.pixels,
    )


def _required(file: DicomFile, keyword: str) -> int:
    number = integer_of(file.header, keyword)
    if number is None:
        raise _refusal(file, keyword, "a whole number")
    return number


def _one_of(file: DicomFile, keyword: str, allowed: tuple[int, ...] | range, *, default: int) -> int:
    if value_of(file.header, keyword) is None:
        return default
    number = integer_of(file.header, keyword)
    if number is None or number not in allowed:
        raise _refusal(file, keyword, " or ".join(map(str, allowed)) if len(allowed) < 4 else f"1-{allowed[-1]}")
    return number


def _num_frames(file: DicomFile) -> int:
    if value_of(file.header, "NumberOfFrames") is None:
        return 1
    number = integer_of(file.header, "NumberOfFrames")
    if number is None or number < 1:
        raise _refusal(file, "NumberOfFrames", "at least one frame")
    return number


def _samples(file: DicomFile, photometric: str) -> int:
    if photometric not in _GREY + _COLOUR:
        raise _refusal(file, "PhotometricInterpretation", "one of " + ", ".join(_GREY + _COLOUR))
    samples = 1 if photometric in _GREY else 3
    return _one_of(file, "SamplesPerPixel", (samples,), default=samples)


def _refusal(file: DicomFile, keyword: str, expected: str) -> SourceError:
    found = text_of(file.header, keyword)
    what = f"{keyword} is {found}" if found else f"{keyword} is missing"
    return SourceError(what, where=file.path, expected=expected)
