"""One step of two batches, or of two processes, is one step of the double batch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from hipseg.configuration import compose
from hipseg.training.checkpoint import load_network, read_checkpoint
from hipseg.training.config import TrainConfig
from hipseg.training.curves import read_csv
from hipseg.training.run import train

# Equal up to rounding only where a sample's loss does not depend on its neighbours: no batch statistics, no Dice over
# the batch, and as many known cells in every sample.
ADDITIVE = (
    "model=monai_segresnet",
    "model.init_filters=8",
    "loss=labels_only",
    "loss.dice=0",
    "augment=none",
    "data.negatives=0",
    "optimizer.fused=false",
    "scheduler=constant",
    "scheduler.warmup_steps=0",
    "trainer.max_steps=4",
    "trainer.steps_per_epoch=2",
    "trainer.accelerator=cpu",
    "trainer.precision=32-true",
)


def losses(folder: Path) -> list[float]:
    return [float(row["loss"]) for row in read_csv(folder / "losses.csv")]


@pytest.fixture(scope="module")
def overrides(small_overrides) -> list[str]:
    kept = [override for override in small_overrides if not override.startswith("model.")]
    return [*kept, *ADDITIVE]


@pytest.fixture(scope="module")
def double_batch(overrides, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("double") / "run"
    return train(compose("train", [*overrides, "data.batch_size=4", f"run_dir={folder}"], schema=TrainConfig)).folder


def test_two_batches_a_step_give_the_losses_of_the_double_batch(overrides, double_batch, tmp_path: Path):
    config = compose("train", [*overrides, "trainer.accumulate=2", f"run_dir={tmp_path / 'run'}"], schema=TrainConfig)
    assert losses(train(config).folder) == pytest.approx(losses(double_batch), rel=1e-4)


def test_two_processes_give_the_losses_of_the_double_batch(overrides, double_batch, tmp_path: Path):
    script = tmp_path / "command.py"
    script.write_text("import sys\nfrom hipseg.cli.main import execute\nsys.exit(execute(sys.argv[1:]))\n")
    settings = ["trainer.devices=2", "trainer.strategy=ddp", "trainer.num_threads=1", f"run_dir={tmp_path / 'run'}"]
    done = subprocess.run([sys.executable, script, "train", *overrides, *settings], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert losses(tmp_path / "run") == pytest.approx(losses(double_batch), rel=1e-4)
    assert (tmp_path / "run" / "summary.html").exists()
    assert done.stdout.count("summary.html") == 1


def test_two_processes_with_half_the_weights_each_give_the_losses_of_the_double_batch_also_when_they_go_on(
    overrides, double_batch, tmp_path: Path
):
    run = tmp_path / "run"
    settings = ["trainer.devices=2", "trainer.strategy=fsdp", "trainer.ema_decay=0", f"run_dir={run}"]
    script = tmp_path / "twice.py"
    script.write_text(
        "import sys\nfrom hipseg.cli.main import execute\n"
        "first = execute(['train', *sys.argv[1:], 'trainer.max_steps=2'])\n"
        f"sys.exit(first or execute(['train', 'resume={run}', 'trainer.max_steps=4']))\n"
    )
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run([*torchrun, script, *overrides, *settings], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert losses(run) == pytest.approx(losses(double_batch), rel=1e-4)
    whole = read_checkpoint(double_batch / "checkpoints" / "last.ckpt")["current_model_state"]
    network, _ = load_network(run / "checkpoints" / "last.ckpt")
    # Where a gradient is nearly nothing, Adam takes its rounding for a direction: a few weights differ, not their mean.
    apart = [(value - whole[f"network.{name}"]).abs().flatten() for name, value in network.state_dict().items()]
    assert torch.cat(apart).mean() < 1e-4
