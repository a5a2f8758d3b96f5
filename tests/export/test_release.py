"""`hipseg export`: from a training run to a model's folder with its papers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from hipseg.anatomy import CLASS_NAMES
from hipseg.cli.main import execute
from hipseg.data.manifest import DatasetManifest, DatasetWriter
from hipseg.errors import ModelError
from hipseg.export.config import ExportConfig
from hipseg.export.provenance import training_data
from hipseg.export.release import export_run
from hipseg.models.halfres_unet import HalfResUNet
from hipseg.runtime.models import read_model, sha256_of
from hipseg.runtime.session import Session
from hipseg.training.checkpoint import CONFIG_KEY, read_weights

WIDTHS, GRID_SIZE, STEP = [4, 6], 32, 20
ATTRIBUTION = "Images: the hospital | of the north, 2025"


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data") / "groin"
    manifest = DatasetManifest(
        "groin", CLASS_NAMES[1:], licence="CC BY 4.0", attribution=ATTRIBUTION, source="somewhere"
    )
    image_HW = np.random.default_rng(0).integers(0, 256, (30, 40)).astype(np.uint8)
    with DatasetWriter(root, manifest) as writer:
        for number, split in enumerate(("train", "train", "test")):
            labels_HW = np.zeros((30, 40), np.uint8)
            writer.add(id=f"c{number}", image_HW=image_HW, labels_HW=labels_HW, patient=f"p{number}", split=split)
    return root


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, dataset: Path) -> Path:
    """A run folder as training leaves it."""
    folder = tmp_path_factory.mktemp("run")
    torch.manual_seed(1)
    network = HalfResUNet(widths=WIDTHS)
    simulation = {"_target_": "hipseg.data.sources.SimulationSource"}
    sources = {"groin": {"_target_": "hipseg.data.sources.DiskSource", "root": str(dataset)}, "simulated": simulation}
    config = {
        "model": {"_target_": "hipseg.models.halfres_unet.HalfResUNet", "widths": WIDTHS},
        "data": {"_target_": "hipseg.data.datamodule.HipDataModule", "grid_size": GRID_SIZE, "train": sources},
        "seed": 0,
    }
    state = {f"network.{name}": value for name, value in network.state_dict().items()}
    (folder / "checkpoints").mkdir()
    torch.save({"state_dict": state, "global_step": STEP, CONFIG_KEY: config}, folder / "checkpoints" / "best.ckpt")
    (folder / "metrics.csv").write_text(
        "step,figure,value,n\n10,dice/femoral_head,0.5,7\n20,dice/femoral_head,0.75,7\n20,tip_error_mm,nan,0\n"
        "30,dice/femoral_head,0.6,7\n"
    )
    return folder


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory, run: Path) -> Path:
    """A folder of models that holds "first", exported by the command."""
    out = tmp_path_factory.mktemp("models")
    (out / "notes.md").write_text("Meant for **tests**.\n")
    (out / "figures.json").write_text(json.dumps(FIGURES))
    assert execute(export_of(run, "first", out, f"notes={out}/notes.md", f"metrics=[{out}/figures.json]")) == 0
    return out


FIGURES = {
    "data": {"name": "groin", "split": "test"},
    "structures": {"femoral_head": {"dice": {"mean": 0.81, "num_frames": 14, "num_patients": 3}}},
}


def export_of(run: Path, name: str, out: Path, *more: str) -> list[str]:
    return ["export", f"run={run}", f"name={name}", f"out={out}", *more]


def manifest_of(shelf: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((shelf / "first" / "manifest.json").read_text())
    return content


def test_the_folder_holds_the_four_files_and_their_checksums(shelf: Path) -> None:
    folder = shelf / "first"
    assert {path.name for path in folder.iterdir()} == {
        "model.onnx",
        "checkpoint.safetensors",
        "card.md",
        "manifest.json",
    }
    files = manifest_of(shelf)["files"]
    assert isinstance(files, dict)
    assert {name: entry["sha256"] for name, entry in files.items()} == {
        name: sha256_of(folder / name) for name in ("model.onnx", "checkpoint.safetensors", "card.md")
    }
    assert not [path for path in shelf.iterdir() if path.name.startswith(".")]


def test_the_model_runs_and_knows_its_data_and_figures(shelf: Path) -> None:
    with Session(shelf / "first") as session:
        contract = session.contract
        assert session.segment(np.zeros((50, 70), np.uint8)).labels_HW.shape == (50, 70)
    groin, simulated = contract.training_data
    assert (groin["name"], groin["num_cases"], groin["licence"]) == ("groin", 2, "CC BY 4.0")
    assert (simulated["name"], simulated["num_cases"]) == ("simulated", None)
    assert contract.metrics["validation"]["dice/femoral_head"] == {"value": 0.75, "n": 7}
    assert contract.metrics["validation"]["tip_error_mm"] == {"value": None, "n": 0}
    assert contract.metrics["groin test"]["structures"] == FIGURES["structures"]


def test_the_card_tells_licences_figures_and_limits(shelf: Path) -> None:
    card = (shelf / "first" / "card.md").read_text()
    for text in (
        "Not a medical device",
        "Meant for **tests**.",
        "CC BY 4.0",
        "the hospital / of the north",
        "groin test",
    ):
        assert text in card
    assert "| femoral_head: Dice | 0.81 | 14 images, 3 patients |" in card
    assert "tip_error_mm" not in card


def test_no_folder_of_this_machine_is_told(shelf: Path, run: Path, dataset: Path) -> None:
    for path in (shelf / "first").iterdir():
        content = path.read_bytes()
        assert str(dataset.parent).encode() not in content
        assert str(run).encode() not in content


def test_the_weights_are_there_to_train_further(shelf: Path) -> None:
    network = HalfResUNet(widths=WIDTHS)
    network.load_state_dict(read_weights(shelf / "first" / "checkpoint.safetensors"))
    image = torch.rand(1, 1, GRID_SIZE, GRID_SIZE)
    torch.manual_seed(1)
    torch.testing.assert_close(network.eval()(image), HalfResUNet(widths=WIDTHS).eval()(image))


def test_a_model_is_replaced_only_when_asked(shelf: Path, run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = read_model(shelf / "first").sha256
    assert execute(export_of(run, "first", shelf)) == 2
    assert "is there already; choose another name, or give overwrite=true" in capsys.readouterr().err
    assert execute(export_of(run, "first", shelf, "model_version=0.2.0", "overwrite=true")) == 0
    assert manifest_of(shelf)["model_version"] == "0.2.0"
    assert read_model(shelf / "first").sha256 != before
    assert not [path for path in shelf.iterdir() if path.name.startswith(".")]


@pytest.fixture
def refused(tmp_path: Path) -> Iterator[Path]:
    """A folder in which a refused export leaves nothing."""
    yield tmp_path / "models"
    assert not list((tmp_path / "models").glob("*"))


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        ("name=Hip/First", 2, "name: 'Hip/First'; expected small letters"),
        ("view_thresholds=[0.8,0.2]", 2, "expected two ascending numbers"),
        ("notes=missing.md", 2, "missing.md: cannot be read"),
        ("metrics=[missing.json]", 2, "missing.json: cannot be read"),
        ("overwrit=true", 2, "unknown key; did you mean 'overwrite'"),
        ("overwrite=perhaps", 2, "key 'overwrite': Value 'perhaps' is not a valid bool"),
        ("run=nowhere", 4, "nowhere: no checkpoint here"),
    ],
)
def test_a_wrong_setting_is_one_line(
    run: Path, refused: Path, change: str, code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute([*export_of(run, "second", refused), change]) == code
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


@pytest.mark.parametrize("fault", [KeyboardInterrupt(), ModelError("no agreement"), OSError(28, "No space left")])
def test_an_export_that_ends_early_leaves_nothing(
    run: Path, refused: Path, fault: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    def end_early(*_: object) -> None:
        raise fault

    monkeypatch.setattr("hipseg.export.release.export_model", end_early)
    with pytest.raises(type(fault)):
        export_run(ExportConfig(run=str(run), name="second", out=str(refused)))


def test_data_without_its_licence_is_refused_unless_allowed(
    run: Path, refused: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)
    checkpoint[CONFIG_KEY]["data"]["train"]["groin"]["root"] = str(tmp_path / "moved")
    torch.save(checkpoint, tmp_path / "moved.ckpt")
    assert execute(export_of(tmp_path / "moved.ckpt", "second", refused)) == 2
    assert "data set 'groin' of the training cannot be read" in capsys.readouterr().err
    groin, _ = training_data(OmegaConf.create(checkpoint[CONFIG_KEY]), allow_unknown=True)
    assert (groin["name"], groin["licence"], groin["attribution"]) == ("groin", "unknown", "unknown")


def test_the_composed_settings_can_be_read_before(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute([*export_of(run, "second", tmp_path), "--cfg"]) == 0
    assert "view_thresholds" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())
