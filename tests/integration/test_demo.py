"""hipseg demo, from the clip in the package to the files it names."""

from __future__ import annotations

from pathlib import Path

import pytest
from drawn_clips import approaching_needle, images_of, write_dicom_clip
from grey_model import write_grey_model

from hipseg.cli import demo
from hipseg.cli.main import execute


def test_the_demo_says_where_its_results_lie(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = write_dicom_clip(tmp_path / "procedure.dcm", images_of(approaching_needle(3)))
    monkeypatch.setattr(demo, "demo_clip", lambda: clip)
    command = ["demo", "--out", str(tmp_path / "out"), "--model", str(write_grey_model(tmp_path))]
    assert execute(command) == 0
    assert execute(command) == 0, "a second demo replaces the first"
    shown = capsys.readouterr().out
    for name in ("overlay.mp4", "alerts.jsonl", "frames.jsonl", "session.json"):
        path = tmp_path / "out" / name
        assert str(path) in shown
        assert path.is_file()


def test_a_missing_demo_clip_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "__file__", str(tmp_path / "cli" / "demo.py"))
    assert execute(["demo", "--out", str(tmp_path / "out")]) == 2
    assert "the demo clip is missing" in capsys.readouterr().err
