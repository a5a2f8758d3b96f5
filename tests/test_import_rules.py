"""The rules of the house that keep a clinician's installation small and the data flowing one way."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "hipseg"
MODULES = sorted(PACKAGE.rglob("*.py"))

TRAINING_ONLY = {
    "torch", "torchmetrics", "monai", "lightning", "pytorch_lightning", "albumentations", "scipy", "hydra", "onnx",
    "onnxscript", "safetensors", "matplotlib", "joblib", "pandas", "pyarrow", "skimage", "sklearn", "pycocotools",
    "nrrd", "nibabel", "highdicom", "defusedxml", "jsonschema", "dicomanonymizer", "dask",
}  # fmt: skip
VOCABULARY = {"anatomy", "frame", "errors"}
LIGHT_ROOMS = VOCABULARY | {"io", "runtime", "guidance", "display", "pages"}
CLINICIAN_VERBS = {"infer", "serve", "models", "doctor", "demo", "main"}
STREAM = ["io", "runtime", "guidance", "display"]


def imported_modules(path: Path) -> Iterator[str]:
    """Every module a file imports, at the top or inside a function."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room_of(path: Path) -> str:
    """The package or vocabulary file under hipseg/ that a file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def rooms_used(path: Path) -> set[str]:
    """The rooms of hipseg that a file imports."""
    names = (name.split(".") for name in imported_modules(path))
    rooms = {parts[1] for parts in names if parts[0] == "hipseg" and len(parts) > 1}
    return {room for room in rooms if (PACKAGE / room).is_dir() or (PACKAGE / f"{room}.py").is_file()}


def is_light(path: Path) -> bool:
    return room_of(path) in LIGHT_ROOMS or (room_of(path) == "cli" and path.stem in CLINICIAN_VERBS)


@pytest.mark.parametrize("path", [path for path in MODULES if is_light(path)], ids=lambda path: path.stem)
def test_clinician_rooms_do_without_the_training_extra(path: Path) -> None:
    assert not {name.split(".")[0] for name in imported_modules(path)} & TRAINING_ONLY


@pytest.mark.parametrize("path", [PACKAGE / f"{name}.py" for name in sorted(VOCABULARY)], ids=lambda path: path.stem)
def test_the_vocabulary_imports_nothing_of_hipseg(path: Path) -> None:
    assert not rooms_used(path)


@pytest.mark.parametrize("room", STREAM)
def test_no_room_imports_a_later_one_of_the_stream(room: str) -> None:
    later = set(STREAM[STREAM.index(room) + 1 :]) | {"cli", "training", "export", "simulation", "data", "models"}
    offenders = {path.name: found for path in (PACKAGE / room).rglob("*.py") if (found := rooms_used(path) & later)}
    assert not offenders


def test_simulation_does_without_torch() -> None:
    heavy = TRAINING_ONLY - {"scipy", "joblib", "dask"}
    offenders = {
        path.name: found
        for path in (PACKAGE / "simulation").rglob("*.py")
        if (found := {name.split(".")[0] for name in imported_modules(path)} & heavy)
    }
    assert not offenders


def test_albumentations_enters_through_one_file() -> None:
    users = {path for path in MODULES if any(name.split(".")[0] == "albumentations" for name in imported_modules(path))}
    assert users <= {PACKAGE / "data" / "augment.py"}


def test_rooms_import_each_other_without_cycles() -> None:
    rooms = {room_of(path) for path in MODULES}
    uses = {room: set().union(*(rooms_used(p) for p in MODULES if room_of(p) == room)) - {room} for room in rooms}
    settled: set[str] = set()
    while free := {room for room in rooms - settled if uses[room] <= settled}:
        settled |= free
    assert settled == rooms, f"a cycle among {sorted(rooms - settled)}"
