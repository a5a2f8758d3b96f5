"""The folds of a cross-validation through the command line: train each, export them as one model, infer with it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from hipseg.cli.main import execute
from hipseg.runtime.session import Session


def hipseg(*arguments: object) -> None:
    """Runs one command line and insists on success."""
    assert execute([str(argument) for argument in arguments]) == 0


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two folds, the model of both, and the model of each."""
    folder = tmp_path_factory.mktemp("ensemble_way")
    hipseg("simulate", f"out={folder}/data/simulated", "num_cases=8", "seed=3", "num_workers=1")
    hipseg("data", "split", folder / "data" / "simulated", "--folds", 2)
    small = ["model.widths=[4,4,8,8,8,8]", "data.grid_size=64", f"datasets={folder}/data", "trainer.num_threads=1"]
    runs = [f"hydra.sweep.dir={folder}/sweep", "data.fold=0,1"]
    hipseg("train", "--multirun", "experiment=smoke", *small, *runs)
    exported = [("sweep", "folds"), ("sweep/0", "first"), ("sweep/1", "second")]
    for run, name in exported:
        hipseg("export", f"run={folder}/{run}", f"name={name}", f"out={folder}/models")
    return folder


def probabilities(house: Path, name: str) -> np.ndarray:
    image_HW = np.random.default_rng(0).integers(0, 256, (90, 120)).astype(np.uint8)
    with Session(house / "models" / name) as session:
        return session.segment(image_HW).probabilities_CHW


@pytest.mark.timeout(900)
def test_the_folds_as_one_say_the_mean_of_what_each_says(house: Path) -> None:
    each = [probabilities(house, name) for name in ("first", "second")]
    assert np.abs(each[0] - each[1]).max() > 1e-4
    np.testing.assert_allclose(probabilities(house, "folds"), np.mean(each, axis=0), atol=1e-5)


def test_papers_name_the_folds_data(house: Path) -> None:
    manifests = [json.loads((house / "models" / name / "manifest.json").read_text()) for name in ("folds", "first")]
    assert manifests[0]["training_data"] == manifests[1]["training_data"]


def test_inference_runs_on_the_folds(house: Path) -> None:
    image = next((house / "data" / "simulated").rglob("*.png"))
    hipseg("infer", image, "--out", house / "session", "--model", house / "models" / "folds")
    lines = (house / "session" / "frames.jsonl").read_text().splitlines()
    assert [json.loads(line)["frame"] for line in lines] == [0]
