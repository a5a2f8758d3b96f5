"""The soak: what its sender really sends, what its checks really see, and a short run of both halves."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from grey_model import write_grey_model

from hipseg.cli.main import execute
from hipseg.evaluation.latency.recording import write_recording
from hipseg.evaluation.soak.kills import KillRequest, KillTally, kill_and_resume, torn_lines
from hipseg.evaluation.soak.process import sample_of
from hipseg.evaluation.soak.records import check_records
from hipseg.evaluation.soak.sender import UnreliableSender
from hipseg.io.igtl.messages import HEADER_BYTES, check_body, decode_image, parse_header

_IMAGES = [np.full((40, 60), 10 * level, np.uint8) for level in range(4)]


def received(connection: socket.socket, number: int) -> bytes:
    parts = b""
    while len(parts) < number and (part := connection.recv(number - len(parts))):
        parts += part
    return parts


def test_a_good_sender_sends_whole_pictures_with_times_that_go_on() -> None:
    stamps_s = []
    with (
        UnreliableSender(_IMAGES, 200, None, np.random.default_rng(0)) as sender,
        socket.create_connection(("127.0.0.1", sender.port), timeout=10) as connection,
    ):
        for number in range(5):
            header = parse_header(received(connection, HEADER_BYTES))
            body = received(connection, header.body_bytes)
            check_body(header, body)
            image_HW, _ = decode_image(header, body)
            assert np.array_equal(image_HW, _IMAGES[number % 4])
            stamps_s.append(header.stamp_s)
    assert stamps_s == sorted(stamps_s)
    assert not sender.faults


def test_things_go_wrong_as_often_as_asked() -> None:
    with UnreliableSender(_IMAGES, 500, 0.01, np.random.default_rng(3)) as sender:
        while sum(sender.faults.values()) < 3:
            with socket.create_connection(("127.0.0.1", sender.port), timeout=10) as connection:
                connection.settimeout(1)
                while sum(sender.faults.values()) < 3 and connection.recv(65536):
                    pass
    assert sum(sender.faults.values()) >= 3


def line(frame: int, age_ms: float, *, shown: bool) -> dict[str, Any]:
    live = {"age_ms": age_ms, "guidance_shown": shown}
    return {"frame": frame, "time_s": frame / 30, "latency_ms": {"total": 10.0}, "live": live}


def write_session(out: Path, lines: list[dict[str, Any]], *, dropped: int, frames_in: int, end: str = "\n") -> None:
    out.mkdir()
    live = {"frames_in": frames_in, "failed_frames": 0, "losses": 0, "reopened": 0, "conditions": {}}
    (out / "session.json").write_text(json.dumps({"state": "complete", "dropped_frames": dropped, "live": live}))
    (out / "frames.jsonl").write_text("\n".join(map(json.dumps, lines)) + end)
    (out / "alerts.jsonl").write_text('{"id": "stale_frame", "event": "raised"}\n')


def test_the_records_are_checked_line_by_line(tmp_path: Path) -> None:
    good = [line(number, 20.0, shown=True) for number in range(30)]
    write_session(tmp_path / "good", good, dropped=10, frames_in=40)
    found = check_records(tmp_path / "good", 200.0)
    faults = ("broken_lines", "out_of_order", "unaccounted_frames", "shown_though_old")
    assert [found[name] for name in faults] == [0, 0, 0, 0]
    assert found["alerts"] == {"stale_frame": {"raised": 1}}
    bad = [*good, line(5, 20.0, shown=True), line(31, 300.0, shown=True), line(32, 300.0, shown=False)]
    write_session(tmp_path / "bad", bad, dropped=0, frames_in=40, end='\n{"frame": 33')
    found = check_records(tmp_path / "bad", 200.0)
    assert [found[name] for name in faults] == [1, 1, 6, 1]
    assert torn_lines(tmp_path / "bad") >= 1


def test_this_process_can_be_looked_at() -> None:
    sample = sample_of(os.getpid())
    assert sample is not None
    assert sample.memory_mb > 10
    assert sample.threads >= 1
    assert sample_of(2**22 + 1) is None


def test_a_short_soak_from_end_to_end(tmp_path: Path) -> None:
    out = tmp_path / "soak"
    options = ["--duration", "60", "--frames", "5", "--rate", "20", "--fault-every", "0"]
    assert execute(["benchmark", "soak", "--out", str(out), "--model", str(write_grey_model(tmp_path)), *options]) == 0
    live = json.loads((out / "soak.json").read_text())["live"]
    assert live["exit_code"] == 130  # ended by us, when enough was recorded
    assert live["lines"] >= 5
    assert live["broken_lines"] == live["out_of_order"] == 0
    assert "soak" in (out / "soak.html").read_text().lower()


def test_kills_are_taken_up_where_they_were_stopped(tmp_path: Path) -> None:
    recording, model = write_recording(tmp_path / "recording.mp4", 60, 80), str(write_grey_model(tmp_path))
    request = KillRequest(recording, tmp_path / "kills", num_kills=1, model=model)
    heard: list[int] = []

    def stop_after_the_first(tally: KillTally) -> None:
        heard.append(tally.kills)
        if tally.kills:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        kill_and_resume(request, stop_after_the_first)
    assert heard[-1] == 1
    tally = kill_and_resume(request)
    assert (tally.kills, tally.torn_lines, tally.videos_lacking, tally.is_complete) == (1, 0, 0, True)
    assert tally.identical
    assert all(tally.identical)


def test_a_soak_that_is_stopped_tells_what_it_found_and_is_not_mixed_with_another(tmp_path: Path) -> None:
    out, model = tmp_path / "soak", str(write_grey_model(tmp_path))
    options = ["--model", model, "--duration", "100", "--rate", "20", "--fault-every", "0"]
    words = [sys.executable, "-c", "from hipseg.cli.main import run; run()", "benchmark", "soak", "--out", str(out)]
    process = subprocess.Popen([*words, *options], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
    samples = out / "samples.jsonl"
    try:
        for _ in range(1500):
            if samples.is_file() and samples.stat().st_size:
                break
            time.sleep(0.02)
        process.terminate()
        assert process.wait(60) == 130
    finally:
        process.kill()
    live = json.loads((out / "soak.json").read_text())["live"]
    assert (live["is_complete"], live["exit_code"], live["state"]) == (False, 130, "interrupted")
    assert live["lines"] > 0
    assert "Stopped before its time" in (out / "soak.html").read_text()
    assert execute(["benchmark", "soak", "--out", str(out), *options]) == 2
