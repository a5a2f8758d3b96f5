"""The main job through the command line: simulate, train two steps, resume, export, infer, evaluate."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hipseg.cli.main import execute
from hipseg.runtime.session import Session


def hipseg(*arguments: object) -> None:
    """Runs one command line and insists on success."""
    assert execute([str(argument) for argument in arguments]) == 0


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the whole way has been walked once."""
    folder = tmp_path_factory.mktemp("whole_way")
    hipseg("simulate", f"out={folder}/simulated", "num_cases=12", "seed=3", "num_workers=1")
    hipseg("train", "experiment=smoke", f"datasets={folder}", f"run_dir={folder}/run")
    hipseg("export", f"run={folder}/run", "name=fresh", f"out={folder}/models")
    hipseg(
        "simulate", f"out={folder}/procedure", "format=dicom", "num_cases=1", "num_frames=6", "seed=4", "num_workers=1"
    )
    hipseg("infer", f"{folder}/procedure", "--out", f"{folder}/session", "--model", model_file(folder), "--masks")
    return folder


def model_file(folder: Path) -> Path:
    return folder / "models" / "fresh" / "model.onnx"


@pytest.mark.timeout(300)
def test_the_run_keeps_what_is_needed_to_resume_and_to_judge_it(house: Path) -> None:
    run = house / "run"
    assert (run / "checkpoints" / "last.ckpt").is_file()
    assert (run / "config.yaml").is_file()
    assert list((run / "pictures").glob("*.png"))
    assert (run / "summary.html").is_file()


def test_the_exported_model_describes_itself_and_where_it_comes_from(house: Path) -> None:
    manifest = json.loads((house / "models" / "fresh" / "manifest.json").read_text())
    session = Session(str(model_file(house)))
    assert session.contract.name == "fresh"
    assert session.sha256 == manifest["files"]["model.onnx"]["sha256"]
    assert manifest["training_data"][0]["licence"] == "Apache-2.0"
    session.close()


def test_the_session_tells_scale_and_truth_of_every_frame(house: Path) -> None:
    lines = [json.loads(line) for line in (house / "session" / "frames.jsonl").read_text().splitlines()]
    assert [line["frame"] for line in lines] == list(range(6))
    assert all(line["spacing_mm"] for line in lines)
    assert len(list((house / "session" / "masks").glob("*.png"))) == 6
    assert (house / "session" / "overlay.mp4").stat().st_size > 0
    session = json.loads((house / "session" / "session.json").read_text())
    assert session["model"]["name"] == "fresh"
    assert session["frame_count"] == 6


def test_evaluation_counts_what_it_measures(house: Path, tmp_path: Path) -> None:
    hipseg(
        "evaluate",
        house / "simulated",
        "--model",
        model_file(house),
        "--split",
        "train",
        "--out",
        tmp_path / "figures.json",
    )
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures["num_cases"] > 0
    assert figures["structures"]["femoral_head"]["dice"]["num_frames"] > 0
