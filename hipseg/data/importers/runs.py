"""Persons told by runs of numbers in file names, where a source numbers its images person by person."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hipseg.data.records import SPLITS
from hipseg.errors import SourceError, UsageError, nearest_name


class NumberedRuns:
    """Which numbers are one person, and where that person goes.

    Args:
        runs: [{"first", "last", "split"}, ...], both ends included.

    Raises:
        UsageError: a run names no split.
    """

    def __init__(self, runs: Sequence[Mapping[str, Any]]) -> None:
        self._runs = [(int(run["first"]), int(run["last"]), str(run["split"])) for run in runs]
        for _, _, split in self._runs:
            if split not in SPLITS:
                raise UsageError(f"split '{split}' of a run", mend=nearest_name(split, SPLITS))

    def patient_and_split(self, path: Path) -> tuple[str, str]:
        """The run a file's last number lies in. Raises SourceError when it lies in none."""
        digits = re.findall(r"\d+", path.stem)
        number = int(digits[-1]) if digits else -1
        for first, last, split in self._runs:
            if first <= number <= last:
                return f"run_{first}_{last}", split
        raise SourceError(f"number {number} lies in no run of the recipe", where=path, mend="add it to a run")
