"""A two-step training, for tests of networks in their natural surroundings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from omegaconf import DictConfig

from hipseg.anatomy import CLASS_NAMES, FEMORAL_HEAD
from hipseg.configuration import compose
from hipseg.data.manifest import DatasetManifest, DatasetWriter
from hipseg.training.config import TrainConfig


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def toy_training(tmp_path: Path) -> Callable[..., DictConfig]:
    """Composes a training on two drawn images."""
    root = tmp_path / "toy"
    labels_HW = cv2.circle(np.zeros((64, 64), np.uint8), (32, 32), 16, FEMORAL_HEAD, -1)
    with DatasetWriter(root, DatasetManifest(name="toy", classes=CLASS_NAMES[1:])) as writer:
        for split in ("train", "val"):
            writer.add(id=split, image_HW=labels_HW * 200, labels_HW=labels_HW, patient=split, split=split)
    overrides = [
        "experiment=smoke",
        f"data.train.simulated.root={root}",
        f"data.validation=[{root}]",
        "data.test=[]",
        "data.grid_size=64",
        "trainer.progress=off",
        "trainer.num_threads=1",
        f"runs_dir={tmp_path / 'runs'}",
    ]

    def composed(*further: str) -> DictConfig:
        return compose("train", [*overrides, *further], schema=TrainConfig)

    return composed
