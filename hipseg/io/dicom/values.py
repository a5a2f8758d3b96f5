"""Values of a DICOM header, read without trusting them.

Elements are converted when they are first read, so that any of them may turn out to be malformed then.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from pydicom.dataset import Dataset

from hipseg.io.quiet import quiet_pydicom


def value_of(header: Dataset, keyword: str) -> Any:
    """An element's value; None when it is missing, empty or malformed."""
    with quiet_pydicom():
        try:
            value = header.get(keyword)
        except Exception:
            return None
    return None if value is None or value == "" else value


def text_of(header: Dataset, keyword: str) -> str:
    """An element as text, "" when there is none."""
    value = value_of(header, keyword)
    return "" if value is None else str(value).strip()


def number_of(header: Dataset, keyword: str) -> float | None:
    """An element (the first of several) as a finite number."""
    numbers = numbers_of(header, keyword)
    return numbers[0] if numbers else None


def numbers_of(header: Dataset, keyword: str) -> list[float]:
    """An element as finite numbers; empty when any of them is not one."""
    value = value_of(header, keyword)
    if value is None:
        return []
    several = isinstance(value, Sequence) and not isinstance(value, str | bytes)
    try:
        numbers = [float(item) for item in (value if several else [value])]
    except (TypeError, ValueError):
        return []
    return numbers if all(math.isfinite(number) for number in numbers) else []


def integer_of(header: Dataset, keyword: str) -> int | None:
    """An element as a whole number."""
    number = number_of(header, keyword)
    return int(number) if number is not None and number == int(number) else None


def items_of(header: Dataset, keyword: str) -> list[Dataset]:
    """The items of a sequence; empty when it is missing or malformed."""
    value = value_of(header, keyword)
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str | bytes) else []
