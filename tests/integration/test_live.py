"""Live runs from end to end: real sockets, real onnxruntime, a model that knows the answer, and every bad source.

Limits are set so that a busy machine changes no outcome: what must not happen is given minutes, what must happen none.
"""

from __future__ import annotations

import base64
import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pyigtl
import pytest
from drawn_clips import approaching_needle, images_of, write_dicom_clip, write_images
from grey_model import write_grey_model
from igtl_peer import image_body, image_message, message, serving, status_message

from hipseg.cli.main import execute
from hipseg.errors import ModelError
from hipseg.runtime.session import Session

HIPSEG = [sys.executable, "-c", "from hipseg.cli.main import run; run()"]
IMAGES = images_of(approaching_needle(12))
PATIENT = [
    "guidance.live.stale_after_ms=10000",
    "guidance.live.stage_limit_ms=60000",
    "guidance.live.low_rate_hz=0",
    "guidance.live.clock_tolerance_s=30",
    "guidance.live.memory_low_percent=0",
]
"""Nothing is wrong, however slow the machine is."""
HASTY = ["guidance.live.retry_first_s=0.02", "guidance.live.retry_longest_s=0.05", "guidance.live.give_up_after_s=0.5"]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("house")
    write_grey_model(folder)
    write_dicom_clip(folder / "needle.dcm", IMAGES)
    return folder


AT_ONCE = "guidance.tracking.require_motion=false"
"""A needle is believed in its first frame, where a clip is too short for it to prove itself by moving."""


def infer(house: Path, source: str, out: Path, *others: str) -> int:
    return execute(["infer", source, "--out", str(out), "--model", str(house / "grey.onnx"), *others])


def lines(path: Path) -> list[dict[str, Any]]:
    text = path.read_text()
    assert text == "" or text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


def summary(out: Path) -> dict[str, Any]:
    return json.loads((out / "session.json").read_text())  # type: ignore[no-any-return]


def events(out: Path, alert_id: str) -> list[str]:
    return [line["event"] for line in lines(out / "alerts.jsonl") if line["id"] == alert_id]


def test_a_replay_gives_the_results_of_the_contract(house: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert infer(house, f"replay:{house / 'needle.dcm'}", out, "--masks", *PATIENT, AT_ONCE) == 0
    assert {path.name for path in out.iterdir()} == {
        "session.json", "frames.jsonl", "alerts.jsonl", "overlay.mp4", "masks", "replay", "report.html",
    }  # fmt: skip
    records, session = lines(out / "frames.jsonl"), summary(out)
    assert session["state"] == "complete"
    assert session["source_kind"] == "replay"
    assert session["frame_count"] == len(records)
    assert session["live"]["frames_in"] == 12 == len(records) + session["dropped_frames"]
    assert session["live"]["age_ms"]["p50"] > 0
    assert session["live"]["conditions"] == {}
    assert session["live"]["first_run_ms"] > 0
    for record in records:
        assert record["time_s"] == pytest.approx(0.04 * record["frame"])
        assert record["live"]["source_time_s"] == pytest.approx(record["time_s"])
        assert record["live"]["guidance_shown"]
        assert record["needle"]["state"] == "tracked"
        assert (out / "masks" / f"{record['frame']:06d}.png").is_file()
    with av.open(str(out / "overlay.mp4")) as video:
        times_s = [float(frame.time or 0) for frame in video.decode(video=0)]
    assert times_s == pytest.approx([record["time_s"] for record in records], abs=0.002)


def test_a_live_session_has_a_report_and_can_be_replayed(house: Path, tmp_path: Path) -> None:
    slow = [f"guidance.live.low_rate_{key}" for key in ("hz=900", "clear_hz=901", "after_s=0.1")]
    out, limits = tmp_path / "out", [*PATIENT, AT_ONCE, *slow]
    arguments = ["--masks", "--loop", "--duration", "1.5"]
    assert infer(house, f"replay:{house / 'needle.dcm'}", out, *arguments, *limits) == 0
    assert "low_frame_rate" in {line["id"] for line in lines(out / "alerts.jsonl")}
    page = (out / "report.html").read_text()
    assert all(words in page for words in ("Closest to a vessel", "The source", "Low frame rate", "low rate"))
    assert page.count("data:image/jpeg") >= 2
    assert len(lines(out / "replay" / "inputs.jsonl")) + summary(out)["live"]["pictures_not_recorded"] >= len(
        lines(out / "frames.jsonl")
    )
    assert execute(["replay", str(out), "--out", str(tmp_path / "again")]) == 0
    if summary(out)["live"]["pictures_not_recorded"] == 0:
        for name in ("frames.jsonl", "alerts.jsonl"):
            assert (tmp_path / "again" / name).read_bytes() == (out / name).read_bytes()


def test_an_image_that_stands_still_is_frozen(house: Path, tmp_path: Path) -> None:
    still = write_images(tmp_path / "still", np.repeat(IMAGES[:1], 4, axis=0))
    out, limits = tmp_path / "out", [*PATIENT, "guidance.live.frozen_after_ms=100"]
    assert infer(house, f"replay:{still}", out, "--loop", "--duration", "1", "--spacing", "0.2", *limits) == 0
    (alert,) = [line for line in lines(out / "alerts.jsonl") if line["id"] == "stale_frame"]
    assert (alert["event"], alert["message"]) == ("raised", "Image frozen: guidance off")
    last = lines(out / "frames.jsonl")[-1]
    assert "frozen" in last["live"]["conditions"]
    assert not last["live"]["guidance_shown"]
    assert "stale_frame" in last["alerts"]
    page = (out / "report.html").read_text()
    assert "taken off the display" in page
    (shown,) = re.findall(r"data:image/jpeg;base64,([^\"]+)\"[^>]*>\s*<figcaption>Last frame", page)
    frame = cv2.imdecode(np.frombuffer(base64.b64decode(shown), np.uint8), cv2.IMREAD_COLOR)
    assert frame is not None
    assert frame.max(axis=2)[60:400, 60:600].mean() < 0.6 * IMAGES[0].mean()  # dimmed, as the display was


def sender(
    images: np.ndarray = IMAGES, *, number: int = 100_000, rate_hz: float = 50, **options: Any
) -> Callable[[socket.socket], None]:
    """Images in a circle until the other side goes, or so many."""

    def send(connection: socket.socket) -> None:
        for index in range(number):
            connection.sendall(image_message(images[index % len(images)], **options))
            time.sleep(1 / rate_hz)

    return send


def test_a_server_that_goes_and_comes_back(house: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with serving(sender(number=5), sender()) as port:
        assert infer(house, f"igtl://127.0.0.1:{port}", out, "--duration", "1.5", "--no-overlay", *PATIENT) == 0
    session = summary(out)
    assert session["state"] == "complete"
    assert (session["live"]["losses"], session["live"]["reopened"]) == (1, 1)
    assert events(out, "source_lost") == ["raised", "cleared"]
    times_s = [record["time_s"] for record in lines(out / "frames.jsonl")]
    assert times_s == sorted(set(times_s))
    assert session["spacing_mm"] == [pytest.approx(0.2), pytest.approx(0.2)]


def test_a_server_that_does_not_come_back(house: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    with serving(sender(number=5)) as port:
        assert infer(house, f"igtl://127.0.0.1:{port}", out, *PATIENT, *HASTY) == 3
    assert "igtl://127.0.0.1" in capsys.readouterr().err.splitlines()[-1]
    assert summary(out)["state"] == "failed"
    assert lines(out / "frames.jsonl")
    assert events(out, "source_lost") == ["raised"]


def test_a_server_that_falls_silent(house: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def fall_silent(connection: socket.socket) -> None:
        sender(number=4)(connection)
        time.sleep(3)

    out = tmp_path / "out"
    limits = [limit for limit in PATIENT if "stale" not in limit]
    with serving(fall_silent) as port:
        code = infer(
            house, f"igtl://127.0.0.1:{port}", out, *limits, *HASTY,
            "guidance.live.silent_after_s=0.4", "guidance.live.stale_after_ms=150",
        )  # fmt: skip
    assert code == 3
    assert "sent nothing for 0.4 s" in capsys.readouterr().err
    assert events(out, "stale_frame")[-1] == "raised"
    assert {"stale", "source_lost"} <= summary(out)["live"]["conditions"].keys()


def test_a_server_that_never_sends_leaves_nothing(
    house: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(lambda _connection: time.sleep(2)) as port:
        code = infer(house, f"igtl://127.0.0.1:{port}", tmp_path / "out", "guidance.live.silent_after_s=0.3")
    assert code == 3
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_few_frames_a_second_are_a_low_rate_and_never_current(house: Path, tmp_path: Path) -> None:
    out, limits = tmp_path / "out", ["guidance.live.low_rate_after_s=0.6", "guidance.live.clock_tolerance_s=30"]
    with serving(sender(rate_hz=3)) as port:
        assert infer(house, f"igtl://127.0.0.1:{port}", out, "--duration", "1.6", "--no-overlay", *limits) == 0
    assert events(out, "low_frame_rate") == ["raised"]
    assert events(out, "stale_frame") == ["raised"]
    (old_s,) = [line["time_s"] for line in lines(out / "alerts.jsonl") if line["id"] == "stale_frame"]
    assert not any(one["live"]["guidance_shown"] for one in lines(out / "frames.jsonl") if one["time_s"] > old_s)


def test_a_source_that_changes_its_size_depth_and_scale(house: Path, tmp_path: Path) -> None:
    def change(connection: socket.socket) -> None:
        sender(number=10)(connection)
        for odd in (IMAGES[0].astype(np.uint16), IMAGES[0].astype(np.float32)):
            connection.sendall(message("IMAGE", image_body(odd, scalar=5 if odd.itemsize == 2 else 10), crc=0))
        connection.sendall(message("IMAGE", image_body(np.zeros((0, 0), np.uint8)), crc=0) + status_message())
        sender(np.repeat(np.repeat(IMAGES, 2, axis=1), 2, axis=2), pixel_mm=(0.1, 0.1))(connection)

    out = tmp_path / "out"
    with serving(change) as port:
        options = ["--duration", "2", "--masks", "--region", "full"]
        assert infer(house, f"igtl://127.0.0.1:{port}", out, *options, *PATIENT, AT_ONCE) == 0
    records = lines(out / "frames.jsonl")
    assert [records[0]["spacing_mm"], records[-1]["spacing_mm"]] == [[0.2, 0.2], [0.1, 0.1]]
    assert {record["needle"]["state"] for record in records} == {"tracked"}
    shapes = {cv2.imread(str(path)).shape[:2] for path in (out / "masks").iterdir()}
    assert shapes == {(240, 320), (480, 640)}
    counts = summary(out)["live"]["source_counts"]
    assert (counts["unusable_frames"], counts["ignored_STATUS_messages"]) == (3, 1)
    with av.open(str(out / "overlay.mp4")) as video:
        num_pictures = sum(1 for _ in video.decode(video=0))
    # What was left out may be masks, too.
    assert len(records) - summary(out)["live"]["pictures_not_recorded"] <= num_pictures <= len(records)


def test_time_stamps_that_run_backwards(house: Path, tmp_path: Path) -> None:
    def send(connection: socket.socket) -> None:
        for index in range(100_000):
            stamp_s = 1e9 + 0.02 * index - (3600 if index >= 8 else 0)
            connection.sendall(image_message(IMAGES[index % 12], stamp_s=stamp_s))
            time.sleep(0.02)

    out = tmp_path / "out"
    with serving(send) as port:
        assert infer(house, f"igtl://127.0.0.1:{port}", out, "--duration", "1.2", "--no-overlay", *PATIENT) == 0
    assert events(out, "clock_jump")[:2] == ["raised", "cleared"]
    times_s = [record["time_s"] for record in lines(out / "frames.jsonl")]
    assert times_s == sorted(set(times_s))
    assert times_s[-1] < 60
    assert lines(out / "frames.jsonl")[-1]["live"]["source_time_s"] < -3000


def failing(monkeypatch: pytest.MonkeyPatch, fault: Callable[[int], None]) -> None:
    """Lets something happen whenever the model is run on a frame; it is told how often that was."""
    step, count = Session.step, iter(range(1_000_000))

    def step_or_fail(self: Session, image_HW: np.ndarray, state: Any) -> Any:
        fault(next(count))
        return step(self, image_HW, state)

    monkeypatch.setattr(Session, "step", step_or_fail)


def test_a_model_that_fails_now_and_then(house: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def sometimes(count: int) -> None:
        if count == 3:
            raise ModelError("out of GPU memory")

    failing(monkeypatch, sometimes)
    out = tmp_path / "out"
    source = f"replay:{house / 'needle.dcm'}"
    assert infer(house, source, out, "--loop", "--duration", "1.2", "--no-overlay", *PATIENT) == 0
    assert events(out, "model_fault") == ["raised", "cleared"]
    assert summary(out)["live"]["failed_frames"] == 1


def test_a_model_that_fails_for_good(
    house: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def always(_count: int) -> None:
        raise ModelError("out of GPU memory")

    failing(monkeypatch, always)
    out = tmp_path / "out"
    assert infer(house, f"replay:{house / 'needle.dcm'}", out, "--loop", *PATIENT, *HASTY) == 4
    assert "out of GPU memory" in capsys.readouterr().err.splitlines()[-1]
    assert events(out, "model_fault") == ["raised"]
    assert (summary(out)["state"], summary(out)["error"]) == ("failed", "out of GPU memory")
    assert lines(out / "frames.jsonl") == []


def test_a_stage_that_hangs(
    house: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    free = threading.Event()

    def hang(count: int) -> None:
        if count == 2:
            free.wait(20)

    failing(monkeypatch, hang)
    out = tmp_path / "out"
    limits = [*PATIENT[2:], *HASTY, "guidance.live.stage_limit_ms=50"]
    assert infer(house, f"replay:{house / 'needle.dcm'}", out, "--loop", "--no-overlay", *limits) == 1
    free.set()
    assert "has been hanging" in capsys.readouterr().err.splitlines()[-1]
    assert "raised" in events(out, "processing_fault")
    assert summary(out)["state"] == "failed"


def test_a_port_in_use_is_found_before_anything_is_written(
    house: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert infer(house, f"replay:{house / 'needle.dcm'}", tmp_path / "out", "--live-view", port) == 2
    assert f"port {port} cannot be opened" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_what_makes_no_sense_live(house: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    replay = f"replay:{house / 'needle.dcm'}"
    for code, options in (
        (2, [replay, "--provider", "cuda"]),
        (2, [replay, "--dicom-seg"]),
        (2, [replay, "guidance.live.stale_after_ms=1"]),
        (2, [replay, "--profile", str(house / "none.json")]),
        (2, [str(house / "needle.dcm"), "--live-view", "0"]),
        (3, ["replay:none.dcm"]),
        (4, [replay, "--model", str(house / "needle.dcm")]),
    ):
        assert infer(house, options[0], tmp_path / "out", *options[1:]) == code, options
        assert capsys.readouterr().err.count("\n") == 1
        assert not (tmp_path / "out").exists()


class Capture:
    """A camera that is taken away after some images, and one that gives another size than asked for."""

    def __init__(self, _number: int) -> None:
        self._left = iter(np.repeat(image[..., None], 3, axis=2) for image in IMAGES)
        self.asked: dict[int, float] = {}
        Capture.newest = self

    newest: Capture

    def isOpened(self) -> bool:
        return True

    def get(self, _what: int) -> float:
        return 25.0

    def set(self, what: int, value: float) -> bool:
        self.asked[what] = value
        return True

    def read(self) -> tuple[bool, np.ndarray | None]:
        time.sleep(0.01)
        image = next(self._left, None)
        return image is not None, image

    def release(self) -> None:
        self._left = iter(())


def test_a_camera_with_a_remembered_profile(house: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "VideoCapture", Capture)
    profile, options = tmp_path / "room1.json", ["--duration", "1", "--no-overlay", *PATIENT, *HASTY]
    first = ["--region", "10,20,300,200", "--spacing", "0.2,0.25", "--save-profile", str(profile)]
    assert infer(house, "camera:0", tmp_path / "first", *first, *options) == 0
    assert json.loads(profile.read_text()) == {
        "width": 320, "height": 240, "frame_rate_hz": 25.0, "region": "10,20,300,200", "spacing_mm": [0.2, 0.25],
    }  # fmt: skip
    assert infer(house, "camera:0", tmp_path / "second", "--profile", str(profile), *options) == 0
    session = summary(tmp_path / "second")
    assert session["region"] == {"x": 10, "y": 20, "width": 300, "height": 200, "origin": "user"}
    assert session["spacing_mm"] == [0.2, 0.25]
    assert Capture.newest.asked[cv2.CAP_PROP_FRAME_WIDTH] == 320
    assert session["live"]["reopened"] >= 1


@pytest.mark.parametrize(
    "content",
    ["", "[]", '{"widht": 3}', '{"width": -3}', '{"spacing_mm": [0.1]}', '{"region": 7}', '{"region": "1,2"}'],
)
def test_a_profile_that_is_none(content: str, house: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    profile = tmp_path / "profile.json"
    profile.write_text(content)
    assert infer(house, f"replay:{house / 'needle.dcm'}", tmp_path / "out", "--profile", str(profile)) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_what_is_found_goes_out_by_openigtlink(house: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    received: list[Any] = []

    def receive() -> None:
        client = pyigtl.OpenIGTLinkClient("127.0.0.1", port)
        received.append(client.wait_for_message("hipseg_needle", timeout=30))
        client.stop()

    receiver = threading.Thread(target=receive, daemon=True)
    receiver.start()
    options = ["--loop", "--duration", "3", "--no-overlay", "--igtl-out", str(port)]
    assert infer(house, f"replay:{house / 'needle.dcm'}", tmp_path / "out", *options, *PATIENT) == 0
    receiver.join(30)
    assert received[0] is not None
    assert received[0].matrix[0, 3] == pytest.approx(48, abs=4)


@pytest.fixture
def served(house: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`hipseg serve` on a free port, and the address it tells."""
    command = ["serve", str(house / "needle.dcm"), "--port", "0", "--model", str(house / "grey.onnx"), *PATIENT]
    process = subprocess.Popen([*HIPSEG, *command], stderr=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stderr is not None
    address = re.findall(r"http://\S+", process.stderr.readline())
    try:
        yield process, address[0]
    finally:
        process.kill()
        process.communicate()


def test_serve_shows_a_recording_until_it_is_stopped(served: tuple[subprocess.Popen[str], str]) -> None:
    process, address = served
    deadline_s, frames = time.monotonic() + 60, set()
    while len(frames) < 3 and time.monotonic() < deadline_s:
        with urllib.request.urlopen(address + "state", timeout=10) as answer:
            state = json.load(answer)
        frames.add(state["frame"])
    assert state["guidance_shown"]
    with urllib.request.urlopen(address + "frame", timeout=10) as answer:
        assert answer.read(2) == b"\xff\xd8"
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130


def test_a_display_that_is_stopped_shows_nothing_old(house: Path, tmp_path: Path) -> None:
    """A display that looks on gets the withdrawn picture while the source is gone."""
    seen: list[dict[str, Any]] = []

    def look(connection: socket.socket) -> None:
        sender(number=10)(connection)

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    def watch() -> None:
        for _ in range(400):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/state", timeout=5) as answer:
                    seen.append(json.load(answer))
            except OSError:
                pass
            time.sleep(0.01)

    looker = threading.Thread(target=watch, daemon=True)
    looker.start()
    with serving(look) as igtl_port:
        limits = [*HASTY, "guidance.live.give_up_after_s=1", "guidance.live.stale_after_ms=300"]
        code = infer(house, f"igtl://127.0.0.1:{igtl_port}", tmp_path / "out", "--live-view", str(port), *limits)
    looker.join(10)
    assert code == 3
    old = [state for state in seen if state["age_ms"] is not None and state["age_ms"] > 300]
    assert old
    assert not any(state["guidance_shown"] for state in old)
    assert "source_lost" in seen[-1]["alerts"]
