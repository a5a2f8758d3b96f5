"""Small recordings of drawn speckle, written as the files that machines write."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    ExplicitVRLittleEndian,
    UltrasoundImageStorage,
    UltrasoundMultiFrameImageStorage,
    generate_uid,
)

Image = npt.NDArray[np.uint8]

REGION = {
    "RegionSpatialFormat": 1,
    "RegionDataType": 1,
    "RegionFlags": 0,
    "RegionLocationMinX0": 8,
    "RegionLocationMinY0": 4,
    "RegionLocationMaxX1": 87,
    "RegionLocationMaxY1": 67,
    "PhysicalUnitsXDirection": 3,
    "PhysicalUnitsYDirection": 3,
    "PhysicalDeltaX": 0.01,
    "PhysicalDeltaY": 0.012,
}


def speckle(height: int, width: int, seed: int = 0) -> Image:
    """Rayleigh speckle as of log-compressed B-mode, grey levels about 40-200."""
    rng = np.random.default_rng(seed)
    field = rng.normal(size=(2, height, width)).astype(np.float32)
    smooth = np.stack([cv2.GaussianBlur(part, (0, 0), 1.2) for part in field])
    envelope = np.hypot(smooth[0], smooth[1])
    levels = 120 + 22 * np.log(envelope / envelope.mean() + 1e-3)
    return np.clip(levels, 30, 220).astype(np.uint8)


def speckle_clip(num_frames: int, height: int = 72, width: int = 96) -> list[Image]:
    """Frames that all differ, the first pixel telling which one it is (10, 20, ...)."""
    frames = [speckle(height, width, seed) for seed in range(num_frames)]
    for index, frame in enumerate(frames):
        frame[:4, :4] = (10 * (index + 1)) % 250
    return frames


def ultrasound_dataset(frames: Sequence[npt.NDArray[Any]], **fields: Any) -> Dataset:
    """An uncompressed ultrasound image (one frame) or clip; `fields` replace elements, None removes them."""
    first, dataset = frames[0], Dataset()
    is_colour = first.ndim == 3
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = UltrasoundMultiFrameImageStorage if len(frames) > 1 else UltrasoundImageStorage
    dataset.SOPInstanceUID, dataset.StudyInstanceUID, dataset.SeriesInstanceUID = (generate_uid() for _ in range(3))
    dataset.PatientName, dataset.PatientID, dataset.Modality = "Secret^Patient", "PATIENT-4711", "US"
    dataset.Rows, dataset.Columns = first.shape[:2]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = (3, "RGB") if is_colour else (1, "MONOCHROME2")
    if is_colour:
        dataset.PlanarConfiguration = 0
    dataset.BitsAllocated = dataset.BitsStored = 8 * first.dtype.itemsize
    dataset.HighBit, dataset.PixelRepresentation = dataset.BitsStored - 1, int(first.dtype.kind == "i")
    if len(frames) > 1:
        dataset.NumberOfFrames, dataset.FrameTime = len(frames), 40.0
    dataset.PixelData = b"".join(frame.tobytes() for frame in frames)
    dataset["PixelData"].VR = "OW" if first.dtype.itemsize > 1 else "OB"
    for keyword, value in fields.items():
        if value is None:
            delattr(dataset, keyword)
        else:
            setattr(dataset, keyword, value)
    return dataset


def region(**changes: Any) -> Dataset:
    """A calibrated 2-D tissue region: columns 8-87, rows 4-67, 0.1 mm a column and 0.12 mm a row."""
    item = Dataset()
    for keyword, value in {**REGION, **changes}.items():
        setattr(item, keyword, value)
    return item


def save(dataset: Dataset, path: Path) -> Path:
    """Writes a dataset as a DICOM file."""
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.save_as(path, enforce_file_format=True)
    return path


def encapsulated(dataset: Dataset, syntax: str, fragments: Iterable[bytes], **fields: Any) -> Dataset:
    """The dataset with its pixel data replaced by encoded frames."""
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.PixelData = encapsulate([fragment + bytes(len(fragment) % 2) for fragment in fragments])
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    for keyword, value in fields.items():
        setattr(dataset, keyword, value)
    return dataset


def write_video(file: Any, frames: Sequence[Image], rate_hz: int = 25, format_: str = "mp4", **options: str) -> None:
    """Writes grey frames as H.264 into a file or file-like object; even sizes only."""
    with av.open(str(file) if isinstance(file, Path) else file, "w", format=format_) as container:
        stream = container.add_stream("libx264", rate=Fraction(rate_hz), options={"crf": "4", **options})
        (stream.height, stream.width), stream.pix_fmt = frames[0].shape, "yuv420p"
        for index, frame in enumerate(frames):
            picture = av.VideoFrame.from_ndarray(np.repeat(frame[..., None], 3, axis=2), format="rgb24")
            picture.pts, picture.time_base = index, Fraction(1, rate_hz)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
