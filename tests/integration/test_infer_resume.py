"""A run that was killed, taken up with --resume: what comes out is what an undisturbed run writes."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import av
import numpy as np
import pytest
from drawn_clips import approaching_needle, images_of, write_dicom_clip
from grey_model import write_grey_model

from hipseg.cli.main import execute

HIPSEG = [sys.executable, "-c", "from hipseg.cli.main import run; run()"]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model, a long clip, a study of two short ones, and what an undisturbed run makes of the long one."""
    folder = tmp_path_factory.mktemp("house")
    write_grey_model(folder)
    images = images_of(approaching_needle(12))
    write_dicom_clip(folder / "long.dcm", np.concatenate([images] * 8))
    (folder / "study").mkdir()
    write_dicom_clip(folder / "study" / "a.dcm", images[:4])
    write_dicom_clip(folder / "study" / "b.dcm", images[:6])
    assert execute(arguments(folder, "long.dcm", folder / "undisturbed")) == 0
    return folder


def arguments(house: Path, source: str, out: Path, *others: str) -> list[str]:
    return ["infer", str(house / source), "--out", str(out), "--model", str(house / "grey.onnx"), "--masks", *others]


def kill_after_lines(command: list[str], out: Path, number: int) -> None:
    process = subprocess.Popen([*HIPSEG, *command], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    frames, deadline_s = out / "frames.jsonl", time.monotonic() + 60
    while not (frames.exists() and frames.read_bytes().count(b"\n") >= number) and time.monotonic() < deadline_s:
        time.sleep(0.005)
    process.kill()
    process.wait()


def results(out: Path) -> dict[str, object]:
    """Everything but the latencies."""
    lines = (out / "frames.jsonl").read_text().splitlines()
    with av.open(str(out / "overlay.mp4")) as video:
        pictures = [frame.to_ndarray(format="rgb24").sum() for frame in video.decode(video=0)]
    return {
        "frames": [line.split(', "latency_ms"')[0] for line in lines],
        "alerts": (out / "alerts.jsonl").read_bytes(),
        "masks": {path.name: path.read_bytes() for path in (out / "masks").iterdir()},
        "pictures": pictures,
    }


def test_a_killed_run_is_completed_identically(house: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    kill_after_lines(arguments(house, "long.dcm", out), out, 20)
    assert json.loads((out / "session.json").read_text())["state"] == "running"
    kill_after_lines(arguments(house, "long.dcm", out, "--resume"), out, 8)
    assert execute(arguments(house, "long.dcm", out, "--resume")) == 0
    assert results(out) == results(house / "undisturbed")
    assert json.loads((out / "session.json").read_text())["state"] == "complete"


def test_a_torn_session_is_done_again(house: Path, tmp_path: Path) -> None:
    assert execute(arguments(house, "study/a.dcm", tmp_path / "whole")) == 0
    out = tmp_path / "out"
    assert execute(arguments(house, "study/a.dcm", out)) == 0
    (out / "session.json").write_text('{"state": "comp')
    (out / "frames.jsonl").write_text("half a li")
    assert execute(arguments(house, "study/a.dcm", out, "--resume")) == 0
    assert results(out) == results(tmp_path / "whole")


def test_clips_that_are_complete_are_left_alone(
    house: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert execute(arguments(house, "study", out)) == 0
    written = (out / "a" / "frames.jsonl").stat().st_mtime_ns
    (out / "b" / "session.json").unlink()
    capsys.readouterr()
    assert execute(arguments(house, "study", out, "--resume")) == 0
    said = capsys.readouterr().out
    assert "a: complete already" in said
    assert "b: 6 frames" in said
    assert (out / "a" / "frames.jsonl").stat().st_mtime_ns == written
    assert json.loads((out / "session.json").read_text())["state"] == "complete"


def test_resuming_where_nothing_is_starts_at_the_beginning(house: Path, tmp_path: Path) -> None:
    assert execute(arguments(house, "study/a.dcm", tmp_path / "new", "--resume")) == 0
    assert len(results(tmp_path / "new")["frames"]) == 4  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (["guidance.view_check=off"], "other settings"),
        (["--spacing", "0.3"], "other spacing_mm"),
        (["--no-overlay"], "other outputs"),
    ],
)
def test_another_run_is_not_mixed_in(
    changes: list[str], says: str, house: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert execute(arguments(house, "study/a.dcm", out)) == 0
    before = (out / "frames.jsonl").read_bytes()
    assert execute(arguments(house, "study/a.dcm", out, "--resume", *changes)) == 2
    assert says in capsys.readouterr().err
    assert (out / "frames.jsonl").read_bytes() == before


def test_resume_and_what_it_contradicts(house: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert execute(arguments(house, "study/a.dcm", out, "--resume", "--overwrite")) == 2
    assert execute(["infer", "replay:x.dcm", "--out", str(out), "--resume"]) == 2
    assert capsys.readouterr().err.count("\n") == 2
    assert not out.exists()
