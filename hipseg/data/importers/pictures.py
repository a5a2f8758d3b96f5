"""Folders of pictures: with an indexed mask each, or all without a certain class."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from hipseg.anatomy import BACKGROUND, CLASS_NAMES, IGNORED, structure_named
from hipseg.data.importers.case import Annotated, ImportedCase, files_of, read_grey
from hipseg.data.importers.margins import without_margins
from hipseg.data.reading import LabelsHW, ids_in, read_indexed_png
from hipseg.data.splits import assign_groups, consecutive_runs, join_look_alikes, thumbnail
from hipseg.errors import SourceError, UsageError, nearest_name


class IndexedPngFolder:
    """Importer of `images/*.png` with `masks/*.png` of the same names, numbered along the recordings.

    Persons are not named, so a run of consecutive numbers counts as one, and runs that share nearly identical images
    are joined (see `data.splits`).

    Args:
        classes: class name by mask value; a value that is not listed is refused.
        shares, seed: of the splits, by whole groups.
        hip_view: what is known of the view.
    """

    def __init__(
        self, classes: Mapping[int, str], shares: Mapping[str, float], seed: int = 0, hip_view: bool | None = None
    ) -> None:
        self._shares, self._seed, self._hip_view = dict(shares), seed, hip_view
        self._ids = np.full(256, IGNORED, np.uint8)
        self._known = sorted(classes)
        for value, name in classes.items():
            if name not in CLASS_NAMES:
                raise UsageError(
                    f"mask value {value} means unknown class '{name}'", mend=nearest_name(name, CLASS_NAMES)
                )
            self._ids[value] = structure_named(name).id

    def cases(self, source: Path) -> list[ImportedCase]:
        """One case an image. Raises SourceError when there is none, a name has no number, or an image is broken."""
        paths = files_of(source / "images", "*.png")
        numbers = [_number_in(path) for path in paths]
        thumbnails = [thumbnail(image[without_margins(image)]) for image in map(read_grey, paths)]
        groups = join_look_alikes(consecutive_runs(numbers), thumbnails)
        splits = assign_groups(groups, self._shares, seed=self._seed)
        return [
            ImportedCase(path.stem, f"group_{group:03d}", split, functools.partial(self._load, path, source))
            for path, group, split in zip(paths, groups, splits, strict=True)
        ]

    def _load(self, path: Path, source: Path) -> Annotated:
        image_HW, mask_path = read_grey(path), source / "masks" / path.name
        labels_HW = self._relabel(read_indexed_png(mask_path), mask_path)
        if labels_HW.shape != image_HW.shape:
            raise SourceError(
                f"a mask of {labels_HW.shape}", where=mask_path, expected=f"{image_HW.shape} as the image"
            )
        box = without_margins(image_HW)
        return Annotated(image_HW=image_HW[box], labels_HW=labels_HW[box], hip_view=self._hip_view)

    def _relabel(self, values_HW: LabelsHW, where: Path) -> LabelsHW:
        strange = set(ids_in(values_HW)) - set(self._known)
        if strange:
            raise SourceError(f"mask values {sorted(strange)}", where=where, expected=f"values {self._known}")
        return self._ids[values_HW]


class NegativeFolder:
    """Importer of pictures in which every annotated class of the recipe is surely absent.

    Args:
        person: regular expression that finds the person in a file's name (its first group).
        shares, seed: of the splits, by whole persons.
        boxes: where the ultrasound lies, [x, y, width, height] by picture size "WIDTHxHEIGHT"; other sizes lose their
            black margins only.
    """

    def __init__(
        self,
        person: str,
        shares: Mapping[str, float],
        seed: int = 0,
        boxes: Mapping[str, Sequence[int]] | None = None,
    ) -> None:
        self._person, self._shares, self._seed = re.compile(person), dict(shares), seed
        self._boxes = dict(boxes or {})

    def cases(self, source: Path) -> list[ImportedCase]:
        """One case an image. Raises SourceError when there is none or a name shows no person."""
        paths = files_of(source, "*.png")
        persons = [self._person_in(path) for path in paths]
        known = sorted(set(persons))
        splits = assign_groups([known.index(person) for person in persons], self._shares, seed=self._seed)
        return [
            ImportedCase(path.stem, person, split, functools.partial(self._load, path))
            for path, person, split in zip(paths, persons, splits, strict=True)
        ]

    def _person_in(self, path: Path) -> str:
        found = self._person.search(path.stem)
        if found is None:
            raise SourceError("no person in the file's name", where=path, expected=f"a match of {self._person.pattern}")
        return found.group(1)

    def _load(self, path: Path) -> Annotated:
        image_HW = read_grey(path)
        height, width = image_HW.shape
        box = self._boxes.get(f"{width}x{height}")
        if box is not None:
            x, y, box_width, box_height = box
            image_HW = image_HW[y : y + box_height, x : x + box_width]
        image_HW = image_HW[without_margins(image_HW)]
        return Annotated(
            image_HW=image_HW,
            labels_HW=np.full(image_HW.shape, BACKGROUND, np.uint8),
            landmarks={"needle_tip": None, "needle_entry": None, "head_neck_junction": None},
            hip_view=False,
        )


def _number_in(path: Path) -> int:
    digits = re.findall(r"\d+", path.stem)
    if not digits:
        raise SourceError("no number in the file's name", where=path, expected="a name such as 0012.png")
    return int(digits[-1])
