"""A network with memory through the command line: simulate moments, train two steps, export, infer on a clip."""

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
    """A folder in which the whole way has been walked once."""
    folder = tmp_path_factory.mktemp("temporal_way")
    moments = ["scenario=all", "num_cases=10", "clip_frames=3", "seed=3", "num_workers=1"]
    hipseg("simulate", f"out={folder}/simulated", *moments)
    small = ["model=temporal_unet", "model.widths=[8,8,16,16,16,16]", "data.clip_frames=3", "data.grid_size=64"]
    training = ["train", "experiment=smoke", *small, f"datasets={folder}", "trainer.num_threads=1"]
    hipseg(*training, "--dry-run")
    hipseg(*training, f"run_dir={folder}/run")
    hipseg("export", f"run={folder}/run", "name=temporal", f"out={folder}/models")
    clip = ["format=dicom", "num_cases=1", "num_frames=4", "seed=4", "num_workers=1"]
    hipseg("simulate", f"out={folder}/procedure", *clip)
    hipseg("infer", f"{folder}/procedure", "--out", f"{folder}/session", "--model", model_file(folder))
    return folder


def model_file(folder: Path) -> Path:
    return folder / "models" / "temporal" / "model.onnx"


@pytest.mark.timeout(900)
def test_every_frame_of_the_clip_is_segmented(house: Path) -> None:
    lines = [json.loads(line) for line in (house / "session" / "frames.jsonl").read_text().splitlines()]
    assert [line["frame"] for line in lines] == list(range(4))


def test_manifest_and_card_tell_what_it_remembers(house: Path) -> None:
    manifest = json.loads((house / "models" / "temporal" / "manifest.json").read_text())
    assert manifest["state"] == {"memory_4": [12, 16, 16], "memory_8": [24, 8, 8]}
    assert {parity["num_frames"] for parity in manifest["parity"]} == {4}
    assert "remembers the frames before" in (house / "models" / "temporal" / "card.md").read_text()


def test_the_same_image_twice_is_not_the_same_to_it(house: Path) -> None:
    image_HW = np.random.default_rng(0).integers(0, 256, (90, 120)).astype(np.uint8)
    with Session(model_file(house)) as session:
        first, state = session.step(image_HW)
        second, _ = session.step(image_HW, state)
        again = session.segment(image_HW)
    np.testing.assert_array_equal(first.probabilities_CHW, again.probabilities_CHW)
    assert np.abs(first.probabilities_CHW - second.probabilities_CHW).max() > 0
