"""The folder that holds the results of one clip."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import TemporaryFile

from hipseg.errors import OutputError
from hipseg.io.writing import output_errors

SESSION, FRAMES, ALERTS = "session.json", "frames.jsonl", "alerts.jsonl"
MASKS, OVERLAY_VIDEO, OVERLAY_IMAGE, SEGMENTATION = "masks", "overlay.mp4", "overlay.png", "segmentation.dcm"
REPLAY, REPORT = "replay", "report.html"
_RESULTS = (SESSION, FRAMES, ALERTS, MASKS, OVERLAY_VIDEO, OVERLAY_IMAGE, SEGMENTATION, REPLAY, REPORT)


class SessionFolder:
    """Claims a folder for the results of one clip.

    Attributes:
        path: the folder; made, with its parents, when it is missing.

    Args:
        path: where the results shall lie.
        overwrite: remove the results of an earlier session first. Only files that hipseg writes are removed.

    Raises:
        OutputError: not a folder, not writable, or it holds a session and `overwrite` is off.
    """

    def __init__(self, path: str | Path, overwrite: bool = False) -> None:
        self.path = Path(path)
        with output_errors(self.path):
            if self.path.exists() and not self.path.is_dir():
                raise OutputError("is a file", where=self.path, expected="a folder", mend="choose another --out")
            self.path.mkdir(parents=True, exist_ok=True)
            # Permissions do not tell of read-only disks: only writing does.
            with TemporaryFile(dir=self.path):
                pass
            if overwrite:
                self._clear()
            elif held := self._results():
                raise OutputError(
                    f"already holds a session ({held[0].name})",
                    where=self.path,
                    mend="choose another folder, or replace it with --overwrite",
                )

    def _results(self) -> list[Path]:
        return [path for name in _RESULTS if (path := self.path / name).exists()]

    def _clear(self) -> None:
        for path in self._results():
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()

    def file(self, name: str) -> Path:
        """The place of one result, by its name in the contract."""
        return self.path / name
