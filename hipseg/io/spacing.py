"""The size of a pixel as a user gives it, and what sizes can be true of ultrasound."""

from __future__ import annotations

import math

from hipseg.errors import UsageError
from hipseg.frame import Spacing

SMALLEST_MM, LARGEST_MM = 0.005, 2.0
"""Pixel sizes of ultrasound: 5 um is a 50 MHz probe zoomed in, 2 mm would show a hip on 50 pixels (own estimate)."""


def is_plausible(size_mm: float) -> bool:
    """Whether a pixel of ultrasound can be that large."""
    return math.isfinite(size_mm) and SMALLEST_MM <= size_mm <= LARGEST_MM


def parse_spacing(text: str) -> Spacing:
    """Reads a spacing: "0.1" for square pixels, "0.1,0.12" for row and column distance, in mm.

    Raises:
        UsageError: not one or two numbers, or a size outside 0.005-2 mm.
    """
    sizes_mm = [_parse_size(part, text) for part in text.split(",")]
    if len(sizes_mm) > 2:
        raise _refusal(f"{len(sizes_mm)} values in '{text}'")
    return Spacing(sizes_mm[0], sizes_mm[-1], origin="user")


def _parse_size(part: str, text: str) -> float:
    try:
        size_mm = float(part)
    except ValueError as error:
        raise _refusal(f"'{text}' is not a number") from error
    if not is_plausible(size_mm):
        raise _refusal(f"{part.strip()} mm a pixel is not possible")
    return size_mm


def _refusal(what: str) -> UsageError:
    return UsageError(
        what,
        where="spacing",
        expected=f"millimetres a pixel, {SMALLEST_MM:g}-{LARGEST_MM:g}, as ROW or ROW,COLUMN",
        mend="for example 0.1 or 0.1,0.12",
    )
