"""`hipseg models`, `hipseg doctor` and `hipseg benchmark latency`, on a shelf of one model."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from grey_model import write_grey_model

from hipseg.anatomy import CLASS_NAMES
from hipseg.cli.main import execute
from hipseg.runtime.models import SHELF_VARIABLE, sha256_of


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of the model "grey", alone on its shelf."""
    folder = tmp_path / "shelf" / "grey"
    folder.mkdir(parents=True)
    path = write_grey_model(folder).rename(folder / "model.onnx")
    content = {
        "model_version": "1.0.0",
        "description": "Reads grey levels.",
        "classes": list(CLASS_NAMES),
        "files": {"model.onnx": {"sha256": sha256_of(path)}},
    }
    (folder / "manifest.json").write_text(json.dumps(content))
    monkeypatch.setenv(SHELF_VARIABLE, str(tmp_path / "shelf"))
    return path


def answer(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> dict[str, Any]:
    """The one JSON object on stdout."""
    assert execute(list(arguments)) == code
    content: dict[str, Any] = json.loads(capsys.readouterr().out)
    return content


def grey(models: list[dict[str, Any]]) -> dict[str, Any]:
    return next(one for one in models if one["name"] == "grey")


def test_the_shelf_is_listed(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    listed = grey(answer(capsys, "models", "--json")["models"])
    assert (listed["version"], listed["state"], listed["description"]) == ("1.0.0", "ok", "Reads grey levels.")
    assert listed["classes"] == list(CLASS_NAMES)
    assert listed["bytes"] == model.stat().st_size
    assert execute(["models"]) == 0
    assert "grey" in capsys.readouterr().out


def test_the_doctor_sees_what_is_installed(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = answer(capsys, "doctor", "--json")
    assert grey(report["models"])["files"] == {model.name: "ok"}
    assert "CPUExecutionProvider" in report["providers"]
    assert all(report["packages"].values())
    assert all(report["codecs"]["dicom"].values())
    assert report["codecs"]["h264_encoder"] == "libx264"
    assert report["cpu"]["threads"] >= 1
    assert report["problems"] == []
    assert execute(["doctor"]) == 0


def test_the_doctor_survives_what_it_is_called_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    report = answer(capsys, "doctor", "--json")
    (problem,) = report["problems"]
    assert "av cannot be loaded" in problem
    assert report["codecs"]["h264_encoder"] is None


@pytest.mark.usefixtures("model")
def test_the_training_extra_is_looked_up_and_not_imported() -> None:
    code = "from hipseg.cli.main import execute; execute(['doctor']); import sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "monai", "lightning", "scipy", "onnx"} & set(done.stdout.split())


def test_the_doctor_leaves_with_4_when_a_model_has_changed(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model.write_bytes(model.read_bytes() + b"\0")
    assert execute(["doctor", "--json"]) == 4
    told = capsys.readouterr()
    assert grey(json.loads(told.out)["models"])["state"] == "model.onnx changed"
    (line,) = told.err.splitlines()
    assert "not as they were released: grey" in line


@pytest.mark.usefixtures("model")
def test_latency_is_measured_stage_by_stage(capsys: pytest.CaptureFixture[str]) -> None:
    short = ["--size", "160x120", "--frames", "8", "--rate", "30", "--live-seconds", "0.2"]
    figures = answer(capsys, "benchmark", "latency", "--model", "grey", *short)
    assert set(figures["latency_ms"]) == {"source", "preprocess", "inference", "guidance", "overlay", "total"}
    assert figures["num_frames"] == 8
    assert figures["size"] == {"height": 120, "width": 160}
    total = figures["latency_ms"]["total"]
    assert 0 < total["p50"] <= total["p95"] <= total["p99"] <= total["max"]


@pytest.mark.parametrize("size", ["640", "640x", "0x480", "640x480x3", "99999x10", "-1x20", "a x b"])
def test_a_size_that_is_none_is_refused(size: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["benchmark", "latency", "--size", size]) == 2
    assert "--size" in capsys.readouterr().err


def test_an_unknown_model_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["benchmark", "latency", "--model", "hip-unknown"]) == 4
    assert "unknown model 'hip-unknown'" in capsys.readouterr().err
