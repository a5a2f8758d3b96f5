"""A simulated clip as an ultrasound multi-frame DICOM file with a calibrated region (PS3.3 A.7, C.8.5.5)."""

from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence as DicomSequence
from pydicom.uid import JPEGBaseline8Bit, UltrasoundMultiFrameImageStorage, generate_uid

from hipseg import __version__
from hipseg.frame import Spacing
from hipseg.io.writing import output_errors

_JPEG_QUALITY = 92
_CENTIMETRES = 3
_TISSUE, _COLOUR_FLOW, _TWO_DIMENSIONAL = 1, 2, 1
_FRAME_TIME_TAG, _FRAME_TIME_VECTOR_TAG = 0x00181063, 0x00181065
_ITEM = b"\xfe\xff\x00\xe0"
_UNKNOWN = ("Laterality", "PatientOrientation")


def encode_jpeg(image: npt.NDArray[np.uint8]) -> bytes:
    """A grey frame [H, W] or one in RGB [H, W, 3] as baseline JPEG, the encoding that every DICOM viewer reads."""
    pixels = image if image.ndim == 2 else np.ascontiguousarray(image[..., ::-1])
    settings = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
    settings += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422] if image.ndim == 3 else []
    _, encoded = cv2.imencode(".jpg", pixels, settings)
    return encoded.tobytes()


class DicomClip:
    """A DICOM file that is written frame by frame; equal frames and arguments give equal bytes.

    The encapsulated frames grow in a file beside its place, so that memory holds none of them.

    Args:
        path: of the file.
        shape: height and width of each frame, pixels.
        spacing: of their pixels, kept exactly.
        in_colour: whether the frames are RGB pictures.

    Raises:
        OutputError: the folder cannot be written.
    """

    def __init__(self, path: Path, shape: tuple[int, ...], spacing: Spacing, *, in_colour: bool) -> None:
        self._path, self._shape, self._spacing, self._in_colour = path, (shape[0], shape[1]), spacing, in_colour
        self._pixels = path.with_name(f".{path.name}.pixels.part")
        with output_errors(path):
            self._file = self._pixels.open("w+b")
            # An empty basic offset table (PS3.5 A.4): offsets are known only at the end, and readers do without.
            self._file.write(_ITEM + struct.pack("<I", 0))

    def append(self, jpeg: bytes) -> None:
        """Appends a frame from `encode_jpeg`. Raises OutputError."""
        padded = jpeg + b"\0" * (len(jpeg) % 2)
        with output_errors(self._path):
            self._file.write(_ITEM + struct.pack("<I", len(padded)) + padded)

    def finish(self, times_s: npt.NDArray[np.float64], frame_rate_hz: float, patient: str) -> None:
        """Puts the file in its place.

        Args:
            times_s: of the frames.
            frame_rate_hz: of the scanner; where frames are missing, a vector of frame times says so.
            patient: a pseudonym.

        Raises:
            OutputError: the file cannot be written.
        """
        dataset = self._dataset(times_s, frame_rate_hz, patient)
        part = self._path.with_name(f".{self._path.name}.part")
        with output_errors(self._path):
            self._file.seek(0)
            dataset.PixelData = self._file
            dataset["PixelData"].VR = "OB"
            dataset["PixelData"].is_undefined_length = True
            dataset.save_as(part, enforce_file_format=True)
            self._file.close()
            part.replace(self._path)
            self._pixels.unlink()

    def _dataset(self, times_s: npt.NDArray[np.float64], frame_rate_hz: float, patient: str) -> Dataset:
        dataset = Dataset()
        dataset.file_meta = _file_meta(patient)
        _identify(dataset, patient)
        regions = [_region(*self._shape, self._spacing, _TISSUE)]
        regions += [_region(*self._shape, self._spacing, _COLOUR_FLOW)] if self._in_colour else []
        dataset.SequenceOfUltrasoundRegions = DicomSequence(regions)
        _describe_pixels(dataset, *self._shape, len(times_s), in_colour=self._in_colour)
        _describe_times(dataset, times_s, frame_rate_hz)
        return dataset


def _describe_times(dataset: Dataset, times_s: npt.NDArray[np.float64], frame_rate_hz: float) -> None:
    """A constant frame time, or a vector of them where frames are missing (PS3.3 C.7.6.5)."""
    steps_ms = np.diff(times_s, prepend=times_s[:1]) * 1000
    if len(times_s) < 2 or np.allclose(steps_ms[1:], 1000 / frame_rate_hz):
        dataset.FrameTime = f"{1000 / frame_rate_hz:.10g}"
        dataset.FrameIncrementPointer = _FRAME_TIME_TAG
    else:
        dataset.FrameTimeVector = [f"{step:.10g}" for step in steps_ms]
        dataset.FrameIncrementPointer = _FRAME_TIME_VECTOR_TAG


def _file_meta(patient: str) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UltrasoundMultiFrameImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[patient, "instance"])
    meta.TransferSyntaxUID = JPEGBaseline8Bit
    return meta


def _identify(dataset: Dataset, patient: str) -> None:
    dataset.SOPClassUID = UltrasoundMultiFrameImageStorage
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID
    dataset.StudyInstanceUID = generate_uid(entropy_srcs=[patient, "study"])
    dataset.SeriesInstanceUID = generate_uid(entropy_srcs=[patient, "series"])
    dataset.Modality = "US"
    dataset.Manufacturer = "hipseg simulator"
    dataset.SoftwareVersions = __version__
    dataset.ImageType = ["DERIVED", "PRIMARY"]
    dataset.PatientName, dataset.PatientID = "Simulated^Patient", patient
    dataset.PatientIdentityRemoved = "YES"  # nobody to be named: what de-identifies may leave the file as it is
    dataset.SeriesNumber, dataset.InstanceNumber = 1, 1
    for name in ("PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID", "AccessionNumber", *_UNKNOWN):
        setattr(dataset, name, "")
    dataset.ReferringPhysicianName = ""


def _region(height: int, width: int, spacing: Spacing, data_type: int) -> Dataset:
    region = Dataset()
    region.RegionSpatialFormat, region.RegionDataType, region.RegionFlags = _TWO_DIMENSIONAL, data_type, 0
    region.RegionLocationMinX0, region.RegionLocationMinY0 = 0, 0
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = width - 1, height - 1
    region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = _CENTIMETRES
    region.PhysicalDeltaX, region.PhysicalDeltaY = spacing.column_mm / 10, spacing.row_mm / 10
    return region


def _describe_pixels(dataset: Dataset, height: int, width: int, num_frames: int, *, in_colour: bool) -> None:
    dataset.SamplesPerPixel = 3 if in_colour else 1
    dataset.PhotometricInterpretation = "YBR_FULL_422" if in_colour else "MONOCHROME2"
    if in_colour:
        dataset.PlanarConfiguration = 0
    dataset.NumberOfFrames, dataset.Rows, dataset.Columns = num_frames, height, width
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 8, 8, 7, 0
    dataset.LossyImageCompression, dataset.LossyImageCompressionMethod = "01", "ISO_10918_1"
