"""What a user may get wrong: one line that helps, the exit code of the contract, and nothing left behind."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from drawn_clips import approaching_needle, images_of, write_dicom_clip, write_images
from grey_model import write_grey_model

from hipseg.cli.main import execute

HIPSEG = [sys.executable, "-c", "from hipseg.cli.main import run; run()"]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a good clip, a good model, and things that are neither."""
    folder = tmp_path_factory.mktemp("house")
    write_grey_model(folder)
    clip = write_dicom_clip(folder / "good.dcm", images_of(approaching_needle(3)))
    (folder / "text.dcm").write_text("this is no recording")
    (folder / "text.mp4").write_text("nor is this")
    (folder / "text.png").write_text("nor this")
    (folder / "empty.dcm").write_bytes(b"")
    (folder / "short.dcm").write_bytes(clip.read_bytes()[:700])
    (folder / "empty_folder").mkdir()
    (folder / "text.onnx").write_text("no model")
    (folder / "settings.yaml").write_text("guidance: {veiw_check: off}")
    return folder


def refused(
    house: Path, capsys: pytest.CaptureFixture[str], source: str, *options: str, model: str = "grey.onnx"
) -> tuple[int, str]:
    """Exit code and the one line of a run that must be refused, leaving no results."""
    out = house / "never"
    code = execute(["infer", str(house / source), "--out", str(out), "--model", str(house / model), *options])
    said = capsys.readouterr().err.strip()
    assert said.startswith("hipseg: ")
    assert "\n" not in said
    assert not out.exists()
    return code, said


@pytest.mark.parametrize(
    "source", ["none.dcm", "text.dcm", "text.mp4", "text.png", "empty.dcm", "short.dcm", "empty_folder"]
)
def test_a_source_that_cannot_be_read(source: str, house: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, said = refused(house, capsys, source)
    assert code == 3
    assert source in said


@pytest.mark.parametrize("spacing", ["nan", "-0.1", "0", "5", "wide", "0.1,0.1,0.1", "", "inf"])
def test_a_spacing_that_cannot_be(spacing: str, house: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, said = refused(house, capsys, "good.dcm", f"--spacing={spacing}")
    assert code == 2
    assert "spacing" in said


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["guidance.veiw_check=off"], "did you mean 'guidance.view_check'?"),
        (["--config", "settings.yaml"], "settings.yaml"),
        (["--config", "none.yaml"], "none.yaml"),
        (["--region", "10,10"], "region"),
        (["--region", "5000,5000,10,10"], "region"),
        (["--frame-rate", "0"], "--frame-rate"),
        (["--frame-rate", "nan"], "--frame-rate"),
        (["--threads", "0"], "--threads"),
        (["--threads", "many"], "--threads"),
        (["--modle", "x"], "--modle"),
        (["another.dcm"], "2 sources given"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_an_option_that_makes_no_sense(
    options: list[str], says: str, house: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(house)
    code, said = refused(house, capsys, "good.dcm", *options)
    assert code == 2
    assert says in said


@pytest.mark.parametrize("model", ["text.onnx", "none.onnx", "hip-frist"])
def test_a_model_that_cannot_be_loaded(model: str, house: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, said = refused(house, capsys, "good.dcm", model=model)
    assert code == 4
    assert model in said


def test_a_dicom_segmentation_of_something_else(
    house: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    image = write_images(tmp_path / "images", images_of(approaching_needle(1))) / "frame_000.png"
    code = execute(
        ["infer", str(image), "--out", str(tmp_path / "out"), "--model", str(house / "grey.onnx"), "--dicom-seg"]
    )
    assert code == 2
    assert "--masks" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_among_many_mistakes_the_first_to_mend_is_told(house: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, said = refused(house, capsys, "none.dcm", "guidance.veiw_check=off", model="none.onnx")
    assert code == 2
    assert "veiw_check" in said
    code, said = refused(house, capsys, "none.dcm", model="none.onnx")
    assert code == 3
    assert "none.dcm" in said


def test_no_source_at_all(house: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["infer", "guidance.view_check=off", "--out", str(house / "never")]) == 2
    assert "no SOURCE given" in capsys.readouterr().err


def test_results_are_replaced_only_when_asked(house: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = [
        "infer",
        str(house / "good.dcm"),
        "--out",
        str(tmp_path),
        "--model",
        str(house / "grey.onnx"),
        "--no-overlay",
    ]
    assert execute(command) == 0
    first = (tmp_path / "frames.jsonl").read_bytes()
    assert execute(command) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert (tmp_path / "frames.jsonl").read_bytes() == first
    assert execute([*command, "--overwrite"]) == 0


def test_an_output_folder_that_is_a_file(house: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = str(house / "grey.onnx")
    assert execute(["infer", str(house / "good.dcm"), "--out", str(house / "text.png"), "--model", model]) == 2
    assert "text.png" in capsys.readouterr().err


def test_a_source_that_ends_early_keeps_what_was_decoded(
    house: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = write_dicom_clip(tmp_path / "whole.dcm", images_of(approaching_needle(6)))
    cut = tmp_path / "cut.dcm"
    cut.write_bytes(whole.read_bytes()[: -2 * 240 * 320 - 100])
    code = execute(
        ["infer", str(cut), "--out", str(tmp_path / "out"), "--model", str(house / "grey.onnx"), "--no-overlay"]
    )
    assert code == 3
    assert "cut.dcm" in capsys.readouterr().err
    if (tmp_path / "out").exists():
        lines = (tmp_path / "out" / "frames.jsonl").read_text().splitlines()
        assert len(lines) == 3
        assert '"state": "failed"' in (tmp_path / "out" / "session.json").read_text()


def _limit_files() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))


def test_a_full_disk_is_one_line_and_whole_lines(house: Path, tmp_path: Path) -> None:
    clip = write_dicom_clip(tmp_path / "long.dcm", images_of(approaching_needle(40)))
    out = tmp_path / "out"
    command = [*HIPSEG, "infer", str(clip), "--out", str(out), "--model", str(house / "grey.onnx"), "--no-overlay"]
    run = subprocess.run(command, capture_output=True, text=True, check=False, preexec_fn=_limit_files)
    assert run.returncode == 2, run.stderr
    assert run.stderr.count("\n") == 1
    assert "frames.jsonl" in run.stderr
    text = (out / "frames.jsonl").read_text()
    assert text.endswith("}\n")
    assert 3 < text.count("\n") < 40


BLOCKER = """
import sys, importlib.abc
class Blocker(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in {blocked}:
            raise ModuleNotFoundError(f'{{name}} is blocked', name=name)
sys.meta_path.insert(0, Blocker())
from hipseg.cli.main import run
run()
"""


def test_a_clinicians_installation_is_enough(house: Path, tmp_path: Path) -> None:
    blocked = {"torch", "monai", "albumentations", "lightning", "scipy", "hydra", "onnx", "joblib", "matplotlib"}
    code = BLOCKER.format(blocked=sorted(blocked))
    source = ["infer", str(house / "good.dcm"), "--out", str(tmp_path / "out"), "--model", str(house / "grey.onnx")]
    run = subprocess.run(
        [sys.executable, "-c", code, *source, "--masks", "--dicom-seg"], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    assert (tmp_path / "out" / "overlay.mp4").is_file()


@pytest.mark.parametrize(("size", "code"), [((1, 1), 3), ((700, 2), 3), ((16, 16), 0), ((16, 400), 0)], ids=str)
def test_images_too_small_for_an_anatomy_are_refused_others_go_the_whole_way(
    size: tuple[int, int], code: int, house: Path, tmp_path: Path
) -> None:
    image = write_images(tmp_path / "tiny", np.full((1, *size), 90, dtype=np.uint8)) / "frame_000.png"
    command = ["infer", str(image), "--out", str(tmp_path / "out"), "--model", str(house / "grey.onnx")]
    assert execute([*command, "--spacing", "0.1"]) == code
    assert (tmp_path / "out" / "overlay.png").is_file() == (code == 0)
