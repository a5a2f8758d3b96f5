"""Structures of the label scheme as DICOM segments: coded, and with the colours of the overlay."""

from __future__ import annotations

import numpy as np
from pydicom.dataset import Dataset

from hipseg.anatomy import Code, Rgb, SafetyRole, Structure

_ANATOMY = Code("123037004", "SCT", "Anatomical Structure")
_TOOL = Code("260787004", "SCT", "Physical object")
_PRIVATE_SCHEME = "99HIPSEG"
_ALGORITHM = "hipseg"

# sRGB (IEC 61966-2-1) to XYZ under D65, and that white point.
_SRGB_TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
_WHITE = np.array([0.9505, 1.0, 1.089])


def segment_item(number: int, structure: Structure) -> Dataset:
    """The description of a segment (PS3.3 C.8.20.4); a structure without a known code gets a private one."""
    item = Dataset()
    item.SegmentNumber, item.SegmentLabel = number, structure.title
    item.SegmentAlgorithmType, item.SegmentAlgorithmName = "AUTOMATIC", _ALGORITHM
    category = _TOOL if structure.role is SafetyRole.TOOL else _ANATOMY
    code = structure.code or Code(structure.name.upper(), _PRIVATE_SCHEME, structure.title.capitalize())
    item.SegmentedPropertyCategoryCodeSequence = [code_item(category)]
    item.SegmentedPropertyTypeCodeSequence = [code_item(code)]
    item.RecommendedDisplayCIELabValue = _cielab(structure.colour)
    return item


def code_item(code: Code) -> Dataset:
    """A coded concept as a sequence item."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code.value[:16], code.scheme, code.meaning
    return item


def _cielab(colour: Rgb) -> list[int]:
    """PS3.3 C.10.7.1.1: L of 0-100 and a, b of -128 to 127, each over 16 bits."""
    share = np.asarray(colour, np.float64) / 255
    linear = np.where(share > 0.04045, ((share + 0.055) / 1.055) ** 2.4, share / 12.92)
    ratio = _SRGB_TO_XYZ @ linear / _WHITE
    root = np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio * (29 / 6) ** 2 / 3 + 4 / 29)
    lab = np.array([116 * root[1] - 16, 500 * (root[0] - root[1]) + 128, 200 * (root[1] - root[2]) + 128])
    scaled = np.rint(np.clip(lab / (100, 255, 255), 0, 1) * 65535)
    return [int(value) for value in scaled]
