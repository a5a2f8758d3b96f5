"""DICOM headers without persons: the Basic Application Level Confidentiality Profile of PS3.15, annex E.

The table of what happens to which element is the one of the dicom-anonymizer library; it is applied to nested items
too, and elements that should go are taken out whole.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from dicomanonymizer.simpledicomanonymizer import delete, initialize_actions_2024b
from pydicom.datadict import keyword_for_tag
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items

from hipseg.errors import SourceError

Action = Callable[[Dataset, Any], None]

_GRAPHIC_GROUPS = (0x5000, 0x6000)
_ALWAYS_REMOVED = {"IconImageSequence", "WaveformSequence", "EncapsulatedDocument", "DigitalSignaturesSequence"}
_IDENTIFYING = {
    "PatientName", "PatientID", "OtherPatientIDs", "OtherPatientNames", "PatientBirthName", "PatientMotherBirthName",
    "PatientAddress", "PatientTelephoneNumbers", "AccessionNumber", "StudyID", "InstitutionName", "IssuerOfPatientID",
    "InstitutionAddress", "ReferringPhysicianName", "PerformingPhysicianName", "OperatorsName", "StationName",
    "NameOfPhysiciansReadingStudy", "RequestingPhysician", "PatientBirthDate", "DeviceSerialNumber",
}  # fmt: skip
_SHORTEST_CLUE = 4
_TEXTS = {"AE", "CS", "DA", "DT", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"}


def clean_header(header: Dataset, pseudonym: str) -> Counter[str]:
    """Takes everything out of a header that the profile names, and says so in the header.

    Args:
        header: changed in place.
        pseudonym: takes the place of the patient's name and ID.

    Returns:
        How many elements were removed, emptied or replaced, by keyword ("private" for all private ones).

    Raises:
        SourceError: what was taken out still stands somewhere else.
    """
    clues = set(_clues(header))
    removed: Counter[str] = Counter()
    _clean(header, removed)
    header.PatientName = header.PatientID = pseudonym
    header.PatientIdentityRemoved = "YES"
    header.DeidentificationMethod = "hipseg: PS3.15 basic profile, pixels outside the scan blanked"
    header.DeidentificationMethodCodeSequence = Items([_code("113100"), _code("113101")])
    header.LongitudinalTemporalInformationModified = "REMOVED"
    header.BurnedInAnnotation = "NO"
    _refuse_leftovers(header, clues)
    return removed


_MEANINGS = {"113100": "Basic Application Confidentiality Profile", "113101": "Clean Pixel Data Option"}


def _code(value: str) -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, "DCM", _MEANINGS[value]
    return code


def _clean(header: Dataset, removed: Counter[str]) -> None:
    for element in list(header):
        tag, keyword = element.tag, keyword_for_tag(element.tag)
        if tag.is_private or element.VR == "UN":
            del header[tag]
            removed["private"] += 1
        elif keyword in _ALWAYS_REMOVED or tag.group & 0xFF00 in _GRAPHIC_GROUPS:
            del header[tag]
            removed[keyword or "graphics"] += 1
        elif action := _profile().get((tag.group, tag.element)):
            _apply(header, element, action)
            removed[keyword] += 1
        if tag in header and header[tag].VR == "SQ":
            for item in header[tag].value:
                _clean(item, removed)


def _apply(header: Dataset, element: DataElement, action: Action) -> None:
    """The table's action; what it cannot empty or replace is removed."""
    if action is delete:
        del header[element.tag]
        return
    try:
        action(header, (element.tag.group, element.tag.element))
    except (NotImplementedError, ValueError, TypeError):
        del header[element.tag]


@functools.cache
def _profile() -> dict[tuple[int, int], Action]:
    """The profile's action by tag; its repeating groups (curves, overlays) are removed by group."""
    return {tag: action for tag, action in initialize_actions_2024b().items() if len(tag) == 2}


def _clues(header: Dataset) -> Iterator[str]:
    """What names a person or a place in this header, as it might stand elsewhere."""
    for element in header.iterall():
        if element.keyword not in _IDENTIFYING or element.value in (None, ""):
            continue
        for value in str(element.value).replace("^", " ").replace("=", " ").split():
            if len(value) >= _SHORTEST_CLUE:
                yield value.lower()


def _refuse_leftovers(header: Dataset, clues: set[str]) -> None:
    for element in header.iterall():
        if element.VR not in _TEXTS or element.keyword in _OURS:
            continue
        words = set(str(element.value).lower().replace("^", " ").split())
        if words & clues:
            what = f"{element.keyword or element.tag} still holds what another element named as a person or place"
            raise SourceError(what, where="header", mend="remove it by hand, then try again")


_OURS = {"DeidentificationMethod", "PatientName", "PatientID", "CodeMeaning", "CodeValue", "Modality", "Manufacturer"}
