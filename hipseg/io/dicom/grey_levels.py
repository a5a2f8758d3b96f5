"""Stored values to grey levels: palette, modality and window as one table."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut, apply_voi

from hipseg.errors import SourceError
from hipseg.io.dicom.file import DicomFile
from hipseg.io.dicom.pixel_format import PixelFormat
from hipseg.io.dicom.values import items_of, number_of, text_of
from hipseg.io.grey import bits_used, rgb_to_grey, to_8_bit
from hipseg.io.quiet import quiet_pydicom

Levels = npt.NDArray[np.floating]


def grey_table(
    file: DicomFile, format_: PixelFormat, first_HW: npt.NDArray[np.integer], warnings: list[str]
) -> npt.NDArray[np.uint8]:
    """The grey level, 0-255, of every value a pixel may hold, indexed by the value's bits read as unsigned.

    Args:
        file: whose header tells palette, rescaling and window.
        format_: of the pixels, with one sample.
        first_HW: the first frame, from which the range is taken where more than 8 bits come without a window.
        warnings: what the user should know is added.

    Raises:
        SourceError: the palette is damaged.
    """
    stored = np.arange(2**format_.bits_allocated, dtype=f"u{format_.bits_allocated // 8}").view(format_.dtype)
    if format_.photometric == "PALETTE COLOR":
        return _palette(file, stored)
    shares = _windowed(file.header, stored, warnings)
    if shares is None:
        shares = _full_range(format_, stored, first_HW, warnings)
    if format_.photometric == "MONOCHROME1":
        shares = 1 - shares
    return np.asarray(np.rint(np.clip(shares, 0, 1) * 255), np.uint8)


def _palette(file: DicomFile, stored: npt.NDArray[np.integer]) -> npt.NDArray[np.uint8]:
    with quiet_pydicom():
        try:
            colours = apply_color_lut(stored, file.header)
        except Exception as error:
            raise SourceError("its colour palette is missing or damaged", where=file.path) from error
    row_1W3 = to_8_bit(colours[np.newaxis, :, :3], bits=8 * colours.dtype.itemsize)
    return np.asarray(rgb_to_grey(np.ascontiguousarray(row_1W3))[0], np.uint8)


def _windowed(header: Dataset, stored: npt.NDArray[np.integer], warnings: list[str]) -> Levels | None:
    """Shares of white, 0-1, through the first window or table of the header; None when there is no usable one."""
    with quiet_pydicom():
        try:
            levels = apply_modality_lut(stored, header).astype(np.float64)
            if tables := items_of(header, "VOILUTSequence"):
                white = 2.0 ** int(tables[0].LUTDescriptor[2]) - 1
                return np.asarray(apply_voi(levels.astype(np.int64), header) / white)
        except Exception:
            warnings.append("A lookup table of the header is damaged and was left out.")
            levels = stored.astype(np.float64)
    centre, width = number_of(header, "WindowCenter"), number_of(header, "WindowWidth")
    if centre is None or width is None:
        return None
    if width < 1:
        warnings.append(f"The window's width of {width:g} is not possible: the window was left out.")
        return None
    return _window(levels, centre, width, text_of(header, "VOILUTFunction"))


def _window(levels: Levels, centre: float, width: float, function: str) -> Levels:
    """PS3.3 C.11.2.1.2 and C.11.2.1.3, as shares of white."""
    if function == "SIGMOID":
        return np.asarray(1 / (1 + np.exp(np.clip(-4 * (levels - centre) / width, -700, 700))))
    if function == "LINEAR_EXACT":
        return np.asarray((levels - centre) / width + 0.5)
    return np.asarray((levels - (centre - 0.5)) / max(width - 1, 1e-6) + 0.5)


def _full_range(
    format_: PixelFormat, stored: npt.NDArray[np.integer], first_HW: npt.NDArray[np.integer], warnings: list[str]
) -> Levels:
    if format_.bits_allocated == 8 and not format_.is_signed:
        return np.asarray(stored / (2.0**format_.bits_stored - 1))
    black, white = min(int(first_HW.min()), 0), 2 ** bits_used(first_HW) - 1
    warnings.append(f"Grey levels of {format_.bits_stored} bits without a window: {black} to {white} are shown.")
    return np.asarray((stored.astype(np.float64) - black) / (white - black))
