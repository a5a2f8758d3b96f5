"""Clips that an export is about: who is on them, and what may be copied of them."""

from __future__ import annotations

import functools
import io
import re
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
from hipseg.io.quiet import quiet_pydicom

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
    info = clip.info
    with quiet_pydicom():
        return _facts_of(file.header, info.height, info.width, info.frame_rate_hz)


def _facts_of(header: Dataset, height: int, width: int, frame_rate_hz: float | None) -> ClipFacts:
    spacing = read_calibration(header, height, width, []).spacing
    device = " ".join(filter(None, (text_of(header, "Manufacturer"), text_of(header, "ManufacturerModelName"))))
    person = text_of(header, "PatientID")
    return ClipFacts(
        height=height,
        width=width,
        num_frames=integer_of(header, "NumberOfFrames") or 1,
        frame_rate_hz=frame_rate_hz,
        spacing_mm=None if spacing is None else (spacing.row_mm, spacing.column_mm),
        device=device.strip() or None,
        person=person if _says_something(person) else None,
        names=tuple(name for keyword in _NAMES if _says_something(name := text_of(header, keyword))),
        is_personal=_names_someone(header),
    )


def _says_something(value: object) -> bool:
    """Machines fill empty fields with dashes."""
    return re.search(r"[^\W_]", str(value)) is not None if value is not None else False


def _names_someone(header: Dataset) -> bool:
    if text_of(header, "PatientIdentityRemoved") == "YES":
        return False
    if any(keyword in header and _says_something(header[keyword].value) for keyword in _PERSONAL):
        return True
    return any(element.VR == "PN" and _says_something(element.value) for element in header.iterall())


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
        with quiet_pydicom():
            dataset = pydicom.dcmread(path)
            _empty_persons(dataset)
            dataset.PatientName = dataset.PatientID = patient
            buffer = io.BytesIO()
            dataset.save_as(buffer)
    except Exception as error:
        what = f"names its patient, and cannot be written without ({error})"
        raise SourceError(what, where=path, mend="run 'hipseg data deidentify' on it first") from error
    return buffer.getvalue()


def _empty_persons(dataset: Dataset) -> None:
    for keyword in _PERSONAL:
        if keyword in dataset:
            dataset[keyword].value = None if dataset[keyword].VR == "SQ" else ""
    for element in dataset.iterall():
        if element.VR == "PN":
            element.value = ""
