"""A small data set with every kind of record, made by the real writer."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_scenes import PARTIAL, scene

from hipseg.data.manifest import DatasetWriter


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six cases: four of two patients to train, one to validate, one to test."""
    root = tmp_path_factory.mktemp("dataset")
    splits = ["train", "train", "train", "train", "val", "test"]
    with DatasetWriter(root, PARTIAL) as writer:
        for number, split in enumerate(splits):
            image_HW, labels_HW = scene(number, height=60 + 5 * number)
            writer.add(
                id=f"case_{number}",
                image_HW=image_HW,
                labels_HW=labels_HW,
                patient=f"{split}_{number // 2}",
                split=split,
                spacing_mm=(0.1, 0.2),
                landmarks={"needle_tip": (41.0, 11.0), "needle_entry": (10.0, 3.0), "head_neck_junction": None},
                hip_view=True,
            )
    return root


@pytest.fixture(autouse=True)
def _salt_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pseudonyms are the same in every run, and nothing is kept among the user's settings."""
    monkeypatch.setenv("HIPSEG_SALT", "for the tests")
