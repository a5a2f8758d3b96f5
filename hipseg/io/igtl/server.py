"""Sends OpenIGTLink messages to any number of clients on this machine; each gets the newest, none is waited for."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable

from hipseg.errors import UsageError

_LOOPBACK = "127.0.0.1"
_MOST_CLIENTS = 16
_SLOWEST_SEND_S = 5.0


class IgtlServer:
    """A server on loopback in threads of its own. Use it as a context manager.

    Args:
        port: to listen on; 0 takes a free one.

    Attributes:
        port: in use.

    Raises:
        UsageError: the port is in use, or needs rights that this user does not have.
    """

    def __init__(self, port: int) -> None:
        try:
            self._listener = socket.create_server((_LOOPBACK, port))
        except OSError as error:
            what = f"port {port} cannot be opened ({(error.strerror or 'unknown').lower()})"
            raise UsageError(what, where="OpenIGTLink output", mend="choose another port") from error
        self.port: int = self._listener.getsockname()[1]
        self._clients: set[_Client] = set()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._accept, name="hipseg-igtl-out", daemon=True)

    @property
    def has_clients(self) -> bool:
        """Whether anyone would receive anything."""
        return bool(self._clients)

    def publish(self, encode: Callable[[], bytes]) -> None:
        """Sends whole messages to all clients that are ready; `encode` makes them, in a client's own thread."""
        with self._lock:
            clients = list(self._clients)
        for client in clients:
            client.offer(encode)

    def __enter__(self) -> IgtlServer:
        self._thread.start()
        return self

    def __exit__(self, *_fault: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            clients = list(self._clients)
        for client in clients:
            client.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                if len(self._clients) >= _MOST_CLIENTS:
                    connection.close()
                    continue
                self._clients.add(_Client(connection, self._forget))

    def _forget(self, client: _Client) -> None:
        with self._lock:
            self._clients.discard(client)


class _Client:
    """One client: the newest offer waits until the one before is sent. What it says to us is nobody's business."""

    def __init__(self, connection: socket.socket, forget: Callable[[_Client], None]) -> None:
        self._connection, self._forget = connection, forget
        self._connection.settimeout(_SLOWEST_SEND_S)
        self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._offer: Callable[[], bytes] | None = None
        self._changed, self._closed = threading.Condition(), False
        threading.Thread(target=self._send, name="hipseg-igtl-client", daemon=True).start()

    def offer(self, encode: Callable[[], bytes]) -> None:
        with self._changed:
            self._offer = encode
            self._changed.notify()

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._connection.close()

    def _send(self) -> None:
        try:
            while (encode := self._next()) is not None:
                self._connection.sendall(encode())
        except OSError:
            pass
        finally:
            self._connection.close()
            self._forget(self)

    def _next(self) -> Callable[[], bytes] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._offer is not None)
            encode, self._offer = self._offer, None
            return None if self._closed else encode
