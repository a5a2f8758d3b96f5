"""Files that grow while a clip is made and appear at their place only when it is whole."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import IO

from hipseg.io.writing import output_errors


class GrowingFile:
    """A file written piece by piece beside its place; memory holds none of it.

    Args:
        path: where it will stand after `finish`.

    Raises:
        OutputError: it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._part = path, path.with_name(f".{path.name}.part")
        with output_errors(path):
            self._file: IO[bytes] = self._part.open("w+b")

    def write(self, content: bytes) -> None:
        """Appends. Raises OutputError; nothing is left behind then."""
        try:
            with output_errors(self._path):
                self._file.write(content)
                self._file.flush()
        except OSError:
            self.discard()
            raise

    def finish(self) -> None:
        """Moves the file to its place. Raises OutputError."""
        with output_errors(self._path):
            self._file.close()
            self._part.replace(self._path)

    def discard(self) -> None:
        """Forgets what was written."""
        self._file.close()
        self._part.unlink(missing_ok=True)


class GrowingArchive:
    """A zip archive that grows likewise; equal members give equal bytes."""

    def __init__(self, path: Path) -> None:
        self._file = GrowingFile(path)
        self._sink = _Appended(self._file)
        self._archive = zipfile.ZipFile(self._sink, "w")

    def add(self, name: str, content: bytes) -> None:
        """Appends a member without compression. Raises OutputError."""
        self._archive.writestr(zipfile.ZipInfo(name), content)

    def finish(self) -> None:
        """Moves the archive to its place. Raises OutputError."""
        self._archive.close()
        self._file.finish()


class _Appended(io.RawIOBase):
    """A sink that cannot seek, as zipfile takes it for streams."""

    def __init__(self, file: GrowingFile) -> None:
        self._file = file

    def writable(self) -> bool:
        return True

    def write(self, content: object) -> int:
        data = bytes(content)  # type: ignore[call-overload]
        self._file.write(data)
        return len(data)
