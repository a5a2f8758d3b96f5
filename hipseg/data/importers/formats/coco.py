"""COCO instances: one JSON of images, categories and annotations with polygons or run lengths."""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from hipseg.anatomy import Code
from hipseg.data.importers.drawing import Drawing, SourceCase, SourceExport, SourceFrame
from hipseg.data.importers.json_files import list_in, read_json_object
from hipseg.data.importers.rasterise import MaskHW
from hipseg.data.importers.refusals import Refusals
from hipseg.data.importers.run_lengths import polygons_mask, run_length_mask
from hipseg.data.importers.source_files import PICTURE_ENDINGS, FileIndex, files_below, read_picture
from hipseg.errors import SourceError

_HEAD_BYTES = 1 << 16
_PERSON_FIELDS = ("patient", "patient_id", "subject", "subject_id")


class Coco:
    """Importer of one or more COCO files beside their pictures, or of one such file."""

    name = "coco"

    def recognises(self, source: Path) -> bool:
        """Whether a JSON file speaks of images, annotations and categories."""
        return any(_looks_like_coco(path) for path in _json_files(source))

    def read(self, source: Path, refusals: Refusals) -> SourceExport:
        """One case an image. A file that is broken as a whole is refused, the others come."""
        root = source.parent if source.is_file() else source
        files, cases, labels = FileIndex(root, PICTURE_ENDINGS), list[SourceCase](), dict[str, Code | None]()
        for path in filter(_looks_like_coco, _json_files(source)):
            with refusals.noting(path.stem):
                found = _CocoFile(path, files)
                cases += found.cases(refusals)
                labels |= dict.fromkeys(found.categories.values())
        return SourceExport(cases, labels)


def _json_files(source: Path) -> list[Path]:
    return [source] if source.is_file() else [path for path in files_below(source) if path.suffix.lower() == ".json"]


def _looks_like_coco(path: Path) -> bool:
    if path.suffix.lower() != ".json":
        return False
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
        file.seek(max(0, path.stat().st_size - _HEAD_BYTES))
        text = head + file.read()
    return sum(f'"{key}"'.encode() in text for key in ("images", "annotations", "categories")) >= 2


class _Image(NamedTuple):
    values: Mapping[str, Any]
    where: str


class _CocoFile:
    """One COCO file, its annotations sorted by image."""

    def __init__(self, path: Path, files: FileIndex) -> None:
        self._path, self._files = path, files
        content, where = read_json_object(path), str(path)
        self._images = list_in(content, "images", where)
        self.categories = {
            category["id"]: str(category["name"])
            for category in list_in(content, "categories", where)
            if isinstance(category, dict) and "id" in category and "name" in category
        }
        self._annotations: dict[Any, list[Mapping[str, Any]]] = defaultdict(list)
        self._strays = 0
        for annotation in list_in(content, "annotations", where):
            image_id = annotation.get("image_id") if isinstance(annotation, dict) else None
            self._annotations[image_id if isinstance(image_id, (int, str)) else None].append(annotation)

    def cases(self, refusals: Refusals) -> list[SourceCase]:
        """One case an image; annotations of images that are not listed are refused."""
        cases, known = [], set()
        for number, values in enumerate(self._images):
            where = f"{self._path}, images[{number}]"
            with refusals.noting(where):
                cases.append(self._case(values, where))
                known.add(values["id"])
        for image_id in self._annotations.keys() - known:
            count = len(self._annotations[image_id])
            what = f"{count} annotations have the image_id {image_id!r}, which no image has"
            refusals.add(f"image_id {image_id}", SourceError(what, where=self._path, expected="the id of an image"))
        return cases

    def _case(self, values: object, where: str) -> SourceCase:
        if not isinstance(values, dict) or not isinstance(values.get("id"), (int, str)):
            raise SourceError("field 'id' is missing", where=where, expected="an image with an id")
        name = values.get("file_name")
        if not isinstance(name, str):
            raise SourceError(f"field 'file_name' is {name!r}", where=where, expected="the name of a picture")
        person = next((str(values[field]) for field in _PERSON_FIELDS if values.get(field)), None)
        load = functools.partial(self._load, _Image(values, where))
        return SourceCase(str(Path(name.replace("\\", "/")).with_suffix("")), load, person=person)

    def _load(self, image: _Image) -> SourceFrame:
        where = image.where
        path = self._files.find(image.values["file_name"], self._path.parent, where=where, field="file_name")
        image_HW, original = read_picture(path)
        height, width = image_HW.shape
        for field, actual in (("width", width), ("height", height)):
            if image.values.get(field, actual) != actual:
                raise SourceError(
                    f"field '{field}' is {image.values[field]}", where=where, expected=f"{actual} as in {path.name}"
                )
        drawings = [self._drawing(values, height, width) for values in self._annotations.get(image.values["id"], ())]
        return SourceFrame(image_HW, drawings, original=original)

    def _drawing(self, values: Mapping[str, Any], height: int, width: int) -> Drawing:
        where = f"{self._path}, annotation {values.get('id', '?')}"
        category = values.get("category_id")
        if not isinstance(category, (int, str)) or category not in self.categories:
            what = (
                f"field 'category_id' is {category!r}" if "category_id" in values else "field 'category_id' is missing"
            )
            raise SourceError(what, where=where, expected=f"one of {sorted(map(str, self.categories))}")
        return Drawing(self.categories[category], _mask(values.get("segmentation"), height, width, where))


def _mask(segmentation: Any, height: int, width: int, where: str) -> MaskHW:
    if isinstance(segmentation, dict):
        return run_length_mask(segmentation, height, width, where=where, field="segmentation")
    if isinstance(segmentation, Sequence) and not isinstance(segmentation, str):
        return np.asarray(polygons_mask(segmentation, height, width, where=where, field="segmentation"))
    expected = "polygons or run lengths"
    raise SourceError(f"field 'segmentation' is {str(segmentation)[:40]}", where=where, expected=expected)
