"""An OpenIGTLink server (PLUS, 3D Slicer, a scanner) as a live source of frames."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import NamedTuple

from hipseg.errors import SourceError, UsageError
from hipseg.io.igtl.connection import Connection, Message
from hipseg.io.igtl.messages import DEFAULT_PORT, IMAGE, MessageError, check_body, decode_image
from hipseg.io.live_source import LivePicture, LiveSource, live_info
from hipseg.io.source import SourceInfo, SourceOptions

IGTL_PREFIX = "igtl:"

_ADDRESS = re.compile(r"igtl://(?P<host>\[[0-9a-fA-F:.]+\]|[^:/\s\[\]]+)(:(?P<port>\d{1,5}))?(/(?P<device>.+)?)?")
_COUNTED = ("STATUS", "STRING", "TRANSFORM", "TDATA", "POSITION", "POINT", "CAPABILITY", "VIDEO")
_NO_SCALE = (
    "The images tell no pixel size that can be true (1 x 1 mm is what senders give that do not know it): "
    "distances stay off unless --spacing gives it."
)


class _Address(NamedTuple):
    host: str
    port: int
    device: str | None


def open_igtl(spec: str, options: SourceOptions) -> LiveSource:
    """Connects to "igtl://HOST[:PORT][/DEVICE]" and takes its images; the port is 18944 unless it is given.

    Without a device the first one that sends an image is followed. Messages of other kinds and devices are counted.

    Raises:
        UsageError: not such an address.
        SourceError: nobody listens there, or no image comes.
    """
    address = _parse(spec)
    where = f"igtl://{address.host}:{address.port}"
    connection = Connection(address.host, address.port, where, options.silent_after_s)
    info = live_info(f"igtl:{address.host}:{address.port}", "igtl")
    pictures = _pictures(connection, address.device, info, where, options.silent_after_s)
    source = LiveSource(info, pictures, options, connection.close)
    if info.spacing is None:
        info.warnings.append(_NO_SCALE)
    return source


def _parse(spec: str) -> _Address:
    found = _ADDRESS.fullmatch(spec)
    port = int(found["port"] or DEFAULT_PORT) if found else 0
    if found is None or not 1 <= port <= 65535:
        raise UsageError(f"'{spec}' is not an address", where="source", expected="igtl://HOST:PORT[/DEVICE]")
    return _Address(found["host"].strip("[]"), port, found["device"])


def _pictures(
    connection: Connection, device: str | None, info: SourceInfo, where: str, silent_after_s: float
) -> Iterator[LivePicture]:
    """Every image of the device. Other messages do not keep a source alive that has no images."""
    last_image_s = time.monotonic()
    while True:
        message = connection.receive()
        if _is_image_of(message, device):
            device = message.header.device
            last_image_s = message.taken_s
            yield _decoded(message)
        else:
            info.counts[_name_of(message)] += 1
            if message.taken_s - last_image_s > silent_after_s:
                raise SourceError(f"sent no image for {silent_after_s:g} s{_and_others(info, device)}", where=where)


def _is_image_of(message: Message, device: str | None) -> bool:
    return message.header.kind == IMAGE and device in (None, message.header.device)


def _decoded(message: Message) -> LivePicture:
    try:
        check_body(message.header, message.body)
        image_HW, spacing = decode_image(message.header, message.body)
    except MessageError as fault:
        return LivePicture(None, message.taken_s, fault=str(fault))
    return LivePicture(image_HW, message.taken_s, message.header.stamp_s, spacing)


def _name_of(message: Message) -> str:
    """What a message counts as: kinds are named by the other side, so only known ones get a count of their own."""
    kind = message.header.kind
    if kind == IMAGE:
        return "images_of_other_devices"
    return f"ignored_{kind if kind in _COUNTED else 'other'}_messages"


def _and_others(info: SourceInfo, device: str | None) -> str:
    others = sum(info.counts.values())
    of_device = f" of device '{device}'" if device else ""
    return f"{of_device} ({others} other messages)"
