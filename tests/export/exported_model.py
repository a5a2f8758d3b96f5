"""A model file beside the module it was made from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hipseg.export.graph import ExportGraph
from hipseg.runtime.session import Session


@dataclass(frozen=True)
class Exported:
    """A model file, the module it was made from, and a session that runs it."""

    path: Path
    graph: ExportGraph
    session: Session
