"""`hipseg replay`: the same settings give the same bytes, others give other alerts, broken sessions are refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from drawn_clips import PATIENT, approaching_needle, images_of, write_dicom_clip
from grey_model import write_grey_model

from hipseg.cli.main import execute


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Guidance over a clip with a needle, recorded with all that it saw, and a setting of its own."""
    folder = tmp_path_factory.mktemp("replay")
    out = folder / "session"
    clip = write_dicom_clip(folder / "needle.dcm", images_of(approaching_needle(14)))
    arguments = ["infer", str(clip), "--out", str(out), "--model", str(write_grey_model(folder))]
    assert execute([*arguments, "--masks", "guidance.alerts.vessel_proximity.raise_at=6"]) == 0
    return out


def test_the_same_settings_give_the_same_bytes(session: Path, tmp_path: Path) -> None:
    assert execute(["replay", str(session), "--out", str(tmp_path / "again")]) == 0
    for name in ("frames.jsonl", "alerts.jsonl"):
        assert (tmp_path / "again" / name).read_bytes() == (session / name).read_bytes()
    assert (tmp_path / "again" / "report.html").stat().st_size > 5000


def test_other_settings_give_other_alerts(session: Path, tmp_path: Path) -> None:
    keys = ["guidance.alerts.steep_angle.raise_at=1", "guidance.alerts.steep_angle.clear_at=0.5"]
    assert execute(["replay", str(session), "--out", str(tmp_path / "strict"), *keys]) == 0
    record = json.loads((tmp_path / "strict" / "session.json").read_text())
    assert record["alert_counts"]["steep_angle"] >= 1
    assert record["settings"]["guidance.alerts.steep_angle.raise_at"] == 1
    assert record["settings"]["guidance.alerts.vessel_proximity.raise_at"] == 6
    assert "steep_angle" not in json.loads((session / "session.json").read_text())["alert_counts"]


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str], *words: str) -> int:
    code = execute(["replay", *arguments])
    message = capsys.readouterr().err
    assert all(word in message for word in words), message
    assert "Traceback" not in message
    return code


def test_what_cannot_be_replayed_is_refused(session: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert refused([str(tmp_path)], capsys, "not a session") == 3
    assert refused([str(session), "guidance.alerts.vessel=1"], capsys, "unknown key") == 2
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare" / "session.json").write_bytes((session / "session.json").read_bytes())
    assert refused([str(tmp_path / "bare")], capsys, "nothing to replay", "--masks") == 3


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n", b"{}"])
def test_a_broken_picture_is_named(
    session: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    copy = tmp_path / "broken"
    for path in session.rglob("*"):
        if path.is_file() and "replayed" not in path.parts:
            place = copy / path.relative_to(session)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(path.read_bytes())
    (copy / "replay" / "000001.png").write_bytes(content)
    assert refused([str(copy), "--out", str(tmp_path / "out")], capsys, "line 2") == 3


def test_the_report_is_one_page_and_names_no_patient(session: Path) -> None:
    page = (session / "report.html").read_text()
    assert PATIENT not in page
    assert "PX-4711-Q" not in page
    assert "http://" not in page.replace("http://www.w3.org/2000/svg", "")
    for words in ("Not for clinical decisions", "Over time", "Key frames", "Closest to a vessel", "Not assessed"):
        assert words in page
    assert page.count("data:image/jpeg") >= 2
