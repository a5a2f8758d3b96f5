"""Recordings with their truth beside them, as `hipseg simulate format=dicom` writes them."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from hipseg.anatomy import IGNORED, LANDMARKS, NUM_CLASSES
from hipseg.data.records import Case
from hipseg.errors import SourceError
from hipseg.evaluation.inputs.item import Collection, Item, cropped
from hipseg.evaluation.measures.measure import LabelsHW
from hipseg.evaluation.measures.vocabulary import Vocabulary
from hipseg.frame import Frame
from hipseg.io.open import open_source
from hipseg.io.source import SourceOptions

TRUTH, MASKS = ".truth.jsonl", ".masks.zip"
_RECORDINGS = (".dcm", ".mp4", "")
_LARGEST_MASK_BYTES = 2**26
_FIELDS = {"frame", "time_s", "spacing_mm", "view", "patient", "landmarks_px"}


@dataclass(frozen=True)
class ClipBatch:
    """One recording with truth.

    Attributes:
        folder: that holds it.
        name: of the clip.
        source: name of the collection.
    """

    folder: Path
    name: str
    source: str
    is_clip: bool = True

    def items(self) -> Iterator[Item]:
        """See `Batch`; the pixels of each frame are those of its scan region."""
        cases = read_truth(self.folder, self.name)
        frames = _frames(_recording(self.folder, self.name))
        with _open_masks(self.folder / f"{self.name}{MASKS}") as masks:
            for case in cases:
                yield self._item(case, frames, masks)

    def _item(self, case: Case, frames: Iterator[Frame], masks: zipfile.ZipFile) -> Item:
        vocabulary = Vocabulary.complete()
        try:
            frame = _frame_of(case, frames)
            reference_HW = _read_mask(masks, case, frame.image_HW.shape)
        except SourceError as error:
            return Item(case, self.source, vocabulary, fault=error.what)
        region = frame.region
        scan_HW = np.ascontiguousarray(frame.scan_HW)
        return Item(cropped(case, region), self.source, vocabulary, scan_HW, reference_HW[region.slices])


def open_clips(folder: Path) -> Collection:
    """Every recording with truth in a folder.

    Raises:
        SourceError: there is none, or a file beside one is missing or broken.
    """
    names = sorted(path.name.removesuffix(TRUTH) for path in folder.glob(f"*{TRUTH}"))
    if not names:
        raise SourceError("holds neither a data set nor clips with truth", where=folder, expected=f"NAME{TRUTH}")
    cases = [case for name in names for case in read_truth(folder, name)]
    for name in names:
        _recording(folder, name)
    content = b"".join((folder / f"{name}{TRUTH}").read_bytes() for name in names)
    return Collection(
        folder.resolve().name,
        {"name": folder.resolve().name, "split": None, "truth_sha256": hashlib.sha256(content).hexdigest()},
        [ClipBatch(folder, name, folder.resolve().name) for name in names],
        [(case.id, case.clip or case.id, case.frame) for case in cases],
    )


def read_truth(folder: Path, name: str) -> list[Case]:
    """A clip's frames as cases of a split "test"; their pixels are those of the whole frame. Raises SourceError."""
    path = folder / f"{name}{TRUTH}"
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise SourceError(f"cannot be read ({error.strerror})", where=path) from error
    cases = [_case(line, name, f"{path} line {number}") for number, line in enumerate(lines, start=1)]
    frames = [case.frame for case in cases]
    if not frames or frames != sorted(set(frames), key=lambda frame: frame or 0):
        raise SourceError("does not list frames in ascending order", where=path, expected="a line a frame")
    return cases


def _case(line: bytes, clip: str, where: str) -> Case:
    """Checked by the reader of data sets' records: the same fields, the same faults."""
    try:
        values = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise SourceError("is not JSON", where=where) from error
    if not isinstance(values, dict):
        raise SourceError(f"a JSON {type(values).__name__}", where=where, expected="a JSON object")
    frame = values.get("frame")
    return Case.from_dict(
        {
            "id": f"{clip}-{frame:06d}" if isinstance(frame, int) and not isinstance(frame, bool) else frame,
            "image": clip,
            "patient": values.get("patient"),
            "split": "test",
            "sha256": "-",
            "frame": frame,
            "clip": clip,
            "time_s": values.get("time_s"),
            "view": values.get("view"),
            "device": values.get("device", "simulated"),
            "spacing_mm": values.get("spacing_mm"),
            "landmarks": _known_landmarks(values.get("landmarks_px")),
            "truth": {key: value for key, value in values.items() if key not in _FIELDS},
        },
        where=where,
    )


def _known_landmarks(points: Any) -> Any:
    """Those of the label scheme: a simulator may know more."""
    return {name: points[name] for name in LANDMARKS if name in points} if isinstance(points, dict) else points


def _recording(folder: Path, name: str) -> Path:
    for suffix in _RECORDINGS:
        if (path := folder / f"{name}{suffix}").exists():
            return path
    raise SourceError(f"has truth of '{name}' and no recording", where=folder, expected=f"{name}.dcm, .mp4 or a folder")


def _frames(recording: Path) -> Iterator[Frame]:
    source = open_source(str(recording), SourceOptions(force=True))
    try:
        yield from source.frames()
    finally:
        source.close()


def _frame_of(case: Case, frames: Iterator[Frame]) -> Frame:
    for frame in frames:
        if frame.index == case.frame:
            return frame
    raise SourceError(f"its recording has no frame {case.frame}")


def _open_masks(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile) as error:
        raise SourceError(
            "cannot be read as the masks of a clip", where=path, expected="a ZIP of 000012.png"
        ) from error


def _read_mask(masks: zipfile.ZipFile, case: Case, shape_HW: Sequence[int]) -> LabelsHW:
    name = f"{case.frame:06d}.png"
    try:
        if masks.getinfo(name).file_size > _LARGEST_MASK_BYTES:
            raise SourceError("its mask is too large")
        with Image.open(io.BytesIO(masks.read(name))) as image:
            if image.mode not in ("P", "L") or image.size != (shape_HW[1], shape_HW[0]):
                raise SourceError(f"its mask of {image.mode} {image.size} does not fit its frame")
            labels_HW = np.array(image, np.uint8)
    except (KeyError, OSError, SyntaxError, ValueError, zipfile.BadZipFile) as error:
        if isinstance(error, SourceError):
            raise
        raise SourceError("its mask cannot be read") from error
    if ((labels_HW >= NUM_CLASSES) & (labels_HW != IGNORED)).any():
        raise SourceError("its mask holds ids outside the label scheme")
    return labels_HW
