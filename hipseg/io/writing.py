"""Files that are whole or not there, and every fault of the disk as an OutputError."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hipseg.errors import OutputError

_MENDS = {
    errno.ENOSPC: "make room and run again",
    errno.EDQUOT: "make room and run again",
    errno.EFBIG: "choose a disk that takes large files",
}


@contextmanager
def output_errors(path: Path) -> Iterator[None]:
    """Turns the operating system's faults inside the block into an OutputError that names `path`."""
    try:
        yield
    except OutputError:
        raise
    except OSError as error:
        raise output_error(error, path) from error


def output_error(error: OSError, path: Path) -> OutputError:
    """The fault of a write to `path` as its user should read it."""
    if error.errno == errno.ENOSPC:
        return OutputError("cannot be written: the disk is full", where=path, mend=_MENDS[errno.ENOSPC])
    reason = (error.strerror or type(error).__name__).lower()
    mend = _MENDS.get(error.errno or 0, "choose a folder that can be written")
    return OutputError(f"cannot be written ({reason})", where=path, mend=mend)


def write_atomically(path: Path, content: bytes) -> None:
    """Writes a file beside its place and moves it there: a reader sees the old one or the whole new one.

    Raises:
        OutputError: the folder is missing or not writable, or the disk is full; nothing is left behind.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    with output_errors(path):
        try:
            part.write_bytes(content)
            part.replace(path)
        except OSError:
            part.unlink(missing_ok=True)
            raise
