"""An OpenIGTLink server as no one wants it: it pauses, freezes, breaks off, sends halves and turns its clock back."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType

import cv2
import numpy as np

from hipseg.frame import ImageHW, Spacing
from hipseg.io.igtl.messages import HEADER_BYTES, encode_image

_STAMP_AT = 34
"""Where the time stamp stands in the header: its checksum is of the body alone."""
_FRACTION = 2**32
_SPACING = Spacing(0.1, 0.1, "igtl")
_PATIENCE_S = 0.2
_PAUSE_S, _FROZEN_S, _SLOW_S, _OTHER_S = 0.6, 1.0, 3.0, 1.0
_SLOW_HZ = 8.0
_BACK_S = 60.0


class BrokenOffError(Exception):
    """The sender broke off its connection on purpose."""


class UnreliableSender:
    """Serves images on a free port of this machine to one client after the other. Use it as a context manager.

    Args:
        images: sent in a circle.
        rate_hz: when nothing is wrong.
        fault_every_s: something goes wrong about so often; None sends as a good sender does.
        rng: says what goes wrong, and when.

    Attributes:
        port: that it listens on.
        faults: how often each went wrong.
    """

    def __init__(
        self, images: Sequence[ImageHW], rate_hz: float, fault_every_s: float | None, rng: np.random.Generator
    ) -> None:
        self._rate_hz, self._fault_every_s, self._rng = rate_hz, fault_every_s, rng
        self._messages = [encode_image(image_HW, _SPACING, "probe", 1.0) for image_HW in images]
        smaller = [cv2.resize(image_HW, None, fx=0.5, fy=0.5) for image_HW in images]
        self._other_messages = [encode_image(np.asarray(each, np.uint8), _SPACING, "probe", 1.0) for each in smaller]
        self._server = socket.create_server(("127.0.0.1", 0))
        self._server.settimeout(_PATIENCE_S)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="unreliable-sender", daemon=True)
        self._sent, self._offset_s = 0, 0.0
        self.port: int = self._server.getsockname()[1]
        self.faults: Counter[str] = Counter()

    def __enter__(self) -> UnreliableSender:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._thread.join(timeout=5)
        self._server.close()

    def _serve(self) -> None:
        while not self._stopped.is_set():
            try:
                connection, _ = self._server.accept()
            except TimeoutError:
                continue
            with connection, contextlib.suppress(OSError, BrokenOffError):
                connection.settimeout(5)
                self._send_on(connection)

    def _send_on(self, connection: socket.socket) -> None:
        next_fault_s = self._next_fault_s()
        for _ in self._paced(self._rate_hz):
            self._send(connection, self._messages)
            if time.monotonic() >= next_fault_s:
                self._go_wrong(connection)
                next_fault_s = self._next_fault_s()

    def _go_wrong(self, connection: socket.socket) -> None:
        kinds: dict[str, Callable[[socket.socket], None]] = {
            "pause": lambda _: self._wait(_PAUSE_S),
            "frozen": self._freeze,
            "slow": self._crawl,
            "other_size": self._change_size,
            "damaged": self._damage,
            "clock_back": self._turn_back,
            "half_message": self._send_half,
            "broken_off": self._break_off,
        }
        name = str(self._rng.choice(list(kinds)))
        self.faults[name] += 1
        kinds[name](connection)

    def _freeze(self, connection: socket.socket) -> None:
        for _ in self._paced(self._rate_hz, _FROZEN_S):
            connection.sendall(self._stamped(self._messages[0]))

    def _crawl(self, connection: socket.socket) -> None:
        for _ in self._paced(_SLOW_HZ, _SLOW_S):
            self._send(connection, self._messages)

    def _change_size(self, connection: socket.socket) -> None:
        for _ in self._paced(self._rate_hz, _OTHER_S):
            self._send(connection, self._other_messages)

    def _damage(self, connection: socket.socket) -> None:
        message = bytearray(self._stamped(self._messages[0]))
        message[HEADER_BYTES + len(message) // 2] ^= 0xFF
        connection.sendall(message)

    def _turn_back(self, connection: socket.socket) -> None:
        del connection
        self._offset_s -= _BACK_S

    def _send_half(self, connection: socket.socket) -> None:
        message = self._stamped(self._messages[0])
        connection.sendall(message[: len(message) // 2])
        raise BrokenOffError

    def _break_off(self, connection: socket.socket) -> None:
        del connection
        raise BrokenOffError

    def _send(self, connection: socket.socket, messages: Sequence[bytes]) -> None:
        connection.sendall(self._stamped(messages[self._sent % len(messages)]))
        self._sent += 1

    def _stamped(self, message: bytes) -> bytes:
        seconds = time.time() + self._offset_s
        stamp = struct.pack(">II", int(seconds), int(seconds % 1 * _FRACTION))
        return message[:_STAMP_AT] + stamp + message[_STAMP_AT + len(stamp) :]

    def _paced(self, rate_hz: float, duration_s: float = float("inf")) -> Iterator[None]:
        """As often a second, until the time is over or the sender is stopped."""
        begin_s = time.monotonic()
        number = 0
        while not self._stopped.is_set() and time.monotonic() - begin_s < duration_s:
            yield
            number += 1
            self._wait(max(0.0, begin_s + number / rate_hz - time.monotonic()))

    def _wait(self, seconds: float) -> None:
        self._stopped.wait(seconds)

    def _next_fault_s(self) -> float:
        if self._fault_every_s is None:
            return float("inf")
        return time.monotonic() + self._fault_every_s * float(self._rng.uniform(0.5, 1.5))
