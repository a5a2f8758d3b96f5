"""A run, from configuration to what it leaves in its folder."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from pathlib import Path

import cv2
import pytest
import torch
from omegaconf import OmegaConf

from hipseg.configuration import compose, config_folder
from hipseg.errors import ModelError, OutputError, SourceError, UsageError
from hipseg.models.outputs import NUM_OUTPUT_CHANNELS
from hipseg.training.checkpoint import load_network, read_checkpoint
from hipseg.training.config import TrainConfig
from hipseg.training.curves import read_csv
from hipseg.training.run import resumed_config, train

PRESETS = sorted(file.stem for file in (config_folder() / "experiment").glob("*.yaml"))


@pytest.fixture(scope="module")
def finished(small_overrides, tmp_path_factory):
    """A run of two validations on the toy data."""
    overrides = [f"run_dir={tmp_path_factory.mktemp('run') / 'one'}", "trainer.max_steps=4", "trainer.progress=lines"]
    return train(compose("train", [*small_overrides, *overrides], schema=TrainConfig))


def test_a_run_leaves_everything_needed_to_judge_and_repeat_it(finished):
    folder = finished.folder
    assert [int(row["step"]) for row in read_csv(folder / "losses.csv")] == [1, 2, 3, 4]
    metrics = read_csv(folder / "metrics.csv")
    assert {row["step"] for row in metrics if row["figure"] == "score"} == {"2", "4"}
    assert all(int(row["n"]) > 0 for row in metrics if row["figure"].startswith("dice/"))
    assert list((folder / "tensorboard").glob("events.*"))
    assert OmegaConf.load(folder / "config.yaml").trainer.max_steps == 4
    assert "torch" in (folder / "versions.json").read_text()
    (validation,) = json.loads((folder / "data.json").read_text())["validation"]
    assert validation["num_cases"] == 3
    cases = Path(validation["folder"]) / "cases.jsonl"
    assert validation["cases_sha256"] == hashlib.sha256(cases.read_bytes()).hexdigest()
    sheet = cv2.imread(str(folder / "pictures" / "epoch_001.png"))
    assert sheet.std() > 10


def test_the_summary_stands_alone(finished):
    page = (finished.folder / "summary.html").read_text()
    assert "Not a medical device" in page
    assert page.count("data:image/png;base64,") == 2
    assert "Dice, femoral head" in page
    assert not re.search(r'(src|href)="(?!data:|#)', page)


def test_checkpoints_are_plain_data_and_hold_the_averaged_weights(finished):
    checkpoint = read_checkpoint(finished.last)
    network, config = load_network(finished.folder)
    assert config.model.widths == [8, 8, 16, 16, 16]
    assert not network.training
    image = torch.rand(1, 1, 64, 64)
    assert network(image).shape == (1, NUM_OUTPUT_CHANNELS, 64, 64)
    last, _ = load_network(finished.last)
    name = "network.head.0.weight"
    assert torch.equal(last.state_dict()["head.0.weight"], checkpoint["state_dict"][name])
    assert not torch.equal(checkpoint["state_dict"][name], checkpoint["current_model_state"][name])


def test_two_trainings_of_one_seed_give_the_same_losses(configure):
    first, second, other = (train(configure(f"seed={seed}")).folder / "losses.csv" for seed in (3, 3, 4))
    assert first.read_bytes() == second.read_bytes()
    assert first.read_bytes() != other.read_bytes()


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_trains(preset: str, toy_dataset: Path, tmp_path: Path, monkeypatch):
    for name in ("frames", "simulated", "femoral", "vessels", "muscle"):
        shutil.copytree(toy_dataset, tmp_path / "datasets" / name)
    monkeypatch.chdir(tmp_path)
    overrides = [f"experiment={preset}", "trainer.max_steps=2", "data.grid_size=64", "data.batch_size=2"]
    config = compose("train", [*overrides, "data.num_workers=0", "trainer.progress=off"], schema=TrainConfig)
    result = train(config)
    assert result.steps == 2
    assert result.last.exists()


@pytest.mark.parametrize("option", ["optimizer=sgd", "scheduler=cosine", "scheduler=constant", "loss=labels_only"])
def test_options_train(configure, option: str):
    assert train(configure(option)).steps == 2


def test_training_learns(configure):
    steps = ["trainer.max_steps=80", "trainer.steps_per_epoch=80", "data.batch_size=4", "optimizer.lr=0.01"]
    result = train(configure(*steps, "augment=none", "trainer.num_pictures=0"))
    losses = [float(row["loss"]) for row in read_csv(result.folder / "losses.csv")]
    assert sum(losses[-10:]) < 0.5 * sum(losses[:10])
    assert result.figures["view_accuracy"].value == 1


def test_a_new_run_starts_from_given_weights(configure, finished):
    config = configure(f"init_from={finished.best}", "optimizer.lr=1e-12", "trainer.ema_decay=0")
    started, _ = load_network(train(config).folder)
    given, _ = load_network(finished.best)
    torch.testing.assert_close(started.state_dict()["head.0.weight"], given.state_dict()["head.0.weight"])


def test_weights_of_another_network_are_refused(configure, finished):
    with pytest.raises(ModelError, match=r"weights '.*' of shape"):
        train(configure(f"init_from={finished.best}", "model.widths=[8,8,8]"))


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", None])
def test_broken_checkpoints_are_refused(tmp_path: Path, finished, content: bytes | None):
    path = tmp_path / "broken.ckpt"
    path.write_bytes(finished.last.read_bytes()[:5000] if content is None else content)
    with pytest.raises(ModelError, match="broken"):
        load_network(path)


def test_a_checkpoint_that_would_run_code_is_refused(tmp_path: Path):
    path = tmp_path / "pickle.ckpt"
    torch.save({"state_dict": {}, "hipseg_config": Path("x")}, path)
    with pytest.raises(ModelError, match="would run code"):
        load_network(path)


def test_missing_checkpoints_are_refused(tmp_path: Path):
    for path in (tmp_path, tmp_path / "nowhere.ckpt"):
        with pytest.raises(ModelError, match="no checkpoint"):
            resumed_config(path)


def test_a_loss_that_is_not_finite_stops_the_run(configure, tmp_path: Path, monkeypatch):
    (tmp_path / "broken_loss.py").write_text(
        "import torch\n"
        "class Broken(torch.nn.Module):\n"
        "    def __init__(self, **weights):\n"
        "        super().__init__()\n"
        "    def forward(self, channels, batch):\n"
        "        return {'loss': channels.sum() * float('nan')}\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UsageError, match=r"step 0.*not finite.*broken_batch_0\.pt.*optimizer\.lr"):
        train(configure("loss._target_=broken_loss.Broken", f"run_dir={tmp_path / 'run'}"))
    kept = torch.load(tmp_path / "run" / "broken_batch_0.pt", weights_only=True)
    assert kept["batch"]["index"].tolist() == [0, 1]


def test_a_missing_data_set_leaves_no_run_behind(configure, tmp_path: Path):
    with pytest.raises(SourceError, match="nowhere"):
        train(configure("data.train.simulated.root=nowhere"))
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("trainer.max_steps=3", r"no multiple.*trainer\.max_steps=4"),
        ("trainer.max_steps=0", "below 1"),
        ("trainer.progress=fancy", "unknown kind 'fancy'"),
        ("model._target_=hipseg.models.nothing.Net", "cannot be made"),
        ("+model.depth=3", "unexpected keyword argument 'depth'"),
        ("run_dir={finished}", "resume="),
    ],
)
def test_settings_that_cannot_work_are_refused(configure, finished, override: str, message: str):
    with pytest.raises((UsageError, OutputError), match=message):
        train(configure(override.format(finished=finished.folder)))
