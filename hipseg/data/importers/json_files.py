"""Annotations in JSON: one file at a time, each fault with its field."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hipseg.errors import SourceError
from hipseg.io.file_kind import unreadable

_MAX_BYTES = 2 * 2**30


def read_json_object(path: Path) -> dict[str, Any]:
    """The object in a JSON file. Raises SourceError when it cannot be read, is none, or is larger than 2 GiB."""
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise SourceError(f"{path.stat().st_size} bytes of JSON", where=path, expected=f"at most {_MAX_BYTES}")
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise unreadable(path, error) from error
    except (ValueError, RecursionError) as error:
        raise SourceError(f"not JSON ({error})", where=path, mend="export it again") from error
    if not isinstance(content, dict):
        raise SourceError(f"a JSON {type(content).__name__}", where=path, expected="an object")
    return content


def list_in(values: Mapping[str, Any], field: str, where: str) -> list[Any]:
    """A list of an object. Raises SourceError when it is missing or something else."""
    found = values.get(field)
    if not isinstance(found, list):
        got = "is missing" if field not in values else f"is a {type(found).__name__}"
        raise SourceError(f"field '{field}' {got}", where=where, expected="a list")
    return found
