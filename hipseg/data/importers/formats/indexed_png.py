"""Pictures with a mask of the same name whose pixel values are the labels."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from pathlib import Path

from PIL import Image

from hipseg.anatomy import CLASS_NAMES, IGNORED, STRUCTURES
from hipseg.data.importers.drawing import Drawing, SourceCase, SourceExport, SourceFrame
from hipseg.data.importers.formats.picture_pairs import Pair, find_pairs, mask_modes, read_pair
from hipseg.data.importers.refusals import Refusals
from hipseg.data.reading import LabelsHW, ids_in, read_indexed_png
from hipseg.errors import SourceError

_NAME_FILES = ("labels.json", "dataset.json", "classes.json")
_IGNORED_NAME = "ignore"


class IndexedPng:
    """Importer of folders `images` and `masks`, or of `NAME.png` beside `NAME_mask.png`.

    Value 0 is where nothing was drawn. Other values take their names from `labels.json` or `dataset.json`
    ({"name": value} or {"value": "name"}), from hipseg's own palette, or are called by their number.
    """

    name = "indexed-png"

    def recognises(self, source: Path) -> bool:
        """Whether there are pairs of pictures and masks."""
        return bool(mask_modes(source))

    def read(self, source: Path, refusals: Refusals) -> SourceExport:
        """One case a picture; those without a mask come in unlabelled. Raises SourceError when there is no pair."""
        names = _value_names(source)
        return SourceExport(
            [SourceCase(pair.name, functools.partial(_load, pair, names)) for pair in find_pairs(source, refusals)]
        )


def _load(pair: Pair, names: Mapping[int, str]) -> SourceFrame:
    return read_pair(pair, functools.partial(_drawings, names=names))


def _drawings(mask: Path, names: Mapping[int, str]) -> list[Drawing]:
    values_HW = read_indexed_png(mask)
    return drawings_of(values_HW, names or (_own_names() if _has_own_palette(mask) else {}))


def drawings_of(values_HW: LabelsHW, names: Mapping[int, str]) -> list[Drawing]:
    """A region for each value of a label map, uint8 [H, W], except 0; values without a name are called by number."""
    return [Drawing(names.get(value, str(value)), values_HW == value) for value in ids_in(values_HW) if value != 0]


def _value_names(source: Path) -> Mapping[int, str]:
    path = next((source / name for name in _NAME_FILES if (source / name).is_file()), None)
    if path is None:
        return {}
    try:
        content = json.loads(path.read_bytes())
        labels = content["labels"] if isinstance(content.get("labels"), dict) else content
        return dict(_value_and_name(str(key), value) for key, value in labels.items())
    except (OSError, ValueError, TypeError, AttributeError) as error:
        expected = '{"labels": {"femoral_head": 1, ...}}'
        raise SourceError(f"not a list of labels ({error})", where=path, expected=expected) from error


def _value_and_name(key: str, value: object) -> tuple[int, str]:
    return (int(key), str(value)) if key.isdecimal() else (int(str(value)), key)


def _own_names() -> dict[int, str]:
    return {**dict(enumerate(CLASS_NAMES)), IGNORED: _IGNORED_NAME}


def _has_own_palette(mask: Path) -> bool:
    """Whether the mask shows the colours of hipseg's label scheme."""
    with Image.open(mask) as image:
        palette = image.getpalette() or []
    own = [level for structure in STRUCTURES for level in structure.colour]
    return palette[: len(own)] == own
