"""Whole OpenIGTLink messages over a blocking socket, with a limit on every wait."""

from __future__ import annotations

import contextlib
import socket
import time
from dataclasses import dataclass

from hipseg.errors import SourceError
from hipseg.io.igtl.messages import HEADER_BYTES, Header, parse_header
from hipseg.io.picture_source import MAX_PIXELS

_LONGEST_BODY_BYTES = 4 * MAX_PIXELS
"""A longer body is no message: the stream is out of step, or the other side speaks another protocol."""
_KNOWN_VERSIONS = (1, 2, 3)
_CONNECT_S = 5.0


@dataclass(frozen=True, slots=True)
class Message:
    """A whole message.

    Attributes:
        header, body: its parts.
        taken_s: when its last byte came in, monotonic.
    """

    header: Header
    body: bytes
    taken_s: float


class Connection:
    """A client's connection.

    Args:
        host, port: of the server.
        where: names it in messages.
        silent_after_s: most seconds to wait for a message to begin, and again for it to end.

    Raises:
        SourceError: there is no such host, or nobody listens.
    """

    def __init__(self, host: str, port: int, where: str, silent_after_s: float) -> None:
        self._where, self._silent_after_s = where, silent_after_s
        try:
            self._socket = socket.create_connection((host, port), timeout=min(_CONNECT_S, silent_after_s))
        except OSError as error:
            reason = (error.strerror or str(error) or type(error).__name__).lower()
            mend = "check address, port and firewall, and that the server runs"
            raise SourceError(f"cannot be reached ({reason})", where=where, mend=mend) from error
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def receive(self) -> Message:
        """The next message.

        Raises:
            SourceError: the other side closed, fell silent, stopped in the middle of a message, or does not speak
                OpenIGTLink.
        """
        header = parse_header(self._read(HEADER_BYTES, "sent nothing"))
        if header.version not in _KNOWN_VERSIONS or header.body_bytes > _LONGEST_BODY_BYTES:
            what = f"does not speak OpenIGTLink (version {header.version}, {header.body_bytes} bytes announced)"
            raise SourceError(what, where=self._where, mend="check the port")
        body = self._read(header.body_bytes, "stopped in the middle of a message")
        return Message(header, body, time.monotonic())

    def _read(self, count: int, silence: str) -> bytes:
        """Exactly so many bytes, all of them within the limit: a byte now and then is silence too."""
        data = bytearray(count)
        rest, deadline_s = memoryview(data), time.monotonic() + self._silent_after_s
        while rest:
            try:
                self._socket.settimeout(max(deadline_s - time.monotonic(), 0.001))
                received = self._socket.recv_into(rest)
            except TimeoutError as error:
                raise SourceError(f"{silence} for {self._silent_after_s:g} s", where=self._where) from error
            except OSError as error:
                raise SourceError("the connection broke", where=self._where) from error
            if not received:
                raise SourceError("the other side closed the connection", where=self._where)
            rest = rest[received:]
        return bytes(data)

    def close(self) -> None:
        """Ends the connection; may be called twice, also by another thread, whose `receive` then raises."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
