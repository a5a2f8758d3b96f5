"""The tables of an evaluation: what was measured on which case, and where all of it came from.

A folder of results holds `cases` (a row a case) and `measures` (a row a case, structure and metric), each as Parquet
and as CSV, and `results.json`. Everything else (figures, comparisons, pages) is computed from these tables.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from hipseg.errors import SourceError
from hipseg.io import write_json
from hipseg.io.writing import output_errors, write_atomically

OK = "ok"
"""Status of a case that was measured; any other status is the reason why it was not."""

CASE_COLUMNS: dict[str, str] = {
    "case": "string",
    "clip": "string",
    "frame": "Int64",
    "patient": "string",
    "split": "string",
    "source": "string",
    "view": "string",
    "hip_view": "boolean",
    "device": "string",
    "probe": "string",
    "habitus": "string",
    "effusion": "boolean",
    "spacing_row_mm": "Float64",
    "spacing_column_mm": "Float64",
    "depth_mm": "Float64",
    "time_s": "Float64",
    "status": "string",
}
"""Columns of `cases` and their types; what is unknown is null. `clip` is the case itself for a single image."""

MEASURE_COLUMNS: dict[str, str] = {
    "case": "string",
    "structure": "string",
    "metric": "string",
    "unit": "string",
    "value": "float64",
}
"""Columns of `measures`. Units: "1", "mm", "px", "deg", "mm2". What could not be measured has no row."""

CALIBRATION_COLUMNS: dict[str, str] = {
    "case": "string",
    "structure": "string",
    "bin": "int64",
    "count": "int64",
    "confidence_sum": "float64",
    "positive_sum": "float64",
    "squared_error_sum": "float64",
}
"""Columns of `calibration`: sums over the counted cells of a case whose probability falls into a bin."""

RECORD = "results.json"
_MEND = "write the folder again with `hipseg evaluate DATA --out DIR`"


@dataclass(frozen=True)
class Results:
    """Everything measured of one model on one set of cases.

    Attributes:
        cases: columns of `CASE_COLUMNS`, one row a case, `case` unique, in the order of the data.
        measures: columns of `MEASURE_COLUMNS`; a case, structure and metric stand at most once.
        calibration: columns of `CALIBRATION_COLUMNS`; empty where no probabilities are known.
        record: model, data, command, commit, versions, checksums and figures, as JSON knows them.
    """

    cases: pd.DataFrame
    measures: pd.DataFrame
    calibration: pd.DataFrame = field(default_factory=lambda: table([], CALIBRATION_COLUMNS))
    record: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of_rows(
        cls,
        cases: Sequence[Mapping[str, Any]],
        measures: Sequence[Mapping[str, Any]],
        calibration: Sequence[Mapping[str, Any]] = (),
        record: Mapping[str, Any] | None = None,
    ) -> Results:
        """Tables of rows by column name; a column that a row leaves out is null."""
        return cls(
            table(cases, CASE_COLUMNS),
            table(measures, MEASURE_COLUMNS),
            table(calibration, CALIBRATION_COLUMNS),
            dict(record or {}),
        )

    @property
    def measured(self) -> pd.DataFrame:
        """The cases whose status is ok."""
        return self.cases[self.cases["status"] == OK]

    @property
    def excluded(self) -> pd.DataFrame:
        """The cases that were left out, each with its reason as status."""
        return self.cases[self.cases["status"] != OK]

    def values(self, structure: str, metric: str, unit: str | None = None) -> pd.DataFrame:
        """The measured cases that have a value of one metric: the columns of `cases`, `unit` and `value`.

        Args:
            structure: a structure's name, "view", or what else `measures` holds.
            metric: by name.
            unit: keep this one only: millimetres and pixels are never averaged together.
        """
        chosen = (self.measures["structure"] == structure) & (self.measures["metric"] == metric)
        if unit is not None:
            chosen &= self.measures["unit"] == unit
        return self.measured.merge(self.measures.loc[chosen, ["case", "unit", "value"]], on="case", how="inner")

    def write(self, folder: str | Path) -> None:
        """Writes the tables and `results.json` into a folder, made when it is missing; each file is atomic.

        Raises:
            OutputError: the folder cannot be made or written.
        """
        folder = Path(folder)
        with output_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
        for name in _TABLES:
            write_table(folder / name, getattr(self, name))
        write_json(folder / RECORD, self.record)

    @classmethod
    def read(cls, folder: str | Path) -> Results:
        """Reads what `write` wrote.

        Raises:
            SourceError: the folder or one of its files is missing, is not what it should be, or tables contradict
                each other.
        """
        folder = Path(folder)
        if not (folder / RECORD).is_file():
            raise SourceError("holds no results", where=folder, expected=RECORD, mend=_MEND)
        record = _read_record(folder / RECORD)
        tables = {name: _read_table(folder / f"{name}.parquet", columns) for name, columns in _TABLES.items()}
        results = cls(tables["cases"], tables["measures"], tables["calibration"], record)
        _refuse_contradictions(results, folder)
        return results


_TABLES = {"cases": CASE_COLUMNS, "measures": MEASURE_COLUMNS, "calibration": CALIBRATION_COLUMNS}


def table(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> pd.DataFrame:
    """A typed table of rows; unknown columns are a fault of ours."""
    assert all(row.keys() <= columns.keys() for row in rows), "a row holds a column that its table does not know"
    frame = pd.DataFrame(rows, columns=list(columns))
    return frame.astype(dict(columns))


def write_table(stem: Path, frame: pd.DataFrame) -> None:
    """Writes `<stem>.parquet` and `<stem>.csv`, each atomically. Raises OutputError."""
    content = io.BytesIO()
    frame.to_parquet(content, index=False)
    write_atomically(stem.with_name(f"{stem.name}.parquet"), content.getvalue())
    write_atomically(stem.with_name(f"{stem.name}.csv"), frame.to_csv(index=False).encode())


def _read_record(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise SourceError("is not JSON", where=path, mend=_MEND) from error
    if not isinstance(record, dict):
        raise SourceError(f"a JSON {type(record).__name__}", where=path, expected="a JSON object", mend=_MEND)
    return record


def _read_table(path: Path, columns: Mapping[str, str]) -> pd.DataFrame:
    if not path.is_file():
        raise SourceError("is missing", where=path, mend=_MEND)
    try:
        frame = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise SourceError("is not a Parquet table", where=path, mend=_MEND) from error
    if missing := [name for name in columns if name not in frame.columns]:
        raise SourceError(f"has no column '{missing[0]}'", where=path, mend=_MEND)
    try:
        return frame[list(columns)].astype(dict(columns))
    except (TypeError, ValueError) as error:
        raise SourceError("has a column of the wrong type", where=path, mend=_MEND) from error


def _refuse_contradictions(results: Results, folder: Path) -> None:
    repeated = results.cases.loc[results.cases["case"].duplicated(), "case"]
    if len(repeated):
        raise SourceError(f"case '{repeated.iloc[0]}' stands twice", where=folder / "cases.parquet", mend=_MEND)
    keys = ["case", "structure", "metric"]
    if results.measures.duplicated(keys).any():
        raise SourceError("a measure stands twice", where=folder / "measures.parquet", mend=_MEND)
    unknown = set(results.measures["case"]) - set(results.cases["case"])
    if unknown:
        raise SourceError(f"measures of unknown case '{min(unknown)}'", where=folder / "measures.parquet", mend=_MEND)
