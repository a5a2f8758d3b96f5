"""OpenIGTLink messages as bytes (openigtlink.org/protocols, header version 1 and 2).

The one module that uses pyigtl, and only for its codec. Its header parser passes the checksum over and trips over
names that are not text, so the header is read here.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pyigtl.messages import CRC64, ImageMessage, MessageBase, PointMessage, StringMessage, TransformMessage

from hipseg.frame import ImageHW, Spacing
from hipseg.io.grey import rgb_to_grey
from hipseg.io.spacing import is_plausible

DEFAULT_PORT = 18944
HEADER_BYTES = 58
IMAGE, STATUS = "IMAGE", "STATUS"
STATUS_OK, STATUS_NOT_READY = 1, 13

_HEADER = struct.Struct(">H12s20sIIQQ")
_FRACTION = 2.0**32
_IMAGE_TYPE = struct.Struct(">HBBBBHHH")
_EXTENDED_HEADER = struct.Struct(">H")
_UINT8 = 3
_SCALARS = {2: "int8", 3: "uint8", 4: "int16", 5: "uint16", 6: "int32", 7: "uint32", 10: "float32", 11: "float64"}
_COMPONENTS = (1, 3)
_NOBODY_MEASURED = 1.0
"""A pixel size of exactly 1 x 1 mm is the identity matrix of a sender that does not know it."""


class MessageError(ValueError):
    """A message that is whole but cannot be used; the connection can."""


@dataclass(frozen=True, slots=True)
class Header:
    """What stands before every message.

    Attributes:
        version: of the header, 1 or 2.
        kind: IMAGE, STATUS, ...
        device: name of the sending device.
        stamp_s: seconds since 1970 by the sender's clock, None when it gave none.
        body_bytes: that follow.
        checksum: of the body (CRC-64, ECMA-182), 0 from senders that leave it out.
    """

    version: int
    kind: str
    device: str
    stamp_s: float | None
    body_bytes: int
    checksum: int


def parse_header(data: bytes) -> Header:
    """Reads the 58 bytes of a header."""
    version, kind, device, seconds, fraction, body_bytes, checksum = _HEADER.unpack(data)
    stamp_s = seconds + fraction / _FRACTION
    return Header(version, _text(kind), _text(device), stamp_s or None, body_bytes, checksum)


def check_body(header: Header, body: bytes) -> None:
    """Raises MessageError when a body is not the one that was sent."""
    if header.checksum and CRC64(body) != header.checksum:
        raise MessageError(f"a {header.kind} message was damaged on its way")


def decode_image(header: Header, body: bytes) -> tuple[ImageHW, Spacing | None]:
    """The picture in an IMAGE message as grey levels, and its pixel size where the sender knows it.

    Raises:
        MessageError: not a flat picture of 8-bit grey or RGB, or its parts contradict each other.
    """
    _check_type(_image_type(header, body))
    message = ImageMessage()
    try:
        message.unpack(_fields(header), body)
        image_KHWC = np.atleast_3d(np.asarray(message.image)[0])
    except Exception as error:  # the codec raises whatever its parsing stumbles over
        raise MessageError(f"an IMAGE message that contradicts itself ({type(error).__name__})") from error
    if image_KHWC.shape[-1] == 1:
        return np.ascontiguousarray(image_KHWC[..., 0]), _spacing(message.ijk_to_world_matrix)
    return rgb_to_grey(np.ascontiguousarray(image_KHWC)), _spacing(message.ijk_to_world_matrix)


def encode_image(image_HW: ImageHW, spacing: Spacing | None, device: str, stamp_s: float) -> bytes:
    """A picture or a label map."""
    size_mm = (spacing.column_mm, spacing.row_mm) if spacing else (_NOBODY_MEASURED, _NOBODY_MEASURED)
    matrix = np.diag([*size_mm, 1.0, 1.0])
    return _packed(ImageMessage(image_HW[None], matrix, timestamp=stamp_s, device_name=device))


def encode_transform(matrix_44: npt.NDArray[np.float64], device: str, stamp_s: float) -> bytes:
    """A pose, 4 x 4, lengths in millimetres."""
    return _packed(TransformMessage(matrix_44, timestamp=stamp_s, device_name=device))


def encode_points(points_mm: Mapping[str, Sequence[float]], device: str, stamp_s: float) -> bytes:
    """Named points, x, y, z in millimetres; at least one."""
    return _packed(PointMessage(list(points_mm.values()), list(points_mm), timestamp=stamp_s, device_name=device))


def encode_string(text: str, device: str, stamp_s: float) -> bytes:
    """A text of ASCII characters (JSON with escapes), up to 65,535 of them."""
    return _packed(StringMessage(text, timestamp=stamp_s, device_name=device))


def encode_status(code: int, name: str, text: str, device: str, stamp_s: float) -> bytes:
    """A state of health: `STATUS_OK` or another code of the protocol, a short name and a sentence."""
    return _packed(_Status(code, name, text, timestamp=stamp_s, device_name=device))


class _Status(MessageBase):  # type: ignore[misc]
    """STATUS, which pyigtl does not have."""

    def __init__(self, code: int, name: str, text: str, *, timestamp: float, device_name: str) -> None:
        super().__init__(timestamp=timestamp, device_name=device_name)
        self._message_type, self._valid_message = STATUS, True
        self._content = struct.pack(">Hq20s", code, 0, name.encode("ascii", "replace")[:20])
        self._content += text.encode("ascii", "replace") + b"\0"

    def _pack_content(self) -> bytes:
        return self._content


def _packed(message: MessageBase) -> bytes:
    return bytes(message.pack())


def _fields(header: Header) -> dict[str, object]:
    """A header as the codec wants it."""
    return {
        "header_version": header.version,
        "message_type": header.kind,
        "device_name": header.device,
        "timestamp": header.stamp_s or 0.0,
        "body_size": header.body_bytes,
    }


def _image_type(header: Header, body: bytes) -> tuple[int, ...]:
    """The first fields of an image header, which stands behind the extended header of later versions."""
    try:
        start = _EXTENDED_HEADER.unpack_from(body)[0] if header.version > 1 else 0
        return tuple(_IMAGE_TYPE.unpack_from(body, start))
    except struct.error as error:
        raise MessageError("an IMAGE message without room for its header") from error


def _check_type(image_type: tuple[int, ...]) -> None:
    _, components, scalar, _, _, width, height, depth = image_type
    if scalar != _UINT8:
        raise MessageError(f"images of {_SCALARS.get(scalar, 'an unknown type')} instead of uint8")
    if components not in _COMPONENTS:
        raise MessageError(f"images of {components} components instead of 1 (grey) or 3 (RGB)")
    if depth != 1:
        raise MessageError(f"volumes of {width} x {height} x {depth} instead of flat images")
    if not width or not height:
        raise MessageError(f"images of {width} x {height} pixels")


def _spacing(matrix_44: npt.NDArray[np.float64]) -> Spacing | None:
    """The lengths of the axes' vectors, which are the pixel's sides."""
    column_mm, row_mm = (float(np.linalg.norm(matrix_44[:3, axis])) for axis in (0, 1))
    if not (is_plausible(row_mm) and is_plausible(column_mm)) or row_mm == column_mm == _NOBODY_MEASURED:
        return None
    return Spacing(row_mm, column_mm, "igtl")


def _text(field: bytes) -> str:
    return field.split(b"\0")[0].decode("ascii", "replace").strip()
