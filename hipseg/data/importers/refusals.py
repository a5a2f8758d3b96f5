"""What could not come in, case by case, while the rest goes on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hipseg.errors import SourceError


@dataclass(frozen=True, slots=True)
class Refusal:
    """One thing that was refused.

    Attributes:
        case: its name in the export.
        reason: file, field, what was found and what was expected, in one line.
    """

    case: str
    reason: str


class Refusals:
    """Collects refusals; paths are shown relative to the source, so that the list can stand in a data set.

    Args:
        source: the folder that is imported.
    """

    def __init__(self, source: Path) -> None:
        self._prefix = f"{source}/"
        self._refused: list[Refusal] = []

    def __len__(self) -> int:
        return len(self._refused)

    def __iter__(self) -> Iterator[Refusal]:
        return iter(self._refused)

    def add(self, case: str, error: SourceError) -> None:
        """Notes why a case does not come in."""
        self._refused.append(Refusal(case, str(error).replace(self._prefix, "")))

    @contextmanager
    def noting(self, case: str) -> Iterator[None]:
        """A SourceError inside the block is noted, and work goes on behind it."""
        try:
            yield
        except SourceError as error:
            self.add(case, error)
