"""Fixtures for every room: real recordings, small drawn ones."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# `make test` must say the same of the same commit, so its examples are drawn from the test's own name. New ground is
# searched with `HYPOTHESIS_PROFILE=explore`, which draws others each time.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.register_profile("explore", max_examples=1000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real ultrasound beside the repository; tests that need it skip where it is absent."""
    folder = Path(os.environ.get("HIPSEG_SHARED_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real recordings at {folder}; HIPSEG_SHARED_DATA names another place")
    return folder


@pytest.fixture
def as_anybody(tmp_path: Path) -> Iterator[None]:
    """Takes the superuser's rights away, who may read and write everything; nothing to do for other users."""
    if os.geteuid() != 0:
        yield
        return
    nobody = 65534
    above = [
        folder for folder in tmp_path.parents if folder.stat().st_uid == 0 and folder.stat().st_mode & 0o777 == 0o700
    ]
    for folder in above:
        folder.chmod(0o711)
    os.chown(tmp_path, nobody, nobody)
    os.seteuid(nobody)
    yield
    os.seteuid(0)
    for folder in above:
        folder.chmod(0o700)
