"""Which part of the screen is the calibrated B-mode image, and how large its pixels are (PS3.3 C.8.5.5)."""

from __future__ import annotations

from typing import NamedTuple

from pydicom.dataset import Dataset

from hipseg.frame import ScanRegion, Spacing
from hipseg.io.dicom.values import integer_of, items_of, number_of, numbers_of
from hipseg.io.scan_region import clipped
from hipseg.io.spacing import is_plausible

_FORMAT_2D, _TYPE_TISSUE, _UNIT_CM = 1, 1, 3
_MM_PER_CM = 10.0
_OFF_BY_ONE = 1  # machines that give the corner behind the last pixel


class Calibration(NamedTuple):
    """What the header says of the B-mode image: its box in the frame and its scale, each None when unknown."""

    region: ScanRegion | None
    spacing: Spacing | None


def read_calibration(header: Dataset, height: int, width: int, warnings: list[str]) -> Calibration:
    """The two-dimensional tissue region; of several the one that shows most.

    Args:
        header: of the image.
        height, width: of a frame, pixels.
        warnings: what the user should know is added.
    """
    declared = items_of(header, "SequenceOfUltrasoundRegions")
    tissue = [item for item in declared if _is_tissue(item)]
    if not tissue:
        if declared:
            warnings.append(f"None of the {len(declared)} regions in the header is a 2-D tissue image.")
        return Calibration(None, _pixel_spacing(header, warnings))
    seen = [(region, item) for item in tissue if (region := _box(item, height, width, warnings))]
    if not seen:
        return Calibration(None, None)
    if len(seen) > 1:
        warnings.append(f"The screen shows {len(seen)} 2-D tissue images; the largest is used.")
    region, item = max(seen, key=lambda pair: pair[0].width * pair[0].height)
    return Calibration(region, _region_spacing(item, warnings))


def _is_tissue(item: Dataset) -> bool:
    is_2d = integer_of(item, "RegionSpatialFormat") == _FORMAT_2D
    return is_2d and integer_of(item, "RegionDataType") == _TYPE_TISSUE


def _box(item: Dataset, height: int, width: int, warnings: list[str]) -> ScanRegion | None:
    """The part of a region's box inside the frame; the corners of the box belong to it."""
    corners = [integer_of(item, f"RegionLocation{name}") for name in ("MinX0", "MinY0", "MaxX1", "MaxY1")]
    left, top, right, bottom = (corner if corner is not None else -1 for corner in corners)
    if None in corners or right <= left or bottom <= top:
        warnings.append("A 2-D tissue region has no box and was left out.")
        return None
    declared = ScanRegion(left, top, right - left + 1, bottom - top + 1, "dicom_region")
    region = clipped(declared, height, width)
    extent = f"columns {left}-{right} and rows {top}-{bottom} of a frame of {width} x {height}"
    if region is None:
        warnings.append(f"A 2-D tissue region lies outside the frame ({extent}) and was left out.")
    elif region != declared:
        warnings.append(f"The 2-D tissue region exceeds the frame ({extent}) and was clipped.")
        if max(declared.width - region.width, declared.height - region.height) > _OFF_BY_ONE:
            warnings.append("If the image was resized after recording, its scale is wrong.")
    return region


def _region_spacing(item: Dataset, warnings: list[str]) -> Spacing | None:
    units = [integer_of(item, f"PhysicalUnits{axis}Direction") for axis in "XY"]
    deltas = [number_of(item, f"PhysicalDelta{axis}") for axis in "XY"]
    if units != [_UNIT_CM, _UNIT_CM] or None in deltas:
        warnings.append("The 2-D tissue region is not calibrated in centimetres: the scale is unknown.")
        return None
    # A negative delta says that the axis runs the other way.
    column_mm, row_mm = (round(abs(delta or 0.0) * _MM_PER_CM, 9) for delta in deltas)
    return _plausible(row_mm, column_mm, "dicom_region", warnings)


def _pixel_spacing(header: Dataset, warnings: list[str]) -> Spacing | None:
    sizes_mm = numbers_of(header, "PixelSpacing")
    if len(sizes_mm) != 2:
        return None
    return _plausible(sizes_mm[0], sizes_mm[1], "dicom_pixel_spacing", warnings)


def _plausible(row_mm: float, column_mm: float, origin: str, warnings: list[str]) -> Spacing | None:
    if is_plausible(row_mm) and is_plausible(column_mm):
        return Spacing(row_mm, column_mm, origin)
    warnings.append(f"A pixel of {row_mm:g} x {column_mm:g} mm is not possible: the scale is unknown.")
    return None
