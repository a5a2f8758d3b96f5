"""Recordings of drawn scenes: DICOM clips with a calibrated region, and images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from drawn_scenes import DrawnScene
from grey_model import grey_of
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, UltrasoundMultiFrameImageStorage, generate_uid

from hipseg.frame import Spacing

PATIENT = "Doe^Jane"
_SPACING = Spacing(0.2, 0.2, "user")


def approaching_needle(num_frames: int) -> list[DrawnScene]:
    """A needle that advances by 0.4 mm a frame."""
    way = np.array([-0.78, 0.62])
    return [
        DrawnScene(height=240, width=320, spacing=_SPACING, tip=tuple(np.array([50.0, 17.0]) + 0.4 * k * way))  # type: ignore[arg-type]
        for k in range(num_frames)
    ]


def images_of(scenes: Sequence[DrawnScene]) -> np.ndarray:
    """Grey levels [N, H, W] that the grey model reads as the scenes' labels."""
    return np.stack([grey_of(scene.labels()) for scene in scenes])


def write_dicom_clip(path: Path, images_NHW: np.ndarray, pixel_mm: float | None = 0.2) -> Path:
    """An ultrasound multi-frame DICOM file at 25 frames a second, calibrated unless `pixel_mm` is None."""
    number, height, width = images_NHW.shape
    file = Dataset()
    file.SOPClassUID, file.SOPInstanceUID = UltrasoundMultiFrameImageStorage, generate_uid()
    file.StudyInstanceUID, file.SeriesInstanceUID = generate_uid(), generate_uid()
    file.Modality, file.PatientName, file.PatientID = "US", PATIENT, "PX-4711-Q"
    file.SamplesPerPixel, file.PhotometricInterpretation = 1, "MONOCHROME2"
    file.Rows, file.Columns, file.NumberOfFrames = height, width, number
    file.BitsAllocated, file.BitsStored, file.HighBit, file.PixelRepresentation = 8, 8, 7, 0
    file.FrameTime, file.FrameIncrementPointer = "40", 0x00181063
    if pixel_mm is not None:
        file.SequenceOfUltrasoundRegions = [_region(height, width, pixel_mm)]
    file.PixelData = images_NHW.tobytes()
    file.file_meta = FileMetaDataset()
    file.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    file.save_as(path, enforce_file_format=True)
    return path


def _region(height: int, width: int, pixel_mm: float) -> Dataset:
    region = Dataset()
    region.RegionSpatialFormat, region.RegionDataType, region.RegionFlags = 1, 1, 0
    region.RegionLocationMinX0, region.RegionLocationMinY0 = 0, 0
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = width - 1, height - 1
    region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = 3
    region.PhysicalDeltaX = region.PhysicalDeltaY = pixel_mm / 10
    return region


def write_images(folder: Path, images_NHW: np.ndarray) -> Path:
    """A folder of PNG files in order."""
    folder.mkdir(parents=True)
    for index, image_HW in enumerate(images_NHW):
        assert cv2.imwrite(str(folder / f"frame_{index:03d}.png"), image_HW)
    return folder
