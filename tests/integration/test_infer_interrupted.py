"""Stopping hipseg infer at any moment leaves whole lines, a playable video, and a word about it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import numpy as np
import pytest
from drawn_clips import approaching_needle, images_of, write_dicom_clip
from grey_model import write_grey_model

HIPSEG = [sys.executable, "-c", "from hipseg.cli.main import run; run()"]
PATIENCE_S = 60.0


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """A run that takes long enough to be stopped: 600 frames."""
    folder = tmp_path_factory.mktemp("long")
    images = images_of(approaching_needle(12))
    clip = write_dicom_clip(folder / "long.dcm", np.concatenate([images] * 50))
    return [*HIPSEG, "infer", str(clip), "--model", str(write_grey_model(folder)), "--masks"]


@contextmanager
def running(command: list[str], out: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [*command, "--out", str(out)], stderr=subprocess.PIPE, text=True, preexec_fn=_hear_interrupts
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _hear_interrupts() -> None:
    """A suite that runs in a shell's background hands down an ignored SIGINT; a user's terminal does not."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def wait_for_lines(path: Path, number: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if path.exists() and path.read_bytes().count(b"\n") >= number:
            return
        time.sleep(0.01)
    raise AssertionError(f"{path} did not reach {number} lines")


def whole_lines(path: Path) -> int:
    """Number of records; every one must be whole."""
    text = path.read_text()
    assert text.endswith("\n")
    return len([json.loads(line) for line in text.splitlines()])


def playable_frames(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_run_after_the_frame(number: signal.Signals, command: list[str], tmp_path: Path) -> None:
    with running(command, tmp_path / "out") as process:
        wait_for_lines(tmp_path / "out" / "frames.jsonl", 20)
        process.send_signal(number)
        said = process.communicate(timeout=PATIENCE_S)[1]
    assert process.returncode == 130
    assert said == "hipseg: interrupted; everything written so far is whole\n"
    count = whole_lines(tmp_path / "out" / "frames.jsonl")
    assert 20 <= count < 600
    assert playable_frames(tmp_path / "out" / "overlay.mp4") == count
    assert len(list((tmp_path / "out" / "masks").iterdir())) == count
    record = json.loads((tmp_path / "out" / "session.json").read_text())
    assert record["state"] == "interrupted"
    assert record["frame_count"] == count


def test_an_impatient_user_gets_whole_files_too(command: list[str], tmp_path: Path) -> None:
    with running(command, tmp_path / "out") as process:
        wait_for_lines(tmp_path / "out" / "frames.jsonl", 20)
        for _ in range(5):
            process.send_signal(signal.SIGINT)
            time.sleep(0.002)
        process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130
    assert whole_lines(tmp_path / "out" / "frames.jsonl") >= 20
    assert playable_frames(tmp_path / "out" / "overlay.mp4") >= 20
    assert json.loads((tmp_path / "out" / "session.json").read_text())["state"] == "interrupted"


@pytest.mark.parametrize("after_s", [0.15, 0.35])
def test_a_signal_while_starting_up_is_an_interruption(after_s: float, command: list[str], tmp_path: Path) -> None:
    with running(command, tmp_path / "out") as process:
        time.sleep(after_s)
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=PATIENCE_S)[1]
    assert process.returncode == 130 or process.returncode == -signal.SIGINT
    assert "internal fault" not in said


def test_a_killed_run_leaves_whole_lines_and_a_playable_video(command: list[str], tmp_path: Path) -> None:
    with running(command, tmp_path / "out") as process:
        wait_for_lines(tmp_path / "out" / "frames.jsonl", 60)
        process.kill()
        process.communicate(timeout=PATIENCE_S)
    count = whole_lines(tmp_path / "out" / "frames.jsonl")
    assert count >= 60
    # Frames reach the disk in fragments of half a second, at 25 frames a second.
    assert playable_frames(tmp_path / "out" / "overlay.mp4") >= count - 14
