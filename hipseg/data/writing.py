"""Writing a data set so that it is whole or not there, and an interrupted run can go on."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, NoReturn, TypedDict, Unpack

import cv2
import numpy as np

from hipseg.anatomy import IGNORED, NUM_CLASSES
from hipseg.data.reading import (
    CASES,
    JOURNAL,
    MANIFEST,
    ImageHW,
    LabelsHW,
    file_sha256,
    ids_in,
    read_case,
    refuse_leakage,
)
from hipseg.data.records import Case, DatasetManifest, Merged, PointXY
from hipseg.errors import OutputError, SourceError
from hipseg.io.masks import encode_mask
from hipseg.io.writing import output_errors, write_atomically

if sys.platform != "win32":
    import fcntl

IMAGES, MASKS, CLIPS = "images", "masks", "clips"
_JPEG_MARK = b"\xff\xd8\xff"


class CaseFields(TypedDict, total=False):
    """What may be known of a case beyond its image; as in `Case`."""

    device: str | None
    view: str | None
    spacing_mm: tuple[float, float] | None
    annotated: Sequence[str] | None
    merged: Merged | None
    unsure: Sequence[str] | None
    landmarks: Mapping[str, PointXY | None] | None
    hip_view: bool | None
    truth: Mapping[str, Any] | None
    clip: str | None
    time_s: float | None


@dataclass(frozen=True, slots=True)
class StoredClip:
    """A clip that lies in a data set.

    Attributes:
        id: of the clip.
        image: path relative to the data set's folder.
        sha256: of the file.
    """

    id: str
    image: str
    sha256: str


class DatasetWriter:
    """Writes a data set case by case, as a context manager.

    Files appear whole or not at all, and manifest.json and cases.jsonl only once every case is in: a data set that
    loads is complete. A run that was killed leaves a journal; the next writer of the same manifest takes it up, and
    `add` passes over the cases that are already there. A second process at the same folder is refused.

    Args:
        root: the folder of the data set; made when it is missing.
        manifest: what holds for all cases.
        overwrite: replace a data set (finished or not) that is already there.

    Raises:
        OutputError: the folder cannot be written, is being written by another process, or holds another data set.
    """

    def __init__(self, root: str | Path, manifest: DatasetManifest, *, overwrite: bool = False) -> None:
        self._root, self._manifest, self._overwrite = Path(root), manifest, overwrite
        self._cases: dict[str, Case] = {}
        self._clips: dict[str, StoredClip] = {}
        self._is_discarded = False
        self._journal: IO[bytes] | None = None

    def __enter__(self) -> DatasetWriter:
        with output_errors(self._root):
            for folder in (self._root / IMAGES, self._root / MASKS):
                folder.mkdir(parents=True, exist_ok=True)
            self._journal = (self._root / JOURNAL).open("a+b")
        try:
            self._claim(self._journal)
        except OutputError:
            self._journal.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None and not self._is_discarded:
            self._finish()
        if self._journal is not None:
            self._journal.close()

    def __contains__(self, case_id: str) -> bool:
        return case_id in self._cases

    def add(
        self,
        *,
        id: str,
        image_HW: ImageHW,
        labels_HW: LabelsHW | None,
        patient: str,
        split: str,
        original: bytes | None = None,
        **fields: Unpack[CaseFields],
    ) -> Case:
        """Writes one case; one that is already in (an interrupted run goes on) is returned as it is.

        Args:
            id: unique, and a safe file name.
            image_HW: grey, uint8 [H, W].
            labels_HW: annotation ids and 255, uint8 of the same shape, or None for an unlabelled image.
            patient, split, fields: as in `Case`.
            original: the PNG or JPEG file that `image_HW` was decoded from, to be kept byte for byte.

        Raises:
            SourceError: a field is not valid, the shapes differ, or the mask holds ids outside the label scheme.
            OutputError: the files cannot be written.
        """
        if id in self._cases:
            return self._cases[id]
        _check_arrays(image_HW, labels_HW, where=f"case '{id}'")
        encoded = original or _encode_image(image_HW)
        name = f"{IMAGES}/{id}.{'jpg' if encoded.startswith(_JPEG_MARK) else 'png'}"
        place = {"image": name, "sha256": hashlib.sha256(encoded).hexdigest()}
        return self._record(place | {"id": id, "patient": patient, "split": split}, fields, labels_HW, encoded)

    def stored_clip(self, id: str) -> StoredClip | None:
        """A clip that this run has stored already."""
        return self._clips.get(id)

    def add_clip(self, id: str, source: Path, content: bytes | None = None) -> StoredClip:
        """Copies a clip into the data set byte for byte; one that is there already is left alone.

        Args:
            id: unique among the clips, and a safe file name.
            source: the file.
            content: what to store in its place: the same clip without its personal data.

        Raises:
            SourceError: the file cannot be read.
            OutputError: the copy cannot be written.
        """
        target = self._root / CLIPS / f"{id}{source.suffix.lower()}"
        sha256 = file_sha256(source) if content is None else hashlib.sha256(content).hexdigest()
        with output_errors(target):
            target.parent.mkdir(exist_ok=True)
            if not target.is_file() or file_sha256(target) != sha256:
                _copy_atomically(source, target) if content is None else write_atomically(target, content)
        self._clips[id] = StoredClip(id, f"{CLIPS}/{target.name}", sha256)
        return self._clips[id]

    def add_frame(
        self,
        *,
        id: str,
        of: StoredClip,
        frame: int,
        shape_HW: tuple[int, int],
        labels_HW: LabelsHW | None,
        patient: str,
        split: str,
        **fields: Unpack[CaseFields],
    ) -> Case:
        """Writes one frame of a stored clip: its mask alone, for the image stays in the clip.

        Args:
            id, labels_HW, patient, split, fields: as for `add`.
            of: the clip.
            frame: index in it, from 0.
            shape_HW: of the clip's frames.

        Raises:
            SourceError, OutputError: as `add`.
        """
        if id in self._cases:
            return self._cases[id]
        _check_labels(labels_HW, shape_HW, where=f"case '{id}'")
        place = {"image": of.image, "sha256": of.sha256, "frame": frame}
        fields = {"clip": of.id, **fields}
        return self._record(place | {"id": id, "patient": patient, "split": split}, fields, labels_HW)

    def _record(
        self, known: dict[str, Any], fields: CaseFields, labels_HW: LabelsHW | None, image: bytes | None = None
    ) -> Case:
        mask_png = None if labels_HW is None else encode_mask(labels_HW)
        mask = {
            "mask": None if mask_png is None else f"{MASKS}/{known['id']}.png",
            "mask_sha256": None if mask_png is None else hashlib.sha256(mask_png).hexdigest(),
        }
        plain = json.loads(json.dumps(known | mask | fields, default=_plain))
        case = Case.from_dict(plain, where=f"case '{known['id']}'")
        self._store(case, image, mask_png)
        return case

    def discard(self) -> None:
        """Takes everything back that lies in the folder: no data set is there afterwards."""
        assert self._journal is not None, "DatasetWriter is a context manager"
        self._is_discarded = True
        with output_errors(self._root):
            self._clear(self._journal)
            (self._root / JOURNAL).unlink()
            for folder in (self._root / name for name in (IMAGES, MASKS, CLIPS)):
                if folder.is_dir():
                    folder.rmdir()
            if not any(self._root.iterdir()):
                self._root.rmdir()

    def _store(self, case: Case, image: bytes | None, mask_png: bytes | None) -> None:
        if image is not None:
            write_atomically(self._root / case.image, image)
        if case.mask is not None and mask_png is not None:
            write_atomically(self._root / case.mask, mask_png)
        self._note(case.to_dict())
        self._cases[case.id] = case

    def _claim(self, journal: IO[bytes]) -> None:
        _lock(journal, self._root)
        finished = (self._root / CASES).exists() or (self._root / MANIFEST).exists()
        started = journal.seek(0, os.SEEK_END) > 0
        if not finished and not started and any(self._files()):
            self._refuse("holds images or masks of something else", "choose another folder")
        if self._overwrite:
            self._clear(journal)
        elif finished:
            self._refuse("already holds a data set", "choose another folder or --overwrite")
        self._sweep()
        self._take_up(journal)

    def _sweep(self) -> None:
        """Removes what a killed run left half written: the lock says that nobody is at it."""
        for file in list(self._files()):
            if file.name.startswith(".") and file.suffix == ".part":
                file.unlink()

    def _files(self) -> Iterator[Path]:
        for name in (IMAGES, MASKS, CLIPS):
            if (self._root / name).is_dir():
                yield from (self._root / name).iterdir()

    def _refuse(self, what: str, mend: str) -> NoReturn:
        (self._root / JOURNAL).unlink(missing_ok=True)
        raise OutputError(what, where=self._root, mend=mend)

    def _clear(self, journal: IO[bytes]) -> None:
        for name in (MANIFEST, CASES):
            (self._root / name).unlink(missing_ok=True)
        for file in list(self._files()):
            file.unlink()
        journal.truncate(0)

    def _take_up(self, journal: IO[bytes]) -> None:
        """Reads the journal of an interrupted run, or begins one with the manifest."""
        journal.seek(0)
        lines = journal.read().splitlines(keepends=True)
        whole = [line for line in lines if line.endswith(b"\n")]
        journal.truncate(sum(map(len, whole)))
        if not whole:
            self._note(self._manifest.to_dict())
            return
        if json.loads(whole[0]) != json.loads(_line(self._manifest.to_dict())):
            raise OutputError(
                "holds an unfinished data set with another manifest",
                where=self._root,
                mend="choose another folder or --overwrite",
            )
        cases = [read_case(line, f"{self._root / JOURNAL} line {n}") for n, line in enumerate(whole[1:], start=2)]
        self._cases = {case.id: case for case in cases}

    def _note(self, record: Mapping[str, Any]) -> None:
        assert self._journal is not None, "DatasetWriter is a context manager"
        with output_errors(self._root / JOURNAL):
            self._journal.write(_line(record))
            self._journal.flush()

    def _finish(self) -> None:
        cases = sorted(self._cases.values(), key=lambda case: case.id)
        refuse_leakage(cases, self._root)
        manifest_json = json.dumps(self._manifest.to_dict(), indent=2, ensure_ascii=False) + "\n"
        write_atomically(self._root / CASES, b"".join(_line(case.to_dict()) for case in cases))
        write_atomically(self._root / MANIFEST, manifest_json.encode())
        (self._root / JOURNAL).unlink()


def _encode_image(image_HW: ImageHW) -> bytes:
    _, encoded = cv2.imencode(".png", image_HW, [cv2.IMWRITE_PNG_COMPRESSION, 3])
    return encoded.tobytes()


def _check_arrays(image_HW: ImageHW, labels_HW: LabelsHW | None, *, where: str) -> None:
    if image_HW.dtype != np.uint8 or image_HW.ndim != 2:
        raise SourceError(f"an image of {image_HW.dtype} {image_HW.shape}", where=where, expected="uint8 [H, W]")
    _check_labels(labels_HW, image_HW.shape, where=where)


def _check_labels(labels_HW: LabelsHW | None, shape_HW: tuple[int, ...], *, where: str) -> None:
    if labels_HW is None:
        return
    if labels_HW.dtype != np.uint8 or labels_HW.shape != shape_HW:
        raise SourceError(f"a mask of {labels_HW.dtype} {labels_HW.shape}", where=where, expected=f"uint8 {shape_HW}")
    strange = set(ids_in(labels_HW)) - set(range(NUM_CLASSES)) - {IGNORED}
    if strange:
        raise SourceError(f"mask ids {sorted(strange)}", where=where, expected=f"0-{NUM_CLASSES - 1} or {IGNORED}")


def _copy_atomically(source: Path, target: Path) -> None:
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        shutil.copyfile(source, part)
        part.replace(target)
    except OSError:
        part.unlink(missing_ok=True)
        raise


def _plain(value: object) -> object:
    """numpy's numbers and arrays as JSON knows them."""
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} does not fit into a data set's records")


def _line(record: Mapping[str, Any]) -> bytes:
    return (json.dumps(record, ensure_ascii=False) + "\n").encode()


def _lock(file: IO[bytes], root: Path) -> None:
    """Holds the folder for this process; the lock goes with the process, so a killed run leaves none behind."""
    if sys.platform == "win32":
        return
    busy = OutputError("is being written by another process", where=root, mend="wait for it to end")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if (root / JOURNAL).stat().st_ino != os.fstat(file.fileno()).st_ino:
            raise busy  # the other one finished between our opening and our locking
    except OSError as error:
        raise busy from error
