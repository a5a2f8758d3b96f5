"""Fixtures for every room: real recordings, small drawn ones."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real ultrasound beside the repository; tests that need it skip where it is absent."""
    folder = Path(os.environ.get("HIPSEG_SHARED_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real recordings at {folder}; HIPSEG_SHARED_DATA names another place")
    return folder
