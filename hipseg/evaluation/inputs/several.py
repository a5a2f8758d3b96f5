"""Several data sets in one folder, judged together: the source is then a subgroup, and hip meets what is no hip."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from hipseg.data.reading import MANIFEST
from hipseg.errors import UsageError
from hipseg.evaluation.inputs.dataset import open_dataset
from hipseg.evaluation.inputs.item import Batch, Collection, Item


@dataclass(frozen=True)
class NamedBatch:
    """A batch whose cases, clips and patients carry the name of their data set: "femoral/sample_1".

    Attributes:
        batch: of the data set.
        source: name of the data set's folder.
    """

    batch: Batch
    source: str

    @property
    def is_clip(self) -> bool:
        """See `Batch`."""
        return self.batch.is_clip

    def items(self) -> Iterator[Item]:
        """See `Batch`."""
        for item in self.batch.items():
            case = item.case
            named = replace(
                case,
                id=f"{self.source}/{case.id}",
                clip=None if case.clip is None else f"{self.source}/{case.clip}",
                patient=f"{self.source}/{case.patient}",
            )
            yield replace(item, case=named, source=self.source)


def holds_datasets(folder: Path) -> bool:
    """Whether some of its folders are data sets."""
    return any(folder.glob(f"*/{MANIFEST}"))


def open_datasets(folder: Path, split: str) -> Collection:
    """The cases of one split of every data set in a folder; a data set without any is named in the record.

    Raises:
        UsageError: unknown split, or no data set has a case in it.
        SourceError: a data set cannot be read.
    """
    found: dict[str, Collection] = {}
    empty: list[str] = []
    for path in sorted(folder.glob(f"*/{MANIFEST}")):
        name = path.parent.name
        collection = open_dataset(path.parent, split, may_be_empty=True)
        if collection.keys:
            found[name] = collection
        else:
            empty.append(name)
    if not found:
        raise UsageError(f"no case in split '{split}' of {', '.join(empty)}", where=folder, mend="choose another split")
    return Collection(
        "+".join(found),
        {
            "name": "+".join(found),
            "split": split,
            "parts": {name: collection.record for name, collection in found.items()},
            "without_cases": empty,
        },
        [NamedBatch(batch, name) for name, collection in found.items() for batch in collection.batches],
        [
            (f"{name}/{case}", f"{name}/{clip}", frame)
            for name, collection in found.items()
            for case, clip, frame in collection.keys
        ],
    )
