"""Label maps as indexed PNG: the pixel values are the ids, the palette shows the label scheme's colours."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hipseg.anatomy import NUM_CLASSES, STRUCTURES
from hipseg.io.writing import output_errors, write_atomically

LabelsHW = npt.NDArray[np.uint8]

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_INDEXED_COLOUR = 3
# Masks are large plain areas: the fastest level already packs them about a hundredfold.
_COMPRESSION = 1
_OUTSIDE_THE_SCHEME = (128, 128, 128)


class MaskSink:
    """A folder of label maps, one PNG a frame: 000012.png is frame 12.

    Args:
        folder: made when it is missing.

    Raises:
        OutputError: the folder cannot be made.
    """

    def __init__(self, folder: str | Path) -> None:
        self._folder = Path(folder)
        with output_errors(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)

    def write(self, index: int, labels_HW: LabelsHW) -> None:
        """Writes the label map of frame `index` atomically, uint8 [H, W]. Raises OutputError."""
        write_atomically(self._folder / f"{index:06d}.png", encode_mask(labels_HW))


def encode_mask(labels_HW: LabelsHW) -> bytes:
    """A label map, uint8 [H, W], as an 8-bit indexed PNG (RFC 2083) with the palette of the label scheme."""
    height, width = labels_HW.shape
    unfiltered = np.zeros((height, width + 1), np.uint8)
    unfiltered[:, 1:] = labels_HW
    chunks = (
        _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, _INDEXED_COLOUR, 0, 0, 0)),
        _chunk(b"PLTE", _PALETTE),
        _chunk(b"IDAT", zlib.compress(unfiltered.tobytes(), _COMPRESSION)),
        _chunk(b"IEND", b""),
    )
    return _SIGNATURE + b"".join(chunks)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _palette() -> bytes:
    colours = np.full((256, 3), _OUTSIDE_THE_SCHEME, np.uint8)
    colours[:NUM_CLASSES] = [structure.colour for structure in STRUCTURES]
    return colours.tobytes()


_PALETTE = _palette()
