"""Tolerances of the normalised surface distance as a user may set them."""

from __future__ import annotations

import math
from collections.abc import Iterable

from hipseg.anatomy import CLASS_NAMES
from hipseg.errors import UsageError, nearest_name
from hipseg.evaluation.measures.structures import TOLERANCES_MM
from hipseg.evaluation.measures.vocabulary import VESSELS_NAME


def parse_tolerances(assignments: Iterable[str]) -> dict[str, float]:
    """The defaults with "STRUCTURE=MM" assignments over them.

    Raises:
        UsageError: an unknown structure, or no positive number of millimetres.
    """
    tolerances = dict(TOLERANCES_MM)
    known = (*CLASS_NAMES[1:], VESSELS_NAME)
    for assignment in assignments:
        name, _, text = assignment.partition("=")
        if name not in known:
            raise UsageError(f"unknown structure '{name}'", where="--tolerance", mend=nearest_name(name, known))
        tolerances[name] = _positive(text, assignment)
    return tolerances


def _positive(text: str, assignment: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise UsageError(f"'{assignment}'", where="--tolerance", expected="STRUCTURE=MM, above 0")
    return value
