"""Configurations are complete and checked, and what is wrong with one is said in one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from hipseg.configuration import compose, config_folder, sweep, to_yaml
from hipseg.errors import UsageError
from hipseg.training.config import TrainConfig


def train_config(*overrides: str):
    return compose("train", overrides, schema=TrainConfig)


def test_defaults_compose_and_print():
    text = to_yaml(train_config())
    assert "hipseg.models.halfres_unet.HalfResUNet" in text
    assert "${" not in text


@pytest.mark.parametrize(
    ("override", "named", "mended"),
    [
        ("trainer.max_step=3", "trainer.max_step", "did you mean 'trainer.max_steps'?"),
        ("optimizer.lrr=1", "optimizer.lrr", "did you mean 'optimizer.lr'?"),
        ("modl=x", "modl", "did you mean 'model'?"),
        ("model=halfres", "model", "did you mean 'halfres_unet'?"),
        ("experiment=dmo", "experiment", "did you mean 'demo'?"),
        ("trainer.max_steps=many", "trainer.max_steps", "expected a whole number"),
        ("trainer.gradient_clip=much", "trainer.gradient_clip", "expected a number"),
        ("trainer.max_steps=1,2", "trainer.max_steps", "--multirun"),
        ("name=${nowhere}", "name", "'nowhere' not found"),
        ("name=[1", "train", "[1"),
    ],
)
def test_faults_name_the_key_and_the_remedy(override: str, named: str, mended: str):
    with pytest.raises(UsageError) as caught:
        train_config(override)
    message = str(caught.value)
    assert named in message
    assert mended in message
    assert "\n" not in message


@pytest.mark.parametrize("text", ["nmae: x", "trainer: {max_stepz: 1}"])
def test_a_mistyped_key_in_a_file_is_refused(tmp_path: Path, text: str):
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text(f"# @package _global_\n{text}\n")
    with pytest.raises(UsageError, match="did you mean"):
        train_config(f"hydra.searchpath=[file://{tmp_path}]", "experiment=mine")


def test_broken_yaml_is_named_with_its_line(tmp_path: Path):
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text("a: {b\nc: 1\n")
    with pytest.raises(UsageError, match=r"mine\.yaml.*line"):
        train_config(f"hydra.searchpath=[file://{tmp_path}]", "experiment=mine")


def test_every_option_of_every_group_composes():
    for group in ("model", "loss", "optimizer", "scheduler", "trainer", "augment", "data", "logger", "experiment"):
        for file in sorted((config_folder() / group).glob("*.yaml")):
            train_config(f"{group}={file.stem}", *(["loss.teacher=runs/large"] if file.stem == "distilled" else []))


def test_a_sweep_runs_each_combination_in_a_folder_of_its_own(tmp_path: Path):
    results = sweep(
        "train", _describe, [f"runs_dir={tmp_path}", "seed=1,2", "model=halfres_unet,monai_unet"], schema=TrainConfig
    )
    assert [result[0] for result in results] == [1, 1, 2, 2]
    assert len({result[1] for result in results}) == 4
    assert all(result[1].startswith(str(tmp_path)) for result in results)


def _describe(config) -> tuple[int, str]:
    return config.seed, config.run_dir
