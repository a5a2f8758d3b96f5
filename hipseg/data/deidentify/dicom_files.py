"""One DICOM recording without persons, its pixels in the same layout and compressed without loss."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels.encoders.base import get_encoder
from pydicom.pixels.utils import iter_pixels
from pydicom.uid import RLELossless, UltrasoundMultiFrameImageStorage, generate_uid

from hipseg.data.deidentify.header import clean_header
from hipseg.data.deidentify.kept import Kept, Survey, decide
from hipseg.errors import SourceError
from hipseg.frame import ScanRegion
from hipseg.io.dicom.file import DicomFile, open_dicom_file
from hipseg.io.dicom.pixel_format import PixelFormat, read_pixel_format
from hipseg.io.dicom.region import read_calibration
from hipseg.io.dicom.source import check_ultrasound, dicom_images
from hipseg.io.dicom.values import text_of
from hipseg.io.dicom.video import is_video
from hipseg.io.quiet import quiet_pydicom
from hipseg.io.source import SourceOptions

Cleaned = tuple[bytes, Kept, Counter[str]]


def clean_dicom(path: Path, pseudonym_of: Callable[[str], str], *, given: ScanRegion | None, reviewed: bool) -> Cleaned:
    """The bytes of a recording without persons, what was kept of its frames, and what was taken out of its header.

    Args:
        path: of the recording.
        pseudonym_of: the name that takes a patient ID's place.
        given, reviewed: as for `kept.decide`.

    Raises:
        SourceError: not an ultrasound recording, damaged, or not sure to be clean afterwards.
    """
    file = open_dicom_file(path)
    try:
        check_ultrasound(file, SourceOptions())
        format_ = read_pixel_format(file)
        declared = read_calibration(file.header, format_.rows, format_.columns, []).region
        survey = Survey()
        for frame in _seen(path, file, format_):
            survey.add(frame)
        kept = decide(survey, str(path), declared=declared, given=given, reviewed=reviewed)
        header = _whole_header(path)
        removed = clean_header(header, pseudonym_of(text_of(file.header, "PatientID")))
        _replace_pixels(header, (kept.apply(frame, _black(format_, header)) for frame in _stored(path, file, format_)))
    finally:
        file.close()
    return _encoded(header), kept, removed


def _whole_header(path: Path) -> Dataset:
    with quiet_pydicom():
        try:
            header = pydicom.dcmread(path, force=True)
            header.decode()
        except Exception as error:  # pydicom's faults are of many kinds
            raise SourceError("its DICOM header is damaged or cut short", where=path) from error
    for keyword in ("PixelData", "ExtendedOffsetTable", "ExtendedOffsetTableLengths"):
        if keyword in header:
            delattr(header, keyword)
    return header


def _seen(path: Path, file: DicomFile, format_: PixelFormat) -> Iterator[npt.NDArray[np.uint8]]:
    """Frames as a person sees them, 8 bits a channel."""
    if format_.samples == 3 and format_.bits_allocated == 8 and not is_video(file):
        yield from _stored(path, file, format_)
    else:
        yield from dicom_images(file, format_, [])


def _stored(path: Path, file: DicomFile, format_: PixelFormat) -> Iterator[npt.NDArray[Any]]:
    """Frames as they are stored, colours as RGB; of video-encoded ones the grey levels."""
    if is_video(file):
        yield from dicom_images(file, format_, [])
        return
    try:
        with quiet_pydicom():
            yield from iter_pixels(path)
    except Exception as error:  # decoders fail in many ways
        raise SourceError("its pixel data cannot be decoded", where=path, mend="export it again") from error


def _black(format_: PixelFormat, header: Dataset) -> int:
    """The stored value that shows black."""
    if format_.photometric == "MONOCHROME1":
        return int((1 << (format_.bits_stored - int(format_.is_signed))) - 1)
    if format_.photometric == "PALETTE COLOR":
        channels = [np.frombuffer(header[f"{name}PaletteColorLookupTableData"].value, "<u2") for name in _CHANNELS]
        return int(np.sum([channel[: len(channels[0])] for channel in channels], axis=0, dtype=np.int64).argmin())
    return 0


_CHANNELS = ("Red", "Green", "Blue")


def _replace_pixels(header: Dataset, frames: Iterator[npt.NDArray[Any]]) -> None:
    encoded: list[bytes] = []
    shape: tuple[int, ...] = ()
    for frame in frames:
        if not encoded:
            shape = frame.shape
            _describe(header, frame)
        encoded.append(get_encoder(RLELossless).encode(np.ascontiguousarray(frame), **_layout(header)))
    header.NumberOfFrames = len(encoded)
    header.Rows, header.Columns = shape[:2]
    header.add_new("PixelData", "OB", encapsulate(encoded))
    header["PixelData"].is_undefined_length = True


def _describe(header: Dataset, frame: npt.NDArray[Any]) -> None:
    """What changes where colours or a video became plain frames."""
    if frame.ndim == 3:
        header.PhotometricInterpretation, header.SamplesPerPixel, header.PlanarConfiguration = "RGB", 3, 0
    elif header.get("SamplesPerPixel", 1) == 3:
        header.PhotometricInterpretation, header.SamplesPerPixel = "MONOCHROME2", 1
        del header.PlanarConfiguration


def _layout(header: Dataset) -> dict[str, Any]:
    names = ("Rows", "Columns", "SamplesPerPixel", "BitsAllocated", "BitsStored", "PixelRepresentation")
    layout: dict[str, Any] = {_snake(name): header.get(name, 0) for name in names}
    layout["photometric_interpretation"] = header.PhotometricInterpretation
    return layout | {"number_of_frames": 1, "planar_configuration": 0, "encoding_plugin": "pydicom"}


def _snake(keyword: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in keyword).lstrip("_")


def _encoded(header: Dataset) -> bytes:
    header.file_meta = FileMetaDataset()
    if not header.get("SOPInstanceUID"):
        header.SOPInstanceUID = generate_uid()
    if not header.get("SOPClassUID"):
        header.SOPClassUID = UltrasoundMultiFrameImageStorage
    header.file_meta.TransferSyntaxUID = RLELossless
    header.preamble = b"\0" * 128
    content = io.BytesIO()
    with quiet_pydicom():
        header.save_as(content, implicit_vr=False, little_endian=True, enforce_file_format=True)
    return content.getvalue()
