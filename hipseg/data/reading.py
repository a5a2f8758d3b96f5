"""Reading a data set: records checked on loading, images and masks decoded on demand."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from hipseg.data.clip_reading import read_clip_frame
from hipseg.data.records import Case, DatasetManifest
from hipseg.errors import SourceError

MANIFEST, CASES, JOURNAL = "manifest.json", "cases.jsonl", "cases.jsonl.part"

LabelsHW = npt.NDArray[np.uint8]
ImageHW = npt.NDArray[np.uint8]


def load_dataset(root: str | Path, *, verify: bool = False) -> tuple[DatasetManifest, list[Case]]:
    """Reads a data set's records and checks them; images and masks are not opened.

    Args:
        root: the folder that holds manifest.json and cases.jsonl.
        verify: also compare every file with its checksum.

    Returns:
        The manifest, and the cases in the order of cases.jsonl.

    Raises:
        SourceError: a file is missing, not JSON or changed since it was written; a field is missing, of the wrong
            kind or names an unknown split, class or landmark; an id stands twice; a patient lies in two splits.
    """
    root = Path(root)
    manifest_path, cases_path = root / MANIFEST, root / CASES
    if not cases_path.is_file() and (root / JOURNAL).is_file():
        raise SourceError("this data set was never finished", where=root, mend="run its import or simulation again")
    manifest = DatasetManifest.from_dict(_parse(_read(manifest_path), manifest_path), where=str(manifest_path))
    lines = _read(cases_path).splitlines()
    cases = [read_case(line, f"{cases_path} line {number}") for number, line in enumerate(lines, start=1)]
    _refuse_repeated_ids(cases, cases_path)
    refuse_leakage(cases, cases_path)
    if verify:
        verify_checksums(root, cases)
    return manifest, cases


def verify_checksums(root: Path, cases: Iterable[Case]) -> None:
    """Compares every image and mask with its checksum. Raises SourceError at the first that is missing or differs."""
    verified: set[tuple[str, str | None]] = set()  # the frames of a clip share its file
    for case in cases:
        for name, expected in ((case.image, case.sha256), (case.mask, case.mask_sha256)):
            if name is None or (name, expected) in verified:
                continue
            verified.add((name, expected))
            if file_sha256(root / name) != expected:
                raise SourceError(
                    f"changed since it was recorded (case '{case.id}')",
                    where=root / name,
                    expected=f"sha256 {expected}",
                    mend="restore the file, or import again",
                )


def read_image(root: Path, case: Case) -> ImageHW:
    """The grey image of a case, uint8 [H, W]: a picture, or the frame of a clip.

    Frames of a clip are fastest in ascending order: the clip stays open between calls.

    Raises:
        SourceError: it cannot be decoded, or the clip has no such frame.
    """
    if case.frame is not None:
        return read_clip_frame(root / case.image, case.frame)
    image_HW = cv2.imdecode(np.frombuffer(_read(root / case.image), np.uint8), cv2.IMREAD_GRAYSCALE)
    if image_HW is None:
        raise SourceError("not an image this installation can decode", where=root / case.image)
    return np.asarray(image_HW, np.uint8)


def read_labels(root: Path, case: Case) -> LabelsHW | None:
    """The mask of a case, uint8 [H, W] of annotation ids and 255; None for an unlabelled case.

    Raises:
        SourceError: not an 8-bit indexed or grey image, or it holds ids outside the label scheme.
    """
    return None if case.mask is None else read_indexed_png(root / case.mask)


def read_indexed_png(path: Path) -> LabelsHW:
    """An indexed or grey 8-bit image as its values, uint8 [H, W]. Raises SourceError for anything else."""
    try:
        with Image.open(io.BytesIO(_read(path))) as image:
            if image.mode not in ("P", "L"):
                raise SourceError(f"an image of mode {image.mode}", where=path, expected="an indexed 8-bit mask")
            labels_HW = np.array(image, np.uint8)
    except (OSError, SyntaxError) as error:
        raise SourceError(f"not an image ({error})", where=path) from error
    return labels_HW


def ids_in(labels_HW: LabelsHW) -> list[int]:
    """The different values of a mask, ascending."""
    counts = cv2.calcHist([np.ascontiguousarray(labels_HW)], [0], None, [256], [0, 256])  # a tenth of np.unique's time
    return [int(value) for value in np.flatnonzero(counts)]


def file_sha256(path: Path) -> str:
    """The checksum of a file, read piece by piece. Raises SourceError when it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise SourceError(f"cannot be read ({error.strerror})", where=path) from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SourceError(f"cannot be read ({error.strerror})", where=path) from error


def _parse(text: bytes, where: Path | str) -> object:
    try:
        return json.loads(text)
    except ValueError as error:
        raise SourceError(f"not JSON ({error})", where=where) from error


def read_case(line: bytes, where: str) -> Case:
    """Reads and checks one line of cases.jsonl; `where` names it. Raises SourceError."""
    return Case.from_dict(_parse(line, where), where=where)


def _refuse_repeated_ids(cases: Sequence[Case], where: Path) -> None:
    seen: set[str] = set()
    for case in cases:
        if case.id in seen:
            raise SourceError(f"case '{case.id}' stands twice", where=where, expected="every id once")
        seen.add(case.id)


def refuse_leakage(cases: Sequence[Case], where: Path) -> None:
    """Raises SourceError when a patient lies in two splits; `where` names the data set."""
    split_of: dict[str, str] = {}
    for case in cases:
        first = split_of.setdefault(case.patient, case.split)
        if first != case.split:
            raise SourceError(
                f"patient '{case.patient}' lies in '{first}' and in '{case.split}' (case '{case.id}')",
                where=where,
                expected="each patient in one split",
                mend="split by patient, or test results will be too good",
            )
