"""One small network through the real export, shared by this folder: an export takes seconds."""

from __future__ import annotations

import pytest
from exported_model import Exported
from tiny_model import GRID_SIZE, BrightnessNetwork, build_tiny_model

from hipseg.export.graph import ExportGraph
from hipseg.runtime.session import Session


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """The tiny model of `tests/tiny_model.py`."""
    path = build_tiny_model(tmp_path_factory.mktemp("tiny"))
    return Exported(path, ExportGraph(BrightnessNetwork(), GRID_SIZE).eval(), Session(path, num_threads=1))
