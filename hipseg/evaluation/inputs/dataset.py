"""The cases of one split of a data set on disk."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hipseg.data.manifest import Case, DatasetManifest, load_dataset, read_image, read_labels
from hipseg.data.reading import CASES
from hipseg.data.records import SPLITS
from hipseg.errors import SourceError, UsageError, nearest_name
from hipseg.evaluation.inputs.item import Collection, Item
from hipseg.evaluation.measures.measure import LabelsHW
from hipseg.evaluation.measures.vocabulary import Vocabulary
from hipseg.frame import ImageHW

_IMAGES_A_BATCH = 16


@dataclass(frozen=True)
class DatasetBatch:
    """Some images, or one whole clip.

    Attributes:
        root, manifest: of the data set.
        cases: in order.
        is_clip: see `Batch`.
    """

    root: Path
    manifest: DatasetManifest
    cases: Sequence[Case]
    is_clip: bool

    def items(self) -> Iterator[Item]:
        """See `Batch`."""
        for case in self.cases:
            yield self._item(case)

    def _item(self, case: Case) -> Item:
        vocabulary = Vocabulary.of_case(self.manifest, case)
        try:
            image_HW, reference_HW = _read(self.root, case)
        except SourceError as error:
            return Item(case, self.manifest.name, vocabulary, fault=error.what)
        return Item(case, self.manifest.name, vocabulary, image_HW, reference_HW)


def open_dataset(root: Path, split: str, *, may_be_empty: bool = False) -> Collection:
    """The cases of a split, clips in order of time.

    Args:
        root: of the data set.
        split: "train", "val" or "test".
        may_be_empty: a split without cases is no fault.

    Raises:
        UsageError: unknown split, or no case in it.
        SourceError: the data set cannot be read.
    """
    if split not in SPLITS:
        raise UsageError(f"no split '{split}'", where="--split", mend=nearest_name(split, SPLITS))
    manifest, cases = load_dataset(root)
    chosen = [case for case in cases if case.split == split]
    if not chosen and not may_be_empty:
        held = ", ".join(f"{name}: {sum(case.split == name for case in cases)}" for name in SPLITS)
        raise UsageError(f"no case in split '{split}'", where=root, expected=f"a split with cases ({held})")
    batches = [DatasetBatch(root, manifest, group, is_clip) for group, is_clip in _groups(chosen)]
    return Collection(
        manifest.name,
        {"name": manifest.name, "split": split, "cases_sha256": hashlib.sha256(_content(root)).hexdigest()},
        batches,
        [(case.id, case.clip or case.id, case.frame) for batch in batches for case in batch.cases],
    )


def _content(root: Path) -> bytes:
    return (root / CASES).read_bytes()


def _groups(cases: Sequence[Case]) -> Iterator[tuple[Sequence[Case], bool]]:
    """Single images by the handful in the order of the data set, then clip by clip."""
    singles = [case for case in cases if case.clip is None]
    yield from ((chunk, False) for chunk in _chunks(singles))
    clips: dict[str, list[Case]] = {}
    for case in cases:
        if case.clip is not None:
            clips.setdefault(case.clip, []).append(case)
    for frames in clips.values():
        yield sorted(frames, key=_moment), True


def _chunks(cases: Sequence[Case]) -> Iterator[Sequence[Case]]:
    for start in itertools.count(0, _IMAGES_A_BATCH):
        if start >= len(cases):
            return
        yield cases[start : start + _IMAGES_A_BATCH]


def _moment(case: Case) -> tuple[float, int, str]:
    return (case.time_s or 0.0, case.frame or 0, case.id)


def _read(root: Path, case: Case) -> tuple[ImageHW, LabelsHW | None]:
    image_HW, reference_HW = read_image(root, case), read_labels(root, case)
    if reference_HW is not None and reference_HW.shape != image_HW.shape:
        raise SourceError(f"its mask of {reference_HW.shape} does not fit its image of {image_HW.shape}")
    return image_HW, reference_HW
