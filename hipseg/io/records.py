"""Records as JSON: one document, or one line at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from hipseg.errors import OutputError, SourceError
from hipseg.io.writing import output_errors, write_atomically


def write_json(path: str | Path, record: Mapping[str, Any]) -> None:
    """Writes one JSON document atomically, indented.

    Raises:
        OutputError: the file cannot be written.
        ValueError: the record holds a number that JSON does not know (NaN, infinity): unknown is None.
    """
    text = json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False, default=_plain)
    write_atomically(Path(path), (text + "\n").encode())


def read_json_lines(path: str | Path) -> Iterator[dict[str, Any]]:
    """The records of a file of JSON lines.

    Raises:
        SourceError: the file cannot be read, or a line is no JSON object.
    """
    try:
        with Path(path).open("rb") as file:
            for number, line in enumerate(file, start=1):
                yield _record(line, number, path)
    except OSError as error:
        if isinstance(error, SourceError):
            raise
        raise SourceError(f"can't be read ({error.strerror})", where=path) from error


def _record(line: bytes, number: int, path: str | Path) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise SourceError(f"line {number} is no JSON", where=path) from error
    if not isinstance(record, dict):
        raise SourceError(f"line {number} holds a JSON {type(record).__name__}", where=path, expected="an object")
    return record


class JsonLinesSink:
    """A file of JSON lines that holds whole lines at any moment.

    Every line reaches the operating system in one write before `write` returns, so a killed process loses nothing.

    Args:
        path: replaced when it exists.

    Raises:
        OutputError: the file cannot be opened.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        with output_errors(self._path):
            self._file = self._path.open("wb", buffering=0)

    def write(self, record: Mapping[str, Any]) -> None:
        """Appends one line.

        Raises:
            OutputError: the disk is full; the lines before it stay whole.
            ValueError: the record holds NaN or infinity.
        """
        text = json.dumps(record, ensure_ascii=False, allow_nan=False, default=_plain)
        line = (text + "\n").encode()
        with output_errors(self._path):
            start = self._file.tell() if self._file.seekable() else None
            if self._file.write(line) == len(line):
                return
            # A full disk takes a part of a line without complaint.
            if start is not None:
                self._file.truncate(start)
            raise OutputError("cannot be written: the disk is full", where=self._path, mend="make room and run again")

    def close(self) -> None:
        """Closes the file; may be called twice."""
        with output_errors(self._path):
            self._file.close()

    def __enter__(self) -> JsonLinesSink:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _plain(value: object) -> Any:
    """numpy's numbers and arrays as JSON knows them."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} does not fit into a record")
