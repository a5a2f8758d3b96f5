"""The deflated transfer syntax as a stream, so that a long clip need not be unpacked as a whole."""

from __future__ import annotations

import io
import zlib
from typing import BinaryIO

_CHUNK_BYTES = 1 << 16
# DICOM PS3.5 A.5 deflates without a zlib header (RFC 1951).
_RAW = -zlib.MAX_WBITS


class InflatedStream(io.RawIOBase):
    """Reads the rest of a deflated file; seeking back starts over.

    Args:
        file: positioned at the first deflated byte. It is closed with this stream.
    """

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._file, self._start = file, file.tell()
        self._rewind()

    def _rewind(self) -> None:
        self._file.seek(self._start)
        self._inflater = zlib.decompressobj(_RAW)
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Goes to a position from the start or from here; the end is unknown."""
        if whence == io.SEEK_END:
            raise io.UnsupportedOperation("the end of a deflated stream is unknown")
        target = offset + (self._position if whence == io.SEEK_CUR else 0)
        if target < self._position:
            self._rewind()
        while self._position < target and self.read(min(target - self._position, _CHUNK_BYTES)):
            pass
        return self._position

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        while not self._inflater.eof:
            source = self._inflater.unconsumed_tail or self._file.read(_CHUNK_BYTES)
            inflated = self._inflater.decompress(source, len(buffer))
            if inflated or not source:
                buffer[: len(inflated)] = inflated
                self._position += len(inflated)
                return len(inflated)
        return 0

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()
