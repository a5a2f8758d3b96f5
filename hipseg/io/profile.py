"""How a live source is set up, remembered as a file: frame size, rate, crop and scale."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from hipseg.errors import UsageError
from hipseg.frame import Spacing
from hipseg.io.records import write_json
from hipseg.io.scan_region import parse_region
from hipseg.io.source import SourceInfo, SourceOptions
from hipseg.io.spacing import is_plausible

_EXPECTED = "a profile as 'hipseg infer camera:0 --save-profile FILE' writes it"
_KEYS = {"width", "height", "frame_rate_hz", "region", "spacing_mm"}
_LARGEST_SIDE = 8192


def apply_profile(path: Path, options: SourceOptions) -> SourceOptions:
    """The options with what a profile says where the user says nothing.

    Raises:
        UsageError: the file can't be read, or is not a profile.
    """
    profile = _read(path)
    size, spacing_mm = (profile["height"], profile["width"]), profile["spacing_mm"]
    return dataclasses.replace(
        options,
        frame_size=options.frame_size or (size if None not in size else None),
        frame_rate_hz=options.frame_rate_hz or profile["frame_rate_hz"],
        region=options.region if options.region != "auto" else profile["region"] or "auto",
        spacing=options.spacing or (Spacing(spacing_mm[0], spacing_mm[1], "user") if spacing_mm else None),
    )


def write_profile(path: Path, info: SourceInfo) -> None:
    """Remembers how an open source is set up. Raises OutputError."""
    region, spacing = info.region, info.spacing
    profile = {
        "width": info.width,
        "height": info.height,
        "frame_rate_hz": info.frame_rate_hz,
        "region": f"{region.x},{region.y},{region.width},{region.height}",
        "spacing_mm": [spacing.row_mm, spacing.column_mm] if spacing else None,
    }
    write_json(path, profile)


def _read(path: Path) -> dict[str, Any]:
    try:
        profile = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError("can't be read", where=path, expected=_EXPECTED) from error
    if not isinstance(profile, dict) or set(profile) - _KEYS:
        raise UsageError("is not a profile", where=path, expected=_EXPECTED)
    whole = dict.fromkeys(_KEYS) | profile
    for key in ("width", "height"):
        _check(path, key, whole[key], _is_side(whole[key]), f"1 to {_LARGEST_SIDE} pixels")
    _check(path, "frame_rate_hz", whole["frame_rate_hz"], _is_rate(whole["frame_rate_hz"]), "0.1 to 1000 a second")
    _check(path, "spacing_mm", whole["spacing_mm"], _is_spacing(whole["spacing_mm"]), "[row, column] in millimetres")
    _check(path, "region", whole["region"], whole["region"] is None or isinstance(whole["region"], str), '"X,Y,W,H"')
    parse_region(whole["region"] or "auto")
    return whole


def _check(path: Path, key: str, value: object, is_right: bool, expected: str) -> None:
    if not is_right:
        raise UsageError(f"'{key}' is {value!r}", where=path, expected=expected)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_side(value: Any) -> bool:
    return value is None or (isinstance(value, int) and _is_number(value) and 1 <= value <= _LARGEST_SIDE)


def _is_rate(value: Any) -> bool:
    return value is None or (_is_number(value) and 0.1 <= value <= 1000)


def _is_spacing(value: Any) -> bool:
    if value is None:
        return True
    return isinstance(value, list) and len(value) == 2 and all(_is_number(one) and is_plausible(one) for one in value)
