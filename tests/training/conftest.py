"""A small data set on disk, and configurations of trainings on it that take seconds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from omegaconf import DictConfig
from toy_scenes import write_toy_dataset

from hipseg.configuration import compose
from hipseg.training.config import TrainConfig

Configure = Callable[..., DictConfig]

SMALL = (
    "experiment=smoke",
    "data.train.simulated.root={root}",
    "data.validation=[{root}]",
    "data.test=[]",
    "data.grid_size=64",
    "model.widths=[8,8,16,16,16]",
    "trainer.num_threads=1",
    "trainer.progress=off",
)


@pytest.fixture(scope="session")
def toy_dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy_dataset(tmp_path_factory.mktemp("data") / "simulated")


@pytest.fixture(scope="session")
def small_overrides(toy_dataset: Path) -> list[str]:
    """Overrides of `hipseg train` for a two-step training on the toy data set."""
    return [override.format(root=toy_dataset) for override in SMALL]


@pytest.fixture
def configure(small_overrides: list[str], tmp_path: Path) -> Configure:
    """Composes such a training, its run in `run_dir` or a folder of the test's own."""

    def composed(*overrides: str) -> DictConfig:
        return compose("train", [*small_overrides, f"runs_dir={tmp_path / 'runs'}", *overrides], schema=TrainConfig)

    return composed


@pytest.fixture(autouse=True)
def _threads_as_before():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)
