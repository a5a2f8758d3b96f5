"""Serves the live view to browsers on this machine, and to no other.

/            the page, which withdraws guidance by itself when its picture grows old
/frame       the newest picture as JPEG, once it is another than the one numbered ?after=
/live.mjpg   the same as MJPEG, for players and recorders
/state       how the run stands, as JSON
/acknowledge by POST: someone takes note of the alerts, which fall silent and go on standing
"""

from __future__ import annotations

import contextlib
import json
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from typing import Any
from urllib.parse import parse_qs, urlsplit

from hipseg import DISCLAIMER
from hipseg.display.live_board import LiveBoard, View
from hipseg.errors import UsageError
from hipseg.guidance.alert_config import Priority
from hipseg.guidance.alert_log import LoggedAlert

LOOPBACK = "127.0.0.1"

_MOST_LOOKERS = 32
_WAIT_S = 1.0
_REPEAT_S = 0.5
_IDLE_S = 10.0
_BOUNDARY = "hipseg"
_STATIC = {"/page.css": "text/css", "/page.js": "text/javascript", "/sound.js": "text/javascript"}
_BY_HAND = "X-Hipseg-By-Hand"
"""Pages of other sites cannot send such a header here unasked, so they cannot silence an alert."""
_POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' blob:"


class LiveServer:
    """A server on loopback in threads of its own. Use it as a context manager.

    Args:
        board: what is shown.
        port: to listen on; 0 takes a free one.

    Attributes:
        address: of the page.

    Raises:
        UsageError: the port is in use, or needs rights that this user does not have.
    """

    def __init__(self, board: LiveBoard, port: int) -> None:
        try:
            self._server = _Server(board, port)
        except OSError as error:
            what = f"port {port} cannot be opened ({(error.strerror or 'unknown').lower()})"
            raise UsageError(what, where="live view", mend="choose another port, or 0 for a free one") from error
        self._board = board
        self.address = f"http://{LOOPBACK}:{self._server.server_port}/"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> LiveServer:
        self._thread.start()
        return self

    def __exit__(self, *_fault: object) -> None:
        self._board.close()
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, board: LiveBoard, port: int) -> None:
        self.board = board
        self.lookers = threading.BoundedSemaphore(_MOST_LOOKERS)
        super().__init__((LOOPBACK, port), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that goes away in the middle is no news."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = _IDLE_S
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        """The terminal belongs to the run."""

    def do_GET(self) -> None:
        """Answers one request; see the module."""
        if not self._is_for_us():
            return self._answer(HTTPStatus.FORBIDDEN, b"only for this machine", "text/plain")
        if not self.server.lookers.acquire(blocking=False):
            return self._answer(HTTPStatus.SERVICE_UNAVAILABLE, b"too many lookers", "text/plain")
        try:
            with contextlib.suppress(ConnectionError, TimeoutError):
                self._route(urlsplit(self.path).path)
        finally:
            self.server.lookers.release()

    def do_POST(self) -> None:
        """Takes note of alerts."""
        self.close_connection = True
        if not self._is_for_us() or _BY_HAND not in self.headers:
            return self._answer(HTTPStatus.FORBIDDEN, b"only for the page of this machine", "text/plain")
        if urlsplit(self.path).path != "/acknowledge":
            return self._answer(HTTPStatus.NOT_FOUND, b"no such page", "text/plain")
        noted = [alert.id for alert in self.server.board.acknowledge()]
        return self._answer(HTTPStatus.OK, json.dumps({"acknowledged": noted}).encode(), "application/json")

    def _is_for_us(self) -> bool:
        """A page of another site that has its name resolve to this machine sends its own name (DNS rebinding)."""
        host = (self.headers.get("Host") or "").rpartition(":")[0]
        return host in (LOOPBACK, "localhost")

    def _route(self, path: str) -> None:
        if path == "/":
            self._answer(HTTPStatus.OK, _page(self.server.board.stale_after_ms), "text/html; charset=utf-8")
        elif path in _STATIC:
            self._answer(HTTPStatus.OK, _resource(path[1:]), _STATIC[path])
        elif path == "/frame":
            self._answer_frame()
        elif path == "/live.mjpg":
            self._stream()
        elif path == "/state":
            self._answer(HTTPStatus.OK, json.dumps(self._state()).encode(), "application/json")
        else:
            self._answer(HTTPStatus.NOT_FOUND, b"no such page", "text/plain")

    def _answer_frame(self) -> None:
        after = _number(parse_qs(urlsplit(self.path).query).get("after", ["-1"])[0])
        view = self.server.board.view(after, _WAIT_S)
        if view is None:
            self._answer(HTTPStatus.NO_CONTENT, b"", None)
        elif view.number <= after:
            self._answer(HTTPStatus.NO_CONTENT, b"", None, self._headers_of(view))
        else:
            self._answer(HTTPStatus.OK, view.jpeg, "image/jpeg", self._headers_of(view))

    def _headers_of(self, view: View) -> dict[str, str]:
        return {
            "X-Hipseg-Number": str(view.number),
            "X-Hipseg-Age-Ms": f"{self.server.board.age_ms(view):.1f}",
            "X-Hipseg-Current": "1" if view.is_current else "0",
            "X-Hipseg-Alerts": json.dumps([alert.message for alert in view.alerts]),
            "X-Hipseg-Latched": json.dumps(_listed(view)),
            "X-Hipseg-Sounding": _name(view.sounding) or "",
        }

    def _state(self) -> dict[str, Any]:
        view = self.server.board.view()
        return {
            "disclaimer": DISCLAIMER,
            "frame": None if view is None else view.frame.index,
            "time_s": None if view is None else view.frame.time_s,
            "age_ms": None if view is None else round(self.server.board.age_ms(view), 1),
            "guidance_shown": view is not None and view.is_current,
            "alerts": [] if view is None else [alert.id for alert in view.alerts],
            "latched": [] if view is None else _listed(view),
            "sounding": None if view is None else _name(view.sounding),
        }

    def _stream(self) -> None:
        """Picture after picture. One that has not changed is sent again now and then: players know it is alive."""
        self.close_connection = True
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", f"multipart/x-mixed-replace; boundary={_BOUNDARY}")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        after = -1
        while not self.server.board.is_closed:
            view = self.server.board.view(after, _REPEAT_S)
            if view is not None:
                after = view.number
                head = f"--{_BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(view.jpeg)}\r\n\r\n"
                self.wfile.write(head.encode() + view.jpeg + b"\r\n")

    def _answer(
        self, status: HTTPStatus, content: bytes, kind: str | None, headers: dict[str, str] | None = None
    ) -> None:
        self.send_response(status)
        if kind is not None:
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Security-Policy", _POLICY)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        self.wfile.write(content)


def _listed(view: View) -> list[dict[str, Any]]:
    """What the page tells of alerts that stand or that nobody has taken note of: of each its last raising."""
    newest = {logged.alert.id: logged for logged in view.latched}
    return [_entry(logged) for logged in newest.values()]


def _entry(logged: LoggedAlert) -> dict[str, Any]:
    alert = logged.alert
    return {
        "id": alert.id,
        "message": alert.message,
        "priority": alert.priority.value,
        "stands": logged.stands,
        "acknowledged": logged.acknowledged,
    }


def _name(priority: Priority | None) -> str | None:
    return None if priority is None else priority.value


def _page(stale_after_ms: float) -> bytes:
    text = _resource("page.html").decode()
    return text.replace("STALE_AFTER_MS", f"{stale_after_ms:g}").replace("DISCLAIMER", DISCLAIMER).encode()


def _resource(name: str) -> bytes:
    return (files("hipseg.display.web") / name).read_bytes()


def _number(text: str) -> int:
    return int(text) if text.lstrip("-").isdecimal() and len(text) < 18 else -1
