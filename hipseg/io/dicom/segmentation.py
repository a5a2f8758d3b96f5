"""Label maps of a DICOM clip as one DICOM Segmentation (PS3.3 A.51), for clips without a frame of reference too.

Patients do not come along: the study is referred to by its UIDs, and the patient's own fields stay empty unless
they are asked for.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryFile
from types import TracebackType
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SegmentationStorage, generate_uid

from hipseg import __version__
from hipseg.anatomy import BACKGROUND, FEMORAL_HEAD, IGNORED, STRUCTURES
from hipseg.errors import OutputError
from hipseg.io.clips import find_group
from hipseg.io.dicom.references import ReferencedClip, read_references
from hipseg.io.dicom.segmentation_frames import add_functional_groups, common_references
from hipseg.io.dicom.segments import segment_item
from hipseg.io.dicom.values import text_of, value_of
from hipseg.io.masks import LabelsHW
from hipseg.io.quiet import quiet_pydicom
from hipseg.io.writing import output_errors

_LARGEST_PIXEL_DATA = 2**32 - 2
_PATIENT = ("PatientName", "PatientID", "PatientBirthDate", "PatientSex")
_STUDY = ("StudyDate", "StudyTime", "ReferringPhysicianName", "StudyID", "AccessionNumber")


class SegmentationDicomSink:
    """Writes label maps, one a frame, as binary segments; the file appears when the sink is closed.

    Args:
        path: of the file, replaced when it exists.
        source: the spec of the DICOM clip that the labels belong to: a file, or the folder of a series.
        keep_patient: copy the patient's and the study's identifying fields from the source.

    Raises:
        UsageError: the source is not DICOM.
        SourceError: the source cannot be read.
        OutputError: there is no room for the pixels.
    """

    def __init__(self, path: str | Path, source: str | Path, *, keep_patient: bool = False) -> None:
        self._path = Path(path)
        self._clip = read_references(find_group(str(source)).paths)
        self._keep_patient = keep_patient
        self._frames: list[tuple[int, int]] = []
        with output_errors(self._path):
            self._bits: BinaryIO = TemporaryFile(dir=self._path.parent)  # noqa: SIM115
        self._loose_bits = np.zeros(0, np.uint8)

    def write(self, index: int, labels_HW: LabelsHW) -> None:
        """Adds the structures of source frame `index`, ids uint8 [H, W]; background and 255 are left out.

        Raises:
            OutputError: the disk is full, or the segmentation grows beyond what one DICOM file can hold.
        """
        expected = (self._clip.format.rows, self._clip.format.columns)
        assert labels_HW.shape == expected, f"labels of {labels_HW.shape} for frames of {expected}"
        for class_id in np.unique(labels_HW).tolist():
            if class_id not in (BACKGROUND, IGNORED):
                self._append(index, class_id, labels_HW == class_id)

    def _append(self, index: int, class_id: int, mask_HW: npt.NDArray[np.bool_]) -> None:
        """Frames of single bits follow each other without padding (PS3.5 8.1.1): the last byte may be shared."""
        bits = np.concatenate([self._loose_bits, mask_HW.ravel()])
        whole = bits.size - bits.size % 8
        with output_errors(self._path):
            self._bits.write(np.packbits(bits[:whole], bitorder="little").tobytes())
            if self._bits.tell() > _LARGEST_PIXEL_DATA:
                mend = "segment a shorter clip, or use masks as PNG"
                raise OutputError("too large for one DICOM file", where=self._path, mend=mend)
        self._loose_bits = bits[whole:]
        self._frames.append((index, class_id))

    def close(self) -> None:
        """Writes the file; may be called twice. Raises OutputError."""
        if self._bits.closed:
            return
        with self._bits:
            if not self._frames:
                # DICOM knows no segmentation without a frame: an empty one says that nothing was found.
                shape = (self._clip.format.rows, self._clip.format.columns)
                self._append(0, FEMORAL_HEAD, np.zeros(shape, np.bool_))
            self._save(self._dataset())

    def discard(self) -> None:
        """Lets go without writing the file."""
        self._bits.close()

    def _dataset(self) -> Dataset:
        dataset = _new_instance(self._clip, keep_patient=self._keep_patient)
        _describe_pixels(dataset, self._clip)
        class_ids = sorted({class_id for _, class_id in self._frames})
        dataset.SegmentSequence = [
            segment_item(number, STRUCTURES[class_id]) for number, class_id in enumerate(class_ids, start=1)
        ]
        numbered = [(index, class_ids.index(class_id) + 1) for index, class_id in self._frames]
        add_functional_groups(dataset, self._clip, numbered)
        return dataset

    def _save(self, dataset: Dataset) -> None:
        part = self._path.with_name(f".{self._path.name}.part")
        with output_errors(self._path):
            self._bits.write(np.packbits(self._loose_bits, bitorder="little").tobytes())
            self._bits.write(bytes(self._bits.tell() % 2))
            self._bits.seek(0)
            dataset.PixelData = self._bits
            dataset["PixelData"].VR = "OB"
            try:
                with quiet_pydicom():
                    dataset.save_as(part, enforce_file_format=True)
                part.replace(self._path)
            except OSError:
                part.unlink(missing_ok=True)
                raise

    def __enter__(self) -> SegmentationDicomSink:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # An interrupted run still has its frames so far; a fault of the disk would only repeat itself.
        if isinstance(error, OutputError):
            self.discard()
        else:
            self.close()


def write_segmentation_dicom(
    path: str | Path, source: str | Path, labels: Iterable[LabelsHW], *, keep_patient: bool = False
) -> None:
    """Writes the label maps of a DICOM source's frames, in order, as one DICOM Segmentation.

    Args:
        path: of the file, replaced when it exists.
        source: the spec of the DICOM clip that the labels belong to: a file, or the folder of a series.
        labels: ids, uint8 [H, W] of the source's size, one a frame.
        keep_patient: copy the patient's and the study's identifying fields from the source.

    Raises:
        UsageError: the source is not DICOM.
        SourceError: the source cannot be read.
        OutputError: the file cannot be written.
    """
    with SegmentationDicomSink(path, source, keep_patient=keep_patient) as sink:
        for index, labels_HW in enumerate(labels):
            sink.write(index, labels_HW)


def _new_instance(clip: ReferencedClip, *, keep_patient: bool) -> Dataset:
    """A new instance in the source's study: everything that is not about pixels."""
    dataset, now = Dataset(), datetime.now()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = SegmentationStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = generate_uid(prefix=None)
    for keyword in _PATIENT + _STUDY:
        setattr(dataset, keyword, text_of(clip.header, keyword) if keep_patient else "")
    if keep_patient and (charset := value_of(clip.header, "SpecificCharacterSet")):
        dataset.SpecificCharacterSet = charset
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = clip.study, generate_uid(prefix=None)
    dataset.Modality, dataset.SeriesNumber, dataset.InstanceNumber = "SEG", 1, 1
    dataset.SeriesDescription = dataset.ContentDescription = "Automatic segmentation, research use only"
    dataset.ContentLabel, dataset.ContentCreatorName = "SEGMENTATION", ""
    dataset.ContentDate, dataset.ContentTime = now.strftime("%Y%m%d"), now.strftime("%H%M%S")
    dataset.Manufacturer = dataset.ManufacturerModelName = "hipseg"
    dataset.DeviceSerialNumber, dataset.SoftwareVersions = "0", __version__
    dataset.ReferencedSeriesSequence = common_references(clip)
    return dataset


def _describe_pixels(dataset: Dataset, clip: ReferencedClip) -> None:
    dataset.ImageType = ["DERIVED", "PRIMARY"]
    dataset.Rows, dataset.Columns = clip.format.rows, clip.format.columns
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 1
    dataset.HighBit = dataset.PixelRepresentation = 0
    dataset.SegmentationType, dataset.SegmentsOverlap = "BINARY", "NO"
    dataset.PatientOrientation = ""
    dataset.LossyImageCompression = "00"
    if text_of(clip.header, "LossyImageCompression") == "01":
        dataset.LossyImageCompression = "01"
        dataset.LossyImageCompressionRatio = value_of(clip.header, "LossyImageCompressionRatio") or 1
        dataset.LossyImageCompressionMethod = value_of(clip.header, "LossyImageCompressionMethod") or "ISO_10918_1"
