"""The data set's records as JSON Schema (draft 2020-12), one file a version, for programs that do without hipseg.

`manifest-1.json` describes manifest.json, `case-1.json` a line of cases.jsonl. A published version never changes its
meaning; fields are only added, and `hipseg.data.records` refuses what the schema refuses.
"""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

from hipseg.data.records import FORMAT_VERSION
from hipseg.errors import UsageError

_NAMES = ("manifest", "case")


def load_schema(name: str, version: int = FORMAT_VERSION) -> dict[str, Any]:
    """A published schema.

    Args:
        name: "manifest" or "case".
        version: of the data set format.

    Raises:
        UsageError: there is no such schema.
    """
    file = resources.files(__name__) / f"{name}-{version}.json"
    if name not in _NAMES or not file.is_file():
        raise UsageError(f"no schema '{name}' of version {version}", expected=f"{' or '.join(_NAMES)} of version 1")
    schema: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return schema
