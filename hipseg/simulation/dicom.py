"""A simulated clip as an ultrasound multi-frame DICOM file with a calibrated region (PS3.3 A.7, C.8.5.5)."""

from __future__ import annotations

import io
from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence as DicomSequence
from pydicom.uid import JPEGBaseline8Bit, UltrasoundMultiFrameImageStorage, generate_uid

from hipseg import __version__
from hipseg.frame import Spacing

_JPEG_QUALITY = 92
_CENTIMETRES = 3
_TISSUE, _TWO_DIMENSIONAL = 1, 1
_FRAME_TIME_TAG = 0x00181063
_UNKNOWN = ("Laterality", "PatientOrientation")


def encode_jpeg(image_HW: npt.NDArray[np.uint8]) -> bytes:
    """A grey frame as baseline JPEG, the encoding that every DICOM viewer reads."""
    _, encoded = cv2.imencode(".jpg", image_HW, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return encoded.tobytes()


def encode_dicom(
    jpegs: Sequence[bytes], shape: tuple[int, int], spacing: Spacing, frame_rate_hz: float, patient: str
) -> bytes:
    """The bytes of a DICOM file; equal arguments give equal bytes.

    Args:
        jpegs: grey frames from `encode_jpeg`.
        shape: height and width of each, pixels.
        spacing: of their pixels, kept exactly.
        frame_rate_hz: of the clip.
        patient: a pseudonym.
    """
    dataset = Dataset()
    dataset.file_meta = _file_meta(patient)
    _identify(dataset, patient)
    dataset.SequenceOfUltrasoundRegions = DicomSequence([_region(*shape, spacing)])
    _describe_pixels(dataset, *shape, len(jpegs))
    dataset.FrameTime = f"{1000 / frame_rate_hz:.10g}"
    dataset.FrameIncrementPointer = _FRAME_TIME_TAG
    dataset.PixelData = encapsulate(list(jpegs))
    dataset["PixelData"].VR = "OB"
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


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
    dataset.SeriesNumber, dataset.InstanceNumber = 1, 1
    for name in ("PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID", "AccessionNumber", *_UNKNOWN):
        setattr(dataset, name, "")
    dataset.ReferringPhysicianName = ""


def _region(height: int, width: int, spacing: Spacing) -> Dataset:
    region = Dataset()
    region.RegionSpatialFormat, region.RegionDataType, region.RegionFlags = _TWO_DIMENSIONAL, _TISSUE, 0
    region.RegionLocationMinX0, region.RegionLocationMinY0 = 0, 0
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = width - 1, height - 1
    region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = _CENTIMETRES
    region.PhysicalDeltaX, region.PhysicalDeltaY = spacing.column_mm / 10, spacing.row_mm / 10
    return region


def _describe_pixels(dataset: Dataset, height: int, width: int, num_frames: int) -> None:
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.NumberOfFrames, dataset.Rows, dataset.Columns = num_frames, height, width
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 8, 8, 7, 0
    dataset.LossyImageCompression, dataset.LossyImageCompressionMethod = "01", "ISO_10918_1"
