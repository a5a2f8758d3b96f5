"""The live display: what is not current is withdrawn by the display itself, on the board, over HTTP and on the page."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.client import HTTPConnection

import cv2
import numpy as np
import pytest

from hipseg import DISCLAIMER
from hipseg.display import palette
from hipseg.display.layout import Layout
from hipseg.display.live_board import LiveBoard
from hipseg.display.web.server import LiveServer
from hipseg.display.withdrawn import draw_withdrawn, headline
from hipseg.errors import UsageError
from hipseg.frame import Frame, ScanRegion
from hipseg.guidance.alerts import ActiveAlert, AlertEvent
from hipseg.guidance.config import Priority

REGION = ScanRegion(0, 0, 320, 240, "full")
LOST = ActiveAlert("source_lost", Priority.medium, "Source lost: guidance off", None, None)
GUIDED = np.full((Layout.of(REGION).height, Layout.of(REGION).width, 3), (10, 200, 10), np.uint8)
"""Stands for an overlay with marks: all green, which a withdrawn picture never is."""


def frame(index: int = 0) -> Frame:
    image = np.random.default_rng(index).integers(60, 200, (240, 320)).astype(np.uint8)
    return Frame(image, index, 0.1 * index, None, REGION, "clip")


class Clock:
    def __init__(self) -> None:
        self.now_s = 10.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def board(clock: Clock) -> LiveBoard:
    return LiveBoard(200, clock)


def shows_guidance(picture: np.ndarray) -> bool:
    return bool((np.abs(picture.astype(int) - GUIDED[0, 0]).max(axis=2) < 40).mean() > 0.5)


def test_a_current_picture_is_shown(board: LiveBoard, clock: Clock) -> None:
    board.show(GUIDED, frame(), clock.now_s - 0.05)
    view = board.view()
    assert view is not None
    assert view.is_current
    assert board.age_ms(view) == pytest.approx(50)
    assert shows_guidance(view.picture_HW3)


def test_before_the_first_frame_there_is_nothing(board: LiveBoard) -> None:
    assert board.view() is None


def test_a_picture_that_grew_old_is_withdrawn_without_anyone_saying_so(board: LiveBoard, clock: Clock) -> None:
    board.show(GUIDED, frame(), clock.now_s)
    fresh = board.view()
    clock.now_s += 0.2
    assert board.view() is fresh
    clock.now_s += 0.001
    old = board.view()
    assert fresh is not None
    assert old is not None
    assert (fresh.is_current, old.is_current) == (True, False)
    assert old.number > fresh.number
    assert not shows_guidance(old.picture_HW3)
    board.show(GUIDED, frame(1), clock.now_s)
    again = board.view()
    assert again is not None
    assert again.is_current


def test_a_picture_that_was_old_already_is_never_shown(board: LiveBoard, clock: Clock) -> None:
    board.show(GUIDED, frame(), clock.now_s - 0.3)
    view = board.view()
    assert view is not None
    assert not view.is_current
    assert not shows_guidance(view.picture_HW3)


def test_a_state_that_withdraws_guidance_does_so_at_once(board: LiveBoard, clock: Clock) -> None:
    board.show(GUIDED, frame(), clock.now_s)
    board.set_state([LOST], withdrawn=True)
    view = board.view()
    assert view is not None
    assert not view.is_current
    assert view.alerts == (LOST,)
    board.set_state([LOST], withdrawn=True)
    assert board.view() is view
    board.set_state([], withdrawn=False)
    assert (again := board.view()) is not None
    assert again.is_current


def test_whoever_waits_is_woken_by_a_picture_and_by_its_growing_old() -> None:
    board = LiveBoard(1000)
    board.show(GUIDED, frame(), time.monotonic())
    first = board.view()
    assert first is not None
    threading.Timer(0.02, lambda: board.show(GUIDED, frame(1), time.monotonic())).start()
    second = board.view(first.number, 5)
    assert second is not None
    assert (second.is_current, second.frame.index) == (True, 1)
    third = board.view(second.number, 5)
    assert third is not None
    assert (third.is_current, third.frame.index) == (False, 1)


def test_a_withdrawn_picture_is_dim_bare_and_says_why() -> None:
    picture = draw_withdrawn(frame(), [LOST])
    layout = Layout.of(REGION)
    assert picture.shape == (layout.height, layout.width, 3)
    assert (np.abs(picture.astype(int) - palette.ALARM[Priority.medium]).max(axis=2) < 20).sum() > 500
    box = layout.image
    inside = picture[box.y : box.y + box.height, box.x : box.x + box.width]
    assert np.median(inside) < 75
    assert (inside[..., 0] == inside[..., 1]).mean() > 0.95


def test_the_headline_says_what_is_wrong() -> None:
    stale = ActiveAlert("stale_frame", Priority.medium, "Image old: guidance off", 300, 200)
    assert headline([]) == headline([LOST, stale]) == "STALE, no guidance"
    assert headline([LOST]) == "No guidance"


@pytest.fixture
def server() -> Iterator[tuple[LiveBoard, str]]:
    board = LiveBoard(200)
    with LiveServer(board, 0) as live:
        yield board, live.address


def fetch(address: str) -> tuple[int, bytes, dict[str, str]]:
    with urllib.request.urlopen(address, timeout=5) as answer:
        return answer.status, answer.read(), dict(answer.headers)


def test_the_page_watches_over_itself(server: tuple[LiveBoard, str]) -> None:
    _, address = server
    status, content, headers = fetch(address)
    page = content.decode()
    assert status == 200
    assert DISCLAIMER in page
    assert 'data-stale-after-ms="200"' in page
    assert "STALE, no guidance" in page
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert not re.search(r"(?:src|href)=\"(?!/)", page)
    script = fetch(address + "page.js")[1].decode()
    assert "STALE_AFTER_MS" in script
    assert "setInterval(check" in script
    assert fetch(address + "page.css")[2]["Content-Type"] == "text/css"


def test_a_frame_comes_with_its_age_and_state(server: tuple[LiveBoard, str]) -> None:
    board, address = server
    board.show(GUIDED, frame(3), time.monotonic())
    status, content, headers = fetch(address + "frame?after=-1")
    assert (status, headers["X-Hipseg-Current"], headers["X-Hipseg-Alerts"]) == (200, "1", "[]")
    assert 0 <= float(headers["X-Hipseg-Age-Ms"]) < 200
    assert shows_guidance(cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)[..., ::-1])
    number = headers["X-Hipseg-Number"]
    status, content, headers = fetch(f"{address}frame?after={number}")
    assert (status, headers["X-Hipseg-Current"]) == (200, "0")
    assert float(headers["X-Hipseg-Age-Ms"]) > 200
    assert not shows_guidance(cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)[..., ::-1])


def test_the_state_is_told(server: tuple[LiveBoard, str]) -> None:
    board, address = server
    assert json.loads(fetch(address + "state")[1])["frame"] is None
    board.show(GUIDED, frame(3), time.monotonic())
    board.set_state([LOST], withdrawn=True)
    state = json.loads(fetch(address + "state")[1])
    assert (state["frame"], state["guidance_shown"], state["alerts"]) == (3, False, ["source_lost"])
    assert state["disclaimer"] == DISCLAIMER


def test_a_player_gets_mjpeg_and_the_withdrawn_picture_too(server: tuple[LiveBoard, str]) -> None:
    board, address = server
    board.show(GUIDED, frame(), time.monotonic())
    with urllib.request.urlopen(address + "live.mjpg", timeout=5) as answer:
        assert "multipart/x-mixed-replace" in answer.headers["Content-Type"]
        shown = []
        for _ in range(2):
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += answer.read(1)
            content = answer.read(int(re.findall(rb"Content-Length: (\d+)", head)[0]) + 2)
            shown.append(shows_guidance(cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]))
    assert shown == [True, False]


def test_what_is_not_there_is_not_there(server: tuple[LiveBoard, str]) -> None:
    for path in ("nothing", "../../etc/passwd", "page.py", "frame/x"):
        with pytest.raises(urllib.error.HTTPError) as fault:
            fetch(server[1] + path)
        assert fault.value.code == 404


@pytest.mark.parametrize("after", ["x", "", "9" * 40, "-5", "%00"])
def test_a_senseless_number_is_none(after: str, server: tuple[LiveBoard, str]) -> None:
    server[0].show(GUIDED, frame(), time.monotonic())
    assert fetch(f"{server[1]}frame?after={after}")[0] == 200


def test_another_site_is_refused(server: tuple[LiveBoard, str]) -> None:
    connection = HTTPConnection("127.0.0.1", int(server[1].rstrip("/").rpartition(":")[2]), timeout=5)
    connection.request("GET", "/state", headers={"Host": "evil.example:80"})
    assert connection.getresponse().status == 403
    connection.close()


def test_a_port_in_use_is_refused_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=rf"live view: port {port} cannot be opened.*choose another port") as fault:
            LiveServer(LiveBoard(200), port)
    assert fault.value.exit_code == 2


def test_only_this_machine_can_look(server: tuple[LiveBoard, str]) -> None:
    assert server[1].startswith("http://127.0.0.1:")


NEAR = ActiveAlert("vessel_proximity", Priority.medium, "Vessel near", 2.0, 5.0)


def post(address: str, headers: dict[str, str]) -> tuple[int, bytes]:
    with urllib.request.urlopen(urllib.request.Request(address, b"", headers, method="POST"), timeout=5) as answer:
        return answer.status, answer.read()


def test_taking_note_silences_an_alert_and_leaves_it_standing(server: tuple[LiveBoard, str]) -> None:
    board, address = server
    board.show(GUIDED, frame(3), time.monotonic())
    board.hear([AlertEvent(NEAR, "raised")], 0.3)
    headers = fetch(address + "frame")[2]
    assert headers["X-Hipseg-Sounding"] == "medium"
    assert post(address + "acknowledge", {"X-Hipseg-By-Hand": "1"}) == (200, b'{"acknowledged": ["vessel_proximity"]}')
    state = json.loads(fetch(address + "state")[1])
    assert state["sounding"] is None
    assert [(one["id"], one["stands"], one["acknowledged"]) for one in state["latched"]] == [(NEAR.id, True, True)]
    assert board.take_notes() == [AlertEvent(NEAR, "acknowledged")]
    assert board.take_notes() == []
    board.hear([AlertEvent(NEAR, "cleared")], 0.5)
    assert json.loads(fetch(address + "state")[1])["latched"] == []


def test_what_has_passed_unnoticed_stays_on_the_list_in_silence(server: tuple[LiveBoard, str]) -> None:
    board, address = server
    board.show(GUIDED, frame(3), time.monotonic())
    board.hear([AlertEvent(NEAR, "raised")], 0.3)
    board.hear([AlertEvent(NEAR, "cleared")], 0.4)
    headers = fetch(address + "frame")[2]
    (entry,) = json.loads(headers["X-Hipseg-Latched"])
    assert (entry["stands"], entry["acknowledged"], headers["X-Hipseg-Sounding"]) == (False, False, "")


def test_another_site_cannot_silence_an_alert(server: tuple[LiveBoard, str]) -> None:
    board, address = server
    board.show(GUIDED, frame(), time.monotonic())
    board.hear([AlertEvent(NEAR, "raised")], 0.3)
    for path, headers, status in [
        ("acknowledge", {}, 403),
        ("acknowledge", {"X-Hipseg-By-Hand": "1", "Host": "evil.example:80"}, 403),
        ("state", {"X-Hipseg-By-Hand": "1"}, 404),
    ]:
        with pytest.raises(urllib.error.HTTPError) as fault:
            post(address + path, headers)
        assert fault.value.code == status
    assert json.loads(fetch(address + "state")[1])["sounding"] == "medium"
