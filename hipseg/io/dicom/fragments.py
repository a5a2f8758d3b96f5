"""Where the encoded frames lie in encapsulated pixel data (PS3.5 annex A.4).

One pass over the item headers, without reading the data, keeps sixteen bytes a fragment: long clips stay on disk.
"""

from __future__ import annotations

import io
from array import array
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from struct import iter_unpack, unpack
from typing import BinaryIO

_ITEM, _DELIMITER = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0"
_HEADER_BYTES = 8
# Start of image of the JPEG family, start of codestream of JPEG 2000.
_IMAGE_STARTS = (b"\xff\xd8", b"\xff\x4f")


@dataclass(slots=True)
class Fragments:
    """The whole fragments of the pixel data, in order.

    Attributes:
        offsets, lengths: of their values in the file, bytes.
        offset_table: the basic offset table, relative to the first fragment's item; empty when there is none.
        is_whole: whether the sequence ends as it should; otherwise the file is cut or damaged behind the last one.
    """

    offsets: array[int]
    lengths: array[int]
    offset_table: tuple[int, ...]
    is_whole: bool

    def __len__(self) -> int:
        return len(self.offsets)


def index_fragments(body: BinaryIO, start: int) -> Fragments:
    """Finds the fragments that begin at `start`, the first byte after the pixel data's element header."""
    size = body.seek(0, io.SEEK_END)
    body.seek(start)
    table: tuple[int, ...] = ()
    offsets, lengths, is_whole, is_first = array("Q"), array("Q"), False, True
    while True:
        head = body.read(_HEADER_BYTES)
        if head[:4] == _DELIMITER:
            is_whole = True
            break
        length = unpack("<L", head[4:])[0] if head[:4] == _ITEM and len(head) == _HEADER_BYTES else None
        if length is None or body.tell() + length > size:
            break
        if is_first:
            is_first = False
            table = tuple(offset for (offset,) in iter_unpack("<L", body.read(length - length % 4)))
            body.seek(length % 4, io.SEEK_CUR)
            continue
        offsets.append(body.tell())
        lengths.append(length)
        body.seek(length, io.SEEK_CUR)
    return Fragments(offsets, lengths, table, is_whole)


def frame_starts(body: BinaryIO, fragments: Fragments, num_frames: int, extended: Sequence[int] = ()) -> list[int]:
    """The index of the first fragment of every whole frame, and one more: the end of the last.

    Args:
        body: the file, to look at how fragments begin where no table tells.
        fragments: of the pixel data.
        num_frames: as the header says.
        extended: the extended offset table, empty when there is none.
    """
    count = len(fragments)
    for table in (extended, fragments.offset_table):
        if len(table) == num_frames and (starts := _starts_by_table(fragments, table)):
            return starts
    if num_frames == 1:
        return [0, count] if fragments.is_whole and count else [0]
    if count <= num_frames:
        return list(range(count + 1))
    starts = [index for index in range(count) if _begins_image(body, fragments.offsets[index])]
    if not starts:
        return list(range(count + 1))
    return [*starts, count] if fragments.is_whole else starts


def _starts_by_table(fragments: Fragments, table: Sequence[int]) -> list[int]:
    """Frame starts as an offset table gives them; empty when it does not fit the fragments."""
    if not fragments.offsets:
        return [0]
    origin = fragments.offsets[0]
    end = fragments.offsets[-1] + fragments.lengths[-1] + _HEADER_BYTES
    starts: list[int] = []
    for offset in table:
        if origin + offset >= end:
            break
        index = bisect_left(fragments.offsets, origin + offset)
        if fragments.offsets[index] != origin + offset or (starts and index <= starts[-1]):
            return []
        starts.append(index)
    is_last_whole = fragments.is_whole or (len(starts) < len(table) and origin + table[len(starts)] == end)
    return [*starts, len(fragments)] if is_last_whole else starts


def _begins_image(body: BinaryIO, offset: int) -> bool:
    body.seek(offset)
    return body.read(2) in _IMAGE_STARTS


class FragmentStream(io.RawIOBase):
    """The fragments' values as one continuous file, for streams that run over fragments (MPEG, H.264, HEVC)."""

    def __init__(self, body: BinaryIO, fragments: Fragments) -> None:
        super().__init__()
        self._body, self._fragments = body, fragments
        self._ends = array("Q")
        total = 0
        for length in fragments.lengths:
            total += length
            self._ends.append(total)
        self._position, self._size = 0, total

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        if self._position >= self._size:
            return 0
        index = bisect_left(self._ends, self._position + 1)
        remaining = self._ends[index] - self._position
        within = self._fragments.lengths[index] - remaining
        self._body.seek(self._fragments.offsets[index] + within)
        content = self._body.read(min(len(buffer), remaining))
        buffer[: len(content)] = content
        self._position += len(content)
        return len(content)
