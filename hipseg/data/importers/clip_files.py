"""Clips that an export is about: who is on them, and what may be copied of them."""

from __future__ import annotations

import functools
import io
from dataclasses import dataclass
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset

from hipseg.data.clip_reading import OpenClip
from hipseg.errors import SourceError
from hipseg.io.dicom.file import open_dicom_file
from hipseg.io.dicom.region import read_calibration
from hipseg.io.dicom.values import integer_of, text_of
from hipseg.io.file_kind import FileKind, format_of

# Who it is, in the patient and study modules (PS3.3 C.7.1.1, C.7.2.1). `hipseg data deidentify` does the whole
# basic profile of PS3.15; this keeps persons out of a data set also where nobody has run it.
_PERSONAL = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientBirthTime", "OtherPatientIDs", "OtherPatientNames",
    "OtherPatientIDsSequence", "PatientBirthName", "PatientMotherBirthName", "PatientAddress", "PatientComments",
    "PatientTelephoneNumbers", "MilitaryRank", "IssuerOfPatientID", "AccessionNumber", "ReferringPhysicianName",
    "PerformingPhysicianName", "NameOfPhysiciansReadingStudy", "PhysiciansOfRecord", "OperatorsName",
    "RequestingPhysician", "InstitutionName", "InstitutionAddress", "StudyID", "StudyComments",
)  # fmt: skip
_NAMES = ("PatientName", "OtherPatientNames", "PatientBirthName", "PatientMotherBirthName")


@dataclass(frozen=True, slots=True)
class ClipFacts:
    """What is known of a clip file.

    Attributes:
        height, width: of its frames, pixels.
        num_frames: None where only decoding tells.
        frame_rate_hz, spacing_mm, device: None when unknown.
        person: patient ID of a DICOM header.
        names: names in it.
        is_personal: a copy as it is would name someone.
        instance: SOP instance UID of DICOM.
    """

    height: int
    width: int
    num_frames: int | None
    frame_rate_hz: float | None = None
    spacing_mm: tuple[float, float] | None = None
    device: str | None = None
    person: str | None = None
    names: tuple[str, ...] = ()
    is_personal: bool = False
    instance: str = ""

    def time_s(self, frame: int) -> float | None:
        """When a frame was taken, seconds from the first, by the nominal rate."""
        return None if self.frame_rate_hz is None else round(frame / self.frame_rate_hz, 6)


@functools.lru_cache(maxsize=256)
def read_clip_facts(path: Path) -> ClipFacts:
    """Looks at a clip. Raises SourceError when it cannot be opened or decoded."""
    if format_of(path).kind is FileKind.DICOM:
        return _dicom_facts(path)
    clip = OpenClip(path)
    clip.close()
    info = clip.info
    return ClipFacts(info.height, info.width, info.num_frames, info.frame_rate_hz)


def _dicom_facts(path: Path) -> ClipFacts:
    clip = OpenClip(path)
    clip.close()
    file = open_dicom_file(path)
    file.close()
    header, info = file.header, clip.info
    calibration = read_calibration(header, info.height, info.width, [])
    spacing = calibration.spacing
    device = " ".join(filter(None, (text_of(header, "Manufacturer"), text_of(header, "ManufacturerModelName"))))
    return ClipFacts(
        info.height,
        info.width,
        integer_of(header, "NumberOfFrames") or 1,
        info.frame_rate_hz,
        None if spacing is None else (spacing.row_mm, spacing.column_mm),
        device or None,
        text_of(header, "PatientID") or None,
        tuple(filter(None, (text_of(header, name) for name in _NAMES))),
        _names_someone(header),
        text_of(header, "SOPInstanceUID"),
    )


def _names_someone(header: Dataset) -> bool:
    if text_of(header, "PatientIdentityRemoved") == "YES":
        return False
    if any(name in header and header[name].value for name in _PERSONAL):
        return True
    return any(element.VR == "PN" and element.value for element in header.iterall())


def content_without_persons(path: Path, patient: str) -> bytes | None:
    """What to store of a clip that names someone: the same file with those elements emptied, its frames untouched.

    Args:
        path: of the clip.
        patient: pseudonym that takes the patient's place.

    Returns:
        None where the file itself may be copied.

    Raises:
        SourceError: the file cannot be read as a whole.
    """
    if not read_clip_facts(path).is_personal:
        return None
    try:
        dataset = pydicom.dcmread(path)
        for name in _PERSONAL:
            if name in dataset:
                dataset[name].value = None if dataset[name].VR == "SQ" else ""
        for element in dataset.iterall():
            if element.VR == "PN":
                element.value = ""
        dataset.PatientName = dataset.PatientID = patient
        buffer = io.BytesIO()
        dataset.save_as(buffer)
    except Exception as error:
        what = f"names its patient, and cannot be written without ({error})"
        raise SourceError(what, where=path, mend="run 'hipseg data deidentify' on it first") from error
    return buffer.getvalue()
