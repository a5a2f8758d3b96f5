"""A training that was stopped, by whatever, goes on as if it had not been: checked by stopping real processes."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hipseg.configuration import compose
from hipseg.errors import UsageError
from hipseg.training.config import TrainConfig
from hipseg.training.run import resumed_config, train

STEPS = (
    "trainer.max_steps=48",
    "trainer.steps_per_epoch=8",
    "trainer.checkpoint_every_steps=3",
    "trainer.progress=lines",
)


@pytest.fixture(scope="module")
def run_overrides(small_overrides) -> list[str]:
    return [*small_overrides, *STEPS]


@pytest.fixture(scope="module")
def uninterrupted(run_overrides, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "run"
    return train(compose("train", [*run_overrides, f"run_dir={folder}"], schema=TrainConfig)).folder


def stop_while_training(overrides: list[str], folder: Path, number: int, at_step: int) -> tuple[int, str]:
    """Starts `hipseg train` and sends it a signal after a step. Returns its exit code and what it said."""
    script = "import sys; from hipseg.cli.main import execute; sys.exit(execute(sys.argv[1:]))"
    command = [sys.executable, "-c", script, "train", *overrides, f"run_dir={folder}"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    losses = folder / "losses.csv"
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        if losses.exists() and losses.read_text().count("\n") > at_step:
            process.send_signal(number)
            break
        time.sleep(0.005)
    _, said = process.communicate(timeout=60)
    return process.returncode, said


@pytest.mark.parametrize(
    ("number", "at_step", "workers", "exit_code"),
    [
        (signal.SIGKILL, 1, 0, -signal.SIGKILL),
        (signal.SIGKILL, 11, 1, -signal.SIGKILL),
        (signal.SIGINT, 13, 1, 130),
    ],
    ids=["killed in the first epoch", "killed in mid-epoch with a worker", "interrupted in mid-epoch with a worker"],
)
def test_a_stopped_run_gives_the_losses_of_an_uninterrupted_one(
    number, at_step, workers, exit_code, run_overrides, uninterrupted, tmp_path
):
    folder = tmp_path / "run"
    code, said = stop_while_training([*run_overrides, f"data.num_workers={workers}"], folder, number, at_step)
    assert code == exit_code
    if number == signal.SIGINT:
        assert f"hipseg train resume={folder}" in said
    steps_before = (folder / "losses.csv").read_text().count("\n") - 1
    assert at_step <= steps_before < 48
    train(resumed_config(folder))
    for name in ("losses.csv", "metrics.csv"):
        assert (folder / name).read_bytes() == (uninterrupted / name).read_bytes()


TORN_WRITE = """
import os, signal, sys
import lightning.fabric.plugins.io.torch_io as torch_io

whole, count = torch_io._atomic_save, 0

def torn(checkpoint, path):
    global count
    count += 1
    whole(checkpoint, path)
    if count == 5:
        os.truncate(path, os.path.getsize(path) // 2)
        os.kill(os.getpid(), signal.SIGKILL)

torch_io._atomic_save = torn
from hipseg.cli.main import execute
sys.exit(execute(sys.argv[1:]))
"""


def test_a_run_killed_while_it_writes_a_checkpoint_goes_on_with_the_same_losses(run_overrides, uninterrupted, tmp_path):
    folder = tmp_path / "run"
    done = subprocess.run(
        [sys.executable, "-c", TORN_WRITE, "train", *run_overrides, f"run_dir={folder}"],
        capture_output=True,
    )
    assert done.returncode == -signal.SIGKILL
    assert (folder / "checkpoints" / "last.unfinished").exists()
    train(resumed_config(folder))
    for name in ("losses.csv", "metrics.csv"):
        assert (folder / name).read_bytes() == (uninterrupted / name).read_bytes()


def test_a_run_that_goes_on_with_other_data_or_versions_says_so(run_overrides, tmp_path, capsys):
    folder = tmp_path / "run"
    train(compose("train", [*run_overrides, f"run_dir={folder}", "trainer.max_steps=8"], schema=TrainConfig))
    for name in ("data.json", "versions.json"):
        record = (folder / name).read_text()
        record = re.sub(r'"cases_sha256": "\w+"', '"cases_sha256": "0"', record)
        (folder / name).write_text(re.sub(r'"torch": "[^"]+"', '"torch": "1.0"', record))
    capsys.readouterr()
    train(resumed_config(folder, ["trainer.max_minutes=5"]))
    said = capsys.readouterr().err
    assert "torch 1.0 (now 2." in said
    assert "not the data it began with: training data 'simulated', validation data 1 'toy'" in said


def test_a_run_killed_while_it_accumulates_goes_on_with_the_same_losses(run_overrides, tmp_path):
    overrides = [*run_overrides, "trainer.accumulate=3", "trainer.max_steps=16"]
    whole = train(compose("train", [*overrides, f"run_dir={tmp_path / 'whole'}"], schema=TrainConfig)).folder
    folder = tmp_path / "run"
    code, _ = stop_while_training(overrides, folder, signal.SIGKILL, 10)
    assert code == -signal.SIGKILL
    train(resumed_config(folder))
    for name in ("losses.csv", "metrics.csv"):
        assert (folder / name).read_bytes() == (whole / name).read_bytes()


def test_a_finished_run_can_be_made_longer_and_keeps_its_best(run_overrides, tmp_path):
    folder = tmp_path / "run"
    short = [*run_overrides, f"run_dir={folder}", "trainer.max_steps=16", "scheduler=constant"]
    first = train(compose("train", short, schema=TrainConfig))
    longer = train(resumed_config(folder, ["trainer.max_steps=24"]))
    assert longer.steps == 24
    assert longer.best_score >= first.best_score
    assert (folder / "losses.csv").read_text().count("\n") == 25


@pytest.mark.parametrize(
    "override",
    ["model=monai_unet", "seed=3", "model.widths=[8]", "+x.y=1", "trainer.max_stepz=3", "trainer.strategy=fsdp"],
)
def test_what_would_make_it_another_run_is_refused(uninterrupted, override):
    with pytest.raises(UsageError):
        resumed_config(uninterrupted, [override])
