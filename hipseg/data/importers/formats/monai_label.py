"""MONAI Label's local data store: images, and `labels/final` with a file of the same name for each."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hipseg.anatomy import Code
from hipseg.data.importers.drawing import SourceCase, SourceExport
from hipseg.data.importers.formats.indexed_png import drawings_of
from hipseg.data.importers.formats.picture_pairs import Pair, read_pair
from hipseg.data.importers.formats.slicer import segment_codes, segment_names
from hipseg.data.importers.formats.volume_pairs import cases_of_volume
from hipseg.data.importers.json_files import read_json_object
from hipseg.data.importers.refusals import Refusals
from hipseg.data.importers.source_files import CLIP_ENDINGS, PICTURE_ENDINGS, relative_name
from hipseg.data.importers.volumes import VOLUME_ENDINGS, Volume, is_volume, read_volume
from hipseg.data.reading import read_indexed_png
from hipseg.errors import SourceError

STORE = "datastore_v2.json"
_LABELS = Path("labels") / "final"
_ENDINGS = sorted((*VOLUME_ENDINGS, *PICTURE_ENDINGS, *CLIP_ENDINGS), key=len, reverse=True)


class MonaiLabel:
    """Importer of MONAI Label's data store; only final labels count, never a model's `original` ones.

    Names of label values come from the store's `datastore_v2.json`, else from the segments of `.seg.nrrd` files, else
    values are called by their number.
    """

    name = "monai-label"

    def recognises(self, source: Path) -> bool:
        """Whether a folder holds `labels/final`."""
        return (source / _LABELS).is_dir()

    def read(self, source: Path, refusals: Refusals) -> SourceExport:
        """One case an image with a final label (or a slice of it). Broken pairs are refused."""
        names = _Names(source)
        cases: list[SourceCase] = []
        labels: dict[str, Code | None] = {}
        for label in sorted((source / _LABELS).iterdir()):
            if (stem := _stem(label)) is None:
                continue
            with refusals.noting(stem):
                found, codes = _cases(_image_named(stem, label, source), label, names.of(stem), source)
                cases += found
                labels |= codes
        return SourceExport(cases, labels)


def _stem(path: Path) -> str | None:
    ending = next((ending for ending in _ENDINGS if path.name.lower().endswith(ending)), None)
    return None if ending is None or not path.is_file() else path.name[: -len(ending)].removesuffix(".seg")


def _image_named(stem: str, label: Path, source: Path) -> Path:
    folders = [source, source / "images"]
    found = [path for folder in folders if folder.is_dir() for path in sorted(folder.iterdir()) if _stem(path) == stem]
    if len(found) != 1:
        raise SourceError(f"{len(found)} images are called '{stem}'", where=label, expected="one image of its name")
    return found[0]


def _cases(
    image: Path, label: Path, names: Mapping[int, str], source: Path
) -> tuple[list[SourceCase], Mapping[str, Code | None]]:
    name = relative_name(image, source).removesuffix(".nii")
    if not is_volume(label):
        pair = Pair(name, image, label)
        load = functools.partial(read_pair, pair, functools.partial(_picture_drawings, names=names))
        return [SourceCase(name, load)], dict.fromkeys(names.values())

    def named(volume: Volume) -> Mapping[tuple[int, int], str]:
        own = segment_names(volume)
        return {place: names.get(place[1], text) if text.isdecimal() else text for place, text in own.items()}

    cases = cases_of_volume(image, label, name, named)
    codes = segment_codes(read_volume(label))
    return cases, {text: codes.get(text) for text in named(read_volume(label)).values()}


def _picture_drawings(mask: Path, names: Mapping[int, str]) -> list[Any]:
    return drawings_of(read_indexed_png(mask), names)


class _Names:
    """What label values mean, as the store noted it with each label."""

    def __init__(self, source: Path) -> None:
        path = source / STORE
        content = read_json_object(path) if path.is_file() else {}
        objects = content.get("objects", {})
        self._objects: Mapping[str, Any] = objects if isinstance(objects, dict) else {}

    def of(self, stem: str) -> dict[int, str]:
        """Names by value for one image; empty where the store tells none."""
        info = self._objects
        for key in (stem, "labels", "final", "info"):
            info = info.get(key, {}) if isinstance(info, dict) else {}
        params = info.get("params", {}) if isinstance(info, dict) else {}
        found = params if isinstance(params, dict) and params else info
        if isinstance(names := found.get("label_names"), dict):
            return {int(value): str(name) for name, value in names.items() if str(value).isdecimal()}
        infos = found.get("label_info") or info.get("label_info") or []
        return dict(entry for number, item in enumerate(infos, start=1) if (entry := _entry(item, number)))


def _entry(item: object, number: int) -> tuple[int, str] | None:
    if not isinstance(item, dict) or not isinstance(item.get("name"), str):
        return None
    value = str(item.get("idx", item.get("id", number)))
    return (int(value), item["name"]) if value.isdecimal() else None
