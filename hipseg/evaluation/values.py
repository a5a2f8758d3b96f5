"""The values of every measure, joined once with the cases they belong to."""

from __future__ import annotations

from collections.abc import Hashable

import pandas as pd

from hipseg.anatomy import CLASS_NAMES
from hipseg.evaluation.results import Results


class MeasureValues:
    """Looks measures up by structure, metric and unit.

    Args:
        results: tables of an evaluation; excluded cases have no values.

    Attributes:
        joined: the columns of both tables, a row a value.
    """

    def __init__(self, results: Results) -> None:
        self.joined = results.measured.merge(results.measures, on="case", how="inner")
        self._groups: dict[Hashable, pd.DataFrame] = dict(iter(self.joined.groupby(["structure", "metric", "unit"])))

    def get(self, structure: str, metric: str, unit: str = "1") -> pd.DataFrame:
        """The rows of one measure, empty when there are none."""
        return self._groups.get((structure, metric, unit), self.joined.iloc[:0])

    def has(self, structure: str, metric: str, unit: str = "1") -> bool:
        """Whether there is a value."""
        return (structure, metric, unit) in self._groups

    def structures_with(self, metric: str, unit: str = "1") -> list[str]:
        """Structures that have a value of a metric: those of the label scheme in its order, then merged ones."""
        names = {key[0] for key in self._groups if isinstance(key, tuple) and key[1:] == (metric, unit)}
        return in_scheme_order(names)

    def measures(self) -> list[tuple[str, str, str]]:
        """Every structure, metric and unit that has a value, sorted."""
        return sorted(key for key in self._groups if isinstance(key, tuple))


def in_scheme_order(names: set[str]) -> list[str]:
    """Structures in the order of the label scheme, merged ones after it."""
    return [name for name in CLASS_NAMES if name in names] + sorted(names - set(CLASS_NAMES))
