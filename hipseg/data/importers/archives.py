"""Exports that come as one zip file."""

from __future__ import annotations

import shutil
import stat
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from hipseg.data.importers.refusals import Refusals
from hipseg.errors import SourceError
from hipseg.io.writing import output_errors

MAX_MEMBERS = 200_000
_PLAIN_BYTES = 32 * 2**20
_MAX_RATIO = 200
"""Deflate packs zeros 1:1032; masks as raw arrays reach about 1:150, everything else stays far below."""
_MAX_TOTAL_BYTES = 64 * 2**30
_PIECE = 1 << 20


@contextmanager
def unpacked(source: Path, near: Path) -> Iterator[tuple[Path, Refusals]]:
    """The folder to read: the source itself, or what a zip file holds, unpacked for the time of the block.

    Members that lead out of the folder, are links, or unpack to far more than they could hold are refused one by
    one; the others come.

    Args:
        source: a folder, a file, or a zip file.
        near: beside which to unpack; a disk that takes the data set takes its source.

    Raises:
        SourceError: the source does not exist, or is a zip file that cannot be read.
        OutputError: there is no room to unpack.
    """
    if not source.exists():
        raise SourceError("does not exist", where=source, mend="check the path")
    if not (source.is_file() and zipfile.is_zipfile(source)):
        yield source, Refusals(source)
        return
    with output_errors(near):
        near.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=".unpacked_", dir=near))
    try:
        refusals = Refusals(folder)
        _unpack(source, folder, refusals)
        yield folder, refusals
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _unpack(source: Path, folder: Path, refusals: Refusals) -> None:
    try:
        with zipfile.ZipFile(source) as archive:
            members = archive.infolist()
            if len(members) > MAX_MEMBERS:
                raise SourceError(f"holds {len(members)} files", where=source, expected=f"at most {MAX_MEMBERS}")
            room = min(_MAX_TOTAL_BYTES, shutil.disk_usage(folder).free // 2)
            for member in members:
                with refusals.noting(member.filename):
                    room -= _unpack_member(archive, member, folder, room)
    except (zipfile.BadZipFile, OSError) as error:
        raise SourceError(f"not a zip file that can be read ({error})", where=source, mend="export it again") from error


def _unpack_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path, room: int) -> int:
    """Writes one member; the bytes it took."""
    path = PurePosixPath(member.filename.replace("\\", "/"))
    where = f"{Path(archive.filename or 'archive').name}, member '{member.filename}'"
    if path.is_absolute() or ".." in path.parts or (path.parts and ":" in path.parts[0]):
        raise SourceError("leads out of the folder", where=where, expected="a path inside the archive")
    if stat.S_ISLNK(member.external_attr >> 16):
        raise SourceError("is a link", where=where, expected="a file")
    if member.is_dir():
        return 0
    allowed = min(room, max(_PLAIN_BYTES, _MAX_RATIO * member.compress_size))
    if member.file_size > allowed:
        what = f"unpacks from {member.compress_size} to {member.file_size} bytes"
        raise SourceError(what, where=where, expected=f"at most {allowed}", mend="it is no recording or annotation")
    return _copy(archive, member, folder / path, allowed, where)


def _copy(archive: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path, allowed: int, where: str) -> int:
    """Unpacks piece by piece: what the archive says of its sizes need not be true."""
    num_bytes = 0
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(member) as packed, target.open("wb") as file:
            while piece := packed.read(_PIECE):
                num_bytes += len(piece)
                if num_bytes > allowed:
                    raise SourceError(f"unpacks to more than {allowed} bytes", where=where)
                file.write(piece)
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError, OSError, ValueError) as error:
        target.unlink(missing_ok=True)
        if isinstance(error, SourceError):
            raise
        raise SourceError(f"cannot be unpacked ({error})", where=where, mend="export it again") from error
    except Exception as error:  # zlib's own error class
        target.unlink(missing_ok=True)
        raise SourceError(f"cannot be unpacked ({error})", where=where, mend="export it again") from error
    return num_bytes
