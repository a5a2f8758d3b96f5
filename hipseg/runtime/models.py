"""The shelf: released models by name, each in a folder with a manifest of checksums.

    <shelf>/<name>/model.onnx, checkpoint.safetensors, card.md, manifest.json

Shelves are the folders in the environment variable HIPSEG_MODELS, `models/` of a checkout and the copy inside an
installed package; of two models with one name the first is taken.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from hipseg.errors import ModelError, UsageError, nearest_name

DEFAULT_MODEL = "hip-fast"
SHELF_VARIABLE = "HIPSEG_MODELS"
MODEL_FILE, CHECKPOINT_FILE, CARD_FILE, MANIFEST_FILE = (
    "model.onnx",
    "checkpoint.safetensors",
    "card.md",
    "manifest.json",
)

_PACKAGE = Path(__file__).resolve().parent.parent


class FileState(Enum):
    """How a file of a model compares with its manifest."""

    OK = "ok"
    CHANGED = "changed"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model as it was read: what is run is what was checked.

    Attributes:
        path: of the model file.
        content: its bytes.
        sha256: of the content, hexadecimal.
    """

    path: Path
    content: bytes
    sha256: str


@dataclass(frozen=True, slots=True)
class ShelfModel:
    """A model on a shelf.

    Attributes:
        name: of its folder, by which users call it.
        folder: with its files.
        manifest: the content of manifest.json; empty when `fault` is set.
        files: the state of every file that the manifest lists.
        fault: what is wrong with the manifest itself, None if nothing.
    """

    name: str
    folder: Path
    manifest: dict[str, Any]
    files: dict[str, FileState]
    fault: str | None = None

    @property
    def size_bytes(self) -> int | None:
        """Of the model file, None when it is missing."""
        path = self.folder / MODEL_FILE
        return path.stat().st_size if path.is_file() else None

    @property
    def state(self) -> str:
        """ "ok", or what is wrong, in a few words."""
        faults = [f"{name} {state.value}" for name, state in self.files.items() if state is not FileState.OK]
        return self.fault or ", ".join(faults) or FileState.OK.value


def shelves() -> list[Path]:
    """The folders that may hold models, in the order in which they are searched.

    Raises:
        UsageError: HIPSEG_MODELS names something that is no folder.
    """
    named = [Path(entry) for entry in os.environ.get(SHELF_VARIABLE, "").split(os.pathsep) if entry]
    for folder in named:
        if not folder.is_dir():
            raise UsageError("no such folder", where=f"{SHELF_VARIABLE}={folder}", mend="correct or unset it")
    return named + [folder for folder in (_PACKAGE.parent / "models", _PACKAGE / "shelf") if folder.is_dir()]


def list_models() -> list[ShelfModel]:
    """Every model on the shelves, by name, with the state of its files. Reads and hashes them all."""
    return [_inspect(folder) for _, folder in sorted(_folders().items())]


def find_model(name_or_path: str | Path) -> Path:
    """The model file that a user means.

    Args:
        name_or_path: a name on the shelf, an .onnx file, or a folder that holds model.onnx.

    Raises:
        ModelError: unknown name, no such file, or a file that is not the one its manifest tells of.
    """
    return read_model(name_or_path).path


def read_model(name_or_path: str | Path) -> ModelFile:
    """Reads a model and compares it with the manifest beside it; a file that no manifest lists has nothing to compare.

    Args:
        name_or_path: as for `find_model`.

    Raises:
        ModelError: as for `find_model`.
    """
    path = _locate(name_or_path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"cannot be read ({(error.strerror or '').lower()})", where=path) from error
    model = ModelFile(path, content, hashlib.sha256(content).hexdigest())
    expected = _listed_sha256(path)
    if expected is not None and expected != model.sha256:
        raise ModelError(
            f"the file has changed since its release (sha256 {model.sha256[:12]}...)",
            where=path,
            expected=f"sha256 {expected[:12]}... of {MANIFEST_FILE}",
            mend="install or export the model again",
        )
    return model


def _folders() -> dict[str, Path]:
    """Models by name. A hidden folder is an export under way, one without a model's files something else."""
    found: dict[str, Path] = {}
    for shelf in shelves():
        for folder in sorted(shelf.iterdir()):
            is_model = (folder / MANIFEST_FILE).is_file() or (folder / MODEL_FILE).is_file()
            if is_model and not folder.name.startswith("."):
                found.setdefault(folder.name, folder)
    return found


def _locate(name_or_path: str | Path) -> Path:
    path = Path(name_or_path) if _is_path(name_or_path) else _named(str(name_or_path))
    if path.is_dir():
        path = path / MODEL_FILE
    if not path.is_file():
        raise ModelError("no such model file", where=path, mend="'hipseg models' lists those on the shelf")
    return path


def _is_path(name_or_path: str | Path) -> bool:
    """A lone word is a name on the shelf, whatever lies in the working directory."""
    path = Path(name_or_path)
    return (
        isinstance(name_or_path, Path) or path.suffix == ".onnx" or str(path.parent) != "." or path.name in ("", "..")
    )


def _named(name: str) -> Path:
    folders = _folders()
    if name in folders:
        return folders[name]
    if Path(name).exists():
        return Path(name)
    mend = nearest_name(name, folders) if folders else "the shelf is empty; name a model file"
    raise ModelError(f"unknown model '{name}'", expected="a name on the shelf or a model file", mend=mend)


def _listed_sha256(path: Path) -> str | None:
    manifest_path = path.parent / MANIFEST_FILE
    if not manifest_path.is_file():
        return None
    entry = _read_manifest(manifest_path)["files"].get(path.name)
    return None if entry is None else str(entry["sha256"])


def _inspect(folder: Path) -> ShelfModel:
    try:
        manifest = _read_manifest(folder / MANIFEST_FILE)
    except ModelError as error:
        return ShelfModel(folder.name, folder, {}, {}, fault=error.what)
    files = {name: _state(folder / name, entry["sha256"]) for name, entry in manifest["files"].items()}
    return ShelfModel(folder.name, folder, manifest, files)


def _state(path: Path, sha256: str) -> FileState:
    if not path.is_file():
        return FileState.MISSING
    return FileState.OK if sha256_of(path) == sha256 else FileState.CHANGED


def sha256_of(path: Path) -> str:
    """Of a file's content, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read_manifest(path: Path) -> dict[str, Any]:
    try:
        manifest = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise ModelError(f"no {MANIFEST_FILE}", where=path.parent) from error
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{MANIFEST_FILE} cannot be read", where=path, mend="install the model again") from error
    files = manifest.get("files") if isinstance(manifest, dict) else None
    if not isinstance(files, dict) or not all(map(_is_entry, files.items())) or MODEL_FILE not in files:
        raise ModelError(
            f"{MANIFEST_FILE} lists no checksums",
            where=path,
            expected="'files' with the sha256 of each file",
            mend="install or export the model again",
        )
    assert isinstance(manifest, dict)
    return manifest


def _is_entry(item: tuple[str, Any]) -> bool:
    """A plain file name, so that a manifest can't point out of its folder, and a checksum."""
    name, entry = item
    return Path(name).name == name and isinstance(entry, dict) and isinstance(entry.get("sha256"), str)
