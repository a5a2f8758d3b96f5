"""Decoded images and masks of a data set, where a training can get them fastest.

Decoding a PNG costs as much as everything that follows. Two stores do without: decoded once into memory, or once into
a file that all processes and all later trainings map. Which one is faster is measured when a data set is opened (see
`choose_store`); `hipseg benchmark data` shows the figures.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import cv2
import numpy as np

from hipseg.data.reading import ImageHW, LabelsHW, read_image, read_labels
from hipseg.data.records import Case
from hipseg.errors import SourceError
from hipseg.io.writing import output_errors

CACHE_FOLDER = ".hipseg-cache"
STORES = ("auto", "mapped", "memory", "none")

_VERSION = 1
_TRIED_CASES = 8
_LONGEST_START_S = 2.0
_SPARE_BYTES = 1 << 30


class Pixels(NamedTuple):
    """A decoded case.

    Attributes:
        image_HW, labels_HW: uint8; no labels for an unlabelled case. Not to be written to.
        scale_xy: pixels of the store for each pixel of the file, along columns and rows.
    """

    image_HW: ImageHW
    labels_HW: LabelsHW | None
    scale_xy: tuple[float, float]


class PixelStore(Protocol):
    """Gives the pixels of a case by its position."""

    def __getitem__(self, index: int) -> Pixels: ...


class DecodingStore:
    """Decodes every time.

    Args:
        root: the data set's folder.
        cases: what can be asked for.
        longest_side: larger images are shrunk to it, pixels; None keeps all as they are.
    """

    def __init__(self, root: Path, cases: Sequence[Case], longest_side: int | None) -> None:
        self._root, self._cases, self._longest_side = root, cases, longest_side

    def __getitem__(self, index: int) -> Pixels:
        """The pixels of a case. Raises SourceError when its files cannot be read."""
        case = self._cases[index]
        image_HW, labels_HW = read_image(self._root, case), read_labels(self._root, case)
        if labels_HW is not None and labels_HW.shape != image_HW.shape:
            raise SourceError(
                f"a mask of {labels_HW.shape}", where=self._root / str(case.mask), expected=f"{image_HW.shape}"
            )
        return _shrunk(image_HW, labels_HW, self._longest_side)


class MemoryStore:
    """Decodes once, as much as fits; worker processes that are forked later share the memory.

    Args:
        decoding: for what does not fit.
        num_cases: to keep.
        num_bytes: that may be kept.
    """

    def __init__(self, decoding: DecodingStore, num_cases: int, num_bytes: int) -> None:
        self._decoding = decoding
        self._kept: list[Pixels] = []
        for index in range(num_cases):
            pixels = decoding[index]
            num_bytes -= _size(pixels)
            if num_bytes < 0:
                break
            self._kept.append(pixels)

    def __getitem__(self, index: int) -> Pixels:
        """The pixels of a case. Raises SourceError when its files cannot be read."""
        return self._kept[index] if index < len(self._kept) else self._decoding[index]


class MappedStore:
    """Decodes once into a file beside the data set, which is mapped into memory (copy on write).

    The file is written whole or not at all. Its name holds a checksum of the records and of the files' sizes and
    times: when a case changes, another file is made and this one deleted.

    Args:
        decoding: what is written.
        root, cases, longest_side: as for `DecodingStore`.

    Raises:
        OutputError: the data set's folder cannot be written, or its disk has no room.
        SourceError: a case cannot be decoded.
    """

    def __init__(self, decoding: DecodingStore, root: Path, cases: Sequence[Case], longest_side: int | None) -> None:
        family = f"{longest_side or 'full'}-{cases[0].split}"
        path = root / CACHE_FOLDER / f"{family}-{_fingerprint(root, cases, longest_side)}.pixels"
        if not path.is_file():
            _write(path, family, decoding, len(cases))
        self._index = json.loads(path.with_suffix(".json").read_bytes())
        self._bytes = np.memmap(path, np.uint8, "c").view(np.ndarray)

    def __getitem__(self, index: int) -> Pixels:
        """The pixels of a case."""
        start, height, width, has_labels, *scale_xy = self._index[index]
        size = height * width
        image_HW = self._bytes[start : start + size].reshape(height, width)
        labels_HW = self._bytes[start + size : start + 2 * size].reshape(height, width) if has_labels else None
        scale_x, scale_y = scale_xy
        return Pixels(image_HW, labels_HW, (scale_x, scale_y))


def open_store(
    root: Path, cases: Sequence[Case], *, store: str, longest_side: int | None, num_bytes: int
) -> PixelStore:
    """The store of this name, see `STORES`; "auto" chooses.

    Args:
        root, cases, longest_side: as for `DecodingStore`.
        store: "none" decodes every time.
        num_bytes: that a store in memory may keep.
    """
    decoding = DecodingStore(root, cases, longest_side)
    if store == "auto":
        store = choose_store(root, decoding, len(cases), num_bytes)
    if store == "mapped":
        return MappedStore(decoding, root, cases, longest_side)
    return MemoryStore(decoding, len(cases), num_bytes) if store == "memory" else decoding


def choose_store(
    root: Path,
    decoding: DecodingStore,
    num_cases: int,
    num_bytes: int,
    clock_s: Callable[[], float] = time.perf_counter,
) -> str:
    """Memory, where all fits and is decoded at once; else a mapped file, where there is room for it.

    Both give a case in microseconds; what differs is the start of a training, which decoding delays each time.
    """
    tried = range(0, num_cases, max(num_cases // _TRIED_CASES, 1))
    begin_s = clock_s()
    sizes = [_size(decoding[index]) for index in tried]
    start_s = (clock_s() - begin_s) / len(sizes) * num_cases
    total_bytes = sum(sizes) / len(sizes) * num_cases
    if start_s <= _LONGEST_START_S and total_bytes <= num_bytes:
        return "memory"
    folder = root / CACHE_FOLDER
    has_room = shutil.disk_usage(root).free > total_bytes + _SPARE_BYTES
    return "mapped" if has_room and os.access(folder if folder.exists() else root, os.W_OK) else "memory"


def _shrunk(image_HW: ImageHW, labels_HW: LabelsHW | None, longest_side: int | None) -> Pixels:
    height, width = image_HW.shape
    if longest_side is None or max(height, width) <= longest_side:
        return Pixels(image_HW, labels_HW, (1.0, 1.0))
    shrink = longest_side / max(height, width)
    size = max(round(width * shrink), 1), max(round(height * shrink), 1)
    image = np.asarray(cv2.resize(image_HW, size, interpolation=cv2.INTER_AREA), np.uint8)
    labels = None if labels_HW is None else cv2.resize(labels_HW, size, interpolation=cv2.INTER_NEAREST_EXACT)
    scale_xy = size[0] / width, size[1] / height
    return Pixels(image, None if labels is None else np.asarray(labels, np.uint8), scale_xy)


def _size(pixels: Pixels) -> int:
    return pixels.image_HW.nbytes + (0 if pixels.labels_HW is None else pixels.labels_HW.nbytes)


def _fingerprint(root: Path, cases: Sequence[Case], longest_side: int | None) -> str:
    digest = hashlib.sha256(f"{_VERSION} {longest_side}".encode())
    for case in cases:
        digest.update(f"{case.sha256} {case.mask_sha256} {case.frame}".encode())
        for name in (case.image, case.mask):
            if name is not None and (root / name).exists():
                stat = (root / name).stat()
                digest.update(f"{stat.st_size} {stat.st_mtime_ns}".encode())
    return digest.hexdigest()[:16]


def _write(path: Path, family: str, decoding: DecodingStore, num_cases: int) -> None:
    """Writes pixels and index under names of this process, moves both into place, and deletes what they replace."""
    part, start, index = path.with_name(f".{path.name}.{os.getpid()}.part"), 0, []
    with output_errors(path):
        path.parent.mkdir(exist_ok=True)
        try:
            with part.open("wb") as file:
                for number in range(num_cases):
                    image_HW, labels_HW, scale_xy = decoding[number]
                    file.write(image_HW.tobytes() + (b"" if labels_HW is None else labels_HW.tobytes()))
                    index.append([start, *image_HW.shape, labels_HW is not None, *scale_xy])
                    start = file.tell()
            part.with_suffix(".json").write_text(json.dumps(index))
            part.with_suffix(".json").replace(path.with_suffix(".json"))
            part.replace(path)
        except BaseException:
            part.unlink(missing_ok=True)
            part.with_suffix(".json").unlink(missing_ok=True)
            raise
        for old in path.parent.glob(f"{family}-*"):
            if old.stem != path.stem:
                old.unlink(missing_ok=True)
