"""Checks of a mapping against a dataclass whose fields carry their ranges: names, kinds, limits, all by name."""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import Field
from typing import Any

from hipseg.errors import UsageError, nearest_name
from hipseg.simulation.config import RANGES, Limits


def checked_fields(kind: type, values: Any, where: str, also: Sequence[str] = ()) -> dict[str, Any]:
    """The arguments of a dataclass from a file's mapping.

    Args:
        kind: the dataclass; metadata "limits" (`Limits`) or "names" say what a field may be.
        values: from the file.
        where: names the place for messages.
        also: keys of the mapping that are checked elsewhere.

    Raises:
        UsageError: an unknown or missing key, a wrong kind of value, a value out of its range.
    """
    if not isinstance(values, Mapping):
        raise UsageError(f"is {values!r:.60}", where=where, expected="keys and values, as in {at_s: 1, for_s: 2}")
    known = {item.name: item for item in dataclasses.fields(kind) if item.name not in also}
    for key in values:
        if key not in known:
            hint = nearest_name(str(key), {*known, *also} - {"name"})
            raise UsageError(f"unknown key '{key}'", where=where, mend=hint)
    hints = typing.get_type_hints(kind)
    for name, item in known.items():
        if name not in values and item.default is item.default_factory is dataclasses.MISSING:
            raise UsageError(f"'{name}' is missing", where=where, mend=f"say {name}: VALUE")
    return {name: _checked(known[name], hints[name], value, f"{where}, {name}") for name, value in values.items()}


def _checked(item: Field[Any], kind: Any, value: Any, where: str) -> Any:
    if "names" in item.metadata:
        return _named(value, item.metadata["names"], where)
    if kind is bool or kind is str:
        if not isinstance(value, kind):
            raise UsageError(f"is {value!r:.60}", where=where, expected="true or false" if kind is bool else "a text")
        return value
    if isinstance(kind, types.UnionType):
        return None if value is None else _pair(value, where)
    return _number(value, item.metadata["limits"], where, whole=kind is int)


def _named(value: Any, names: tuple[Any, ...], where: str) -> Any:
    if isinstance(value, bool) or value not in names:
        raise UsageError(f"is {value!r:.60}", where=where, mend=nearest_name(str(value), map(str, names)))
    return value


def _pair(value: Any, where: str) -> tuple[float, float]:
    if not isinstance(value, list) or len(value) != 2:
        raise UsageError(f"is {value!r:.60}", where=where, expected="a range, as in [30, 45]")
    limits = RANGES["needle_angle_deg"]
    low, high = (_number(bound, limits, where) for bound in value)
    if low > high:
        raise UsageError(f"is {value}", where=where, expected="the lower bound first")
    return low, high


def _number(value: Any, limits: Limits, where: str, *, whole: bool = False) -> Any:
    kinds = (int,) if whole else (int, float)
    right = isinstance(value, kinds) and not isinstance(value, bool) and math.isfinite(value)
    if not right or not limits.low <= value <= limits.high:
        expected = f"{'a whole number' if whole else 'a number'} from {limits.low:g} to {limits.high:g} ({limits.unit})"
        raise UsageError(f"is {value!r:.60}", where=where, expected=expected)
    return int(value) if whole else float(value)
