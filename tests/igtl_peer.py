"""The other side of OpenIGTLink, written from the protocol (openigtlink.org/protocols) and not from our own code."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import numpy as np

_POLYNOMIAL = 0x42F0E1EBA9EA3693
_MASK = (1 << 64) - 1


def _table() -> list[int]:
    table = []
    for byte in range(256):
        crc = byte << 56
        for _ in range(8):
            crc = ((crc << 1) ^ _POLYNOMIAL) & _MASK if crc >> 63 else (crc << 1) & _MASK
        table.append(crc)
    return table


_TABLE = _table()


def crc64(data: bytes) -> int:
    """CRC-64 of ECMA-182, as the protocol asks for."""
    crc = 0
    for byte in data:
        crc = (_TABLE[(crc >> 56) ^ byte] ^ (crc << 8)) & _MASK
    return crc


def message(
    kind: str, body: bytes, *, device: str = "Probe", stamp_s: float = 0.0, crc: int | None = None, version: int = 1
) -> bytes:
    """A message of any kind."""
    seconds, fraction = int(stamp_s), int((stamp_s % 1) * 2**32)
    checksum = crc64(body) if crc is None else crc
    head = struct.pack(">H12s20sIIQQ", version, kind.encode(), device.encode(), seconds, fraction, len(body), checksum)
    return head + body


def image_body(
    image: np.ndarray,
    pixel_mm: tuple[float, float] = (0.2, 0.2),
    *,
    scalar: int = 3,
    size: tuple[int, int, int] | None = None,
) -> bytes:
    """IMAGE: grey [H, W] or RGB [H, W, 3]; `pixel_mm` is (row, column)."""
    components = 1 if image.ndim == 2 else image.shape[2]
    width, height, depth = size or (image.shape[1], image.shape[0], 1)
    row_mm, column_mm = pixel_mm
    matrix = (column_mm, 0, 0, 0, row_mm, 0, 0, 0, 1, 0, 0, 0)
    return (
        struct.pack(">HBBBBHHH", 1, components, scalar, 2, 1, width, height, depth)
        + struct.pack(">12f", *matrix)
        + struct.pack(">6H", 0, 0, 0, width, height, depth)
        + image.tobytes()
    )


def image_message(image: np.ndarray, pixel_mm: tuple[float, float] = (0.2, 0.2), **options: object) -> bytes:
    """A whole IMAGE message without checksum, which takes too long in Python for every frame."""
    return message("IMAGE", image_body(image, pixel_mm), **{"crc": 0, **options})  # type: ignore[arg-type]


def status_message() -> bytes:
    """STATUS: all is well."""
    return message("STATUS", struct.pack(">Hq20s", 1, 0, b"OK") + b"fine\0")


def with_metadata(body: bytes, entries: dict[str, str]) -> bytes:
    """A body of header version 2: extended header, content, metadata."""
    head, text = struct.pack(">H", len(entries)), b""
    for key, value in entries.items():
        head += struct.pack(">HHI", len(key), 3, len(value))
        text += key.encode() + value.encode()
    return struct.pack(">HHII", 12, len(head), len(text), 7) + body + head + text


@contextmanager
def serving(*scripts: Callable[[socket.socket], None] | Iterable[bytes]) -> Iterator[int]:
    """A server on loopback that plays one script a connection, then closes it; yields its port.

    A script is the chunks to send, or a function of the connection.
    """
    listener = socket.create_server(("127.0.0.1", 0))

    def play() -> None:
        for script in scripts:
            try:
                connection, _ = listener.accept()
                with connection:
                    if callable(script):
                        script(connection)
                    else:
                        for chunk in script:
                            connection.sendall(chunk)
            except OSError:
                continue

    thread = threading.Thread(target=play, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.close()
