"""What cannot go well is said before time is spent, and what goes wrong on the way leaves something to look at."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest
import torch
from toy_scenes import write_toy_dataset

from hipseg.anatomy import CLASS_NAMES
from hipseg.data.sources import CaseReader
from hipseg.errors import ModelError, OutputError, UsageError
from hipseg.training.broken_batch import save_broken_batch
from hipseg.training.checkpoint import CLASSES_KEY, load_network
from hipseg.training.preflight import absent_classes
from hipseg.training.run import train

SHOWN = {"femoral_head", "femoral_artery", "needle"}


@pytest.fixture(scope="module")
def checkpoint(small_overrides, tmp_path_factory) -> Path:
    from hipseg.configuration import compose
    from hipseg.training.config import TrainConfig

    folder = tmp_path_factory.mktemp("run") / "run"
    return train(compose("train", [*small_overrides, f"run_dir={folder}"], schema=TrainConfig)).last


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["trainer.accelerator=gpu", "trainer.devices=64"], r"64 GPUs asked for, \d+ here"),
        (["trainer.strategy=dpp"], "did you mean 'ddp'"),
        (["trainer.strategy=fsdp"], "not averaged.*trainer.ema_decay=0"),
        (["trainer.strategy=fsdp", "trainer.ema_decay=0", "trainer.precision=16-mixed"], "float16.*bf16-mixed"),
        (["data.grid_size=72"], "takes no grid of 72 x 72.*multiple"),
        (["trainer.devices=0"], "below 1"),
        (["trainer.accumulate=0"], "below 1"),
        (["data.validation=[]", "trainer.early_stop_epochs=2"], "no validation data"),
    ],
)
def test_settings_that_this_machine_cannot_meet(configure, tmp_path: Path, overrides: list[str], message: str):
    with pytest.raises(UsageError, match=message):
        train(configure(*overrides))
    assert not (tmp_path / "runs").exists()


def test_a_run_without_validation_and_with_absent_classes_says_so(configure, capsys):
    result = train(configure("data.validation=[]"))
    said = capsys.readouterr().err
    assert "no validation data" in said
    assert "no training image shows" in said
    assert result.best_score is None
    assert result.best.exists()


def test_absent_classes_are_those_in_no_mask(tmp_path: Path):
    reader = CaseReader(write_toy_dataset(tmp_path / "toy"), "train")
    assert absent_classes([reader]) == [name for name in CLASS_NAMES[1:] if name not in SHOWN]


def test_a_checkpoint_of_another_class_order_is_refused(checkpoint: Path, tmp_path: Path):
    content = torch.load(checkpoint, weights_only=True)
    classes = content[CLASSES_KEY]
    content[CLASSES_KEY] = [classes[0], classes[2], classes[1], *classes[3:]]
    torch.save(content, tmp_path / "other.ckpt")
    with pytest.raises(ModelError, match=f"'{classes[2]}' stands where '{classes[1]}' does"):
        load_network(tmp_path / "other.ckpt")


def test_a_disk_that_fills_up_stops_the_run_at_its_first_checkpoint(configure, tmp_path: Path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        with pytest.raises(OutputError, match=r"last\.ckpt.*cannot be written"):
            train(configure(f"run_dir={tmp_path / 'run'}"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not list((tmp_path / "run" / "checkpoints").iterdir())


def test_a_broken_batch_is_kept_with_its_culprit_named(tmp_path: Path):
    image = torch.zeros(3, 1, 4, 4)
    image[1, 0, 2, 2] = torch.nan
    batch = {"image": image, "index": torch.tensor([7, 8, 9]), "spacing": torch.full((3, 2), torch.nan)}
    said = save_broken_batch(tmp_path / "batch.pt", batch, {"loss": float("nan")})
    assert said == "image of stream positions [8]"
    kept = torch.load(tmp_path / "batch.pt", weights_only=True)
    torch.testing.assert_close(kept["batch"]["image"], image, equal_nan=True)
