"""Models by name and by path, and what their checksums say."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from hipseg.errors import ModelError, UsageError
from hipseg.runtime import models
from hipseg.runtime.models import FileState, find_model, list_models, read_model

CONTENT = b"a model"


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A shelf of one model, "hip-good", before all others."""
    folder = tmp_path / "shelf"
    put_model(folder / "hip-good")
    monkeypatch.setenv(models.SHELF_VARIABLE, str(folder))
    return folder


def put_model(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / models.MODEL_FILE).write_bytes(CONTENT)
    (folder / models.CARD_FILE).write_text("# good\n")
    files = {path.name: {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()} for path in folder.iterdir()}
    (folder / models.MANIFEST_FILE).write_text(json.dumps({"model_version": "1.0", "files": files}))


def test_a_model_is_found_by_its_name(shelf: Path) -> None:
    assert find_model("hip-good") == shelf / "hip-good" / "model.onnx"
    assert read_model("hip-good").content == CONTENT
    assert read_model("hip-good").sha256 == hashlib.sha256(CONTENT).hexdigest()


@pytest.mark.usefixtures("shelf")
def test_a_mistyped_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(ModelError, match=r"unknown model 'hip-god'.*did you mean 'hip-good'"):
        find_model("hip-god")


def test_a_model_is_found_by_file_and_by_folder(shelf: Path) -> None:
    path = shelf / "hip-good" / "model.onnx"
    assert find_model(path) == find_model(str(path)) == find_model(str(path.parent)) == path


def test_a_name_on_the_shelf_goes_before_a_folder_of_results(
    shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "hip-good").mkdir()
    monkeypatch.chdir(tmp_path)
    assert find_model("hip-good") == shelf / "hip-good" / "model.onnx"


@pytest.mark.usefixtures("shelf")
@pytest.mark.parametrize("name", ["missing.onnx", "some/where", "."])
def test_a_path_without_a_model_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match="no such model file"):
        find_model(name)


def test_a_changed_model_is_not_loaded(shelf: Path) -> None:
    (shelf / "hip-good" / "model.onnx").write_bytes(b"another model")
    with pytest.raises(ModelError, match=r"changed since its release.*expected sha256") as fault:
        find_model("hip-good")
    assert fault.value.exit_code == 4
    with pytest.raises(ModelError, match="changed since its release"):
        find_model(shelf / "hip-good" / "model.onnx")


def test_a_file_that_no_manifest_lists_has_nothing_to_compare(tmp_path: Path) -> None:
    path = tmp_path / "own.onnx"
    path.write_bytes(CONTENT)
    assert find_model(path) == path


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"files": {"model.onnx": "abc"}}', '{"files": {"../x": {"sha256": "a"}}}']
)
def test_a_manifest_without_checksums_is_a_fault(shelf: Path, text: str) -> None:
    (shelf / "hip-good" / "manifest.json").write_text(text)
    with pytest.raises(ModelError, match=r"manifest\.json"):
        find_model("hip-good")
    assert found("hip-good").state.startswith("manifest.json")


def found(name: str) -> models.ShelfModel:
    return next(model for model in list_models() if model.name == name)


def test_the_shelf_tells_the_state_of_every_file(shelf: Path) -> None:
    assert found("hip-good").state == "ok"
    assert found("hip-good").manifest["model_version"] == "1.0"
    (shelf / "hip-good" / "card.md").write_text("# better\n")
    (shelf / "hip-good" / "model.onnx").unlink()
    model = found("hip-good")
    assert model.files == {"model.onnx": FileState.MISSING, "card.md": FileState.CHANGED}
    assert "model.onnx missing" in model.state
    assert "card.md changed" in model.state
    assert model.size_bytes is None


def test_an_export_under_way_is_not_listed(shelf: Path) -> None:
    put_model(shelf / ".hip-next-x1")
    assert ".hip-next-x1" not in {model.name for model in list_models()}


def test_the_first_of_two_shelves_wins(shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_model(tmp_path / "other" / "hip-good")
    put_model(tmp_path / "other" / "hip-new")
    monkeypatch.setenv(models.SHELF_VARIABLE, f"{shelf}:{tmp_path / 'other'}")
    assert find_model("hip-good").is_relative_to(shelf)
    assert {"hip-good", "hip-new"} <= {model.name for model in list_models()}


def test_a_shelf_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(models.SHELF_VARIABLE, str(tmp_path / "nowhere"))
    with pytest.raises(UsageError, match=r"HIPSEG_MODELS=.*nowhere: no such folder"):
        list_models()
