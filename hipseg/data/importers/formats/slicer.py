"""3D Slicer: `NAME.seg.nrrd` (or a label map as NRRD or NIfTI) beside the image it was drawn on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from hipseg.anatomy import Code
from hipseg.data.importers.drawing import SourceCase, SourceExport
from hipseg.data.importers.formats.volume_pairs import MAX_VALUES, cases_of_volume
from hipseg.data.importers.refusals import Refusals
from hipseg.data.importers.source_files import CLIP_ENDINGS, PICTURE_ENDINGS, files_below, relative_name
from hipseg.data.importers.volumes import NRRD_ENDINGS, VOLUME_ENDINGS, Volume, is_volume, read_volume
from hipseg.errors import SourceError

_LABEL_NAME = re.compile(r"(.*?)[ ._-]*(seg|segmentation|labels?|labelmap|mask)", re.IGNORECASE)
_SEGMENT_FIELD = re.compile(r"Segment(\d+)_(Name|LabelValue|Layer|Tags)")
_TERMINOLOGY = re.compile(r"TerminologyEntry:[^~]*~[^~]*~([^~^]*)\^([^~^]*)\^([^~^|]*)")


class Slicer:
    """Importer of segmentations of 3D Slicer, by the names and codes of their segments.

    The image has the same name without the ending (`hip.nrrd` for `hip.seg.nrrd`); where a folder holds one image
    and one segmentation they belong together. Image and segmentation are brought together in space.
    """

    name = "slicer"

    def recognises(self, source: Path) -> bool:
        """Whether a file is named as a segmentation volume."""
        return any(_label_stem(path) is not None for path in _volumes(source))

    def read(self, source: Path, refusals: Refusals) -> SourceExport:
        """One case a slice. Segmentations that cannot be read or have no image are refused."""
        root = source.parent if source.is_file() else source
        labels: dict[str, Code | None] = {}
        cases: list[SourceCase] = []
        for path in _volumes(source):
            if _label_stem(path) is None:
                continue
            with refusals.noting(relative_name(path, root)):
                image = _image_of(path)
                cases += cases_of_volume(image, path, relative_name(image, root).removesuffix(".nii"), segment_names)
                labels |= segment_codes(read_volume(path))
        return SourceExport(cases, labels)


def _volumes(source: Path) -> list[Path]:
    paths: Iterable[Path] = [source] if source.is_file() else files_below(source)
    return [path for path in paths if is_volume(path)]


def _stem(path: Path) -> str:
    name = path.name
    for ending in sorted((*VOLUME_ENDINGS, *PICTURE_ENDINGS, *CLIP_ENDINGS), key=len, reverse=True):
        if name.lower().endswith(ending):
            return name[: -len(ending)]
    return name


def _label_stem(path: Path) -> str | None:
    """The image's name in a segmentation's; None for other files."""
    found = _LABEL_NAME.fullmatch(_stem(path))
    return None if found is None else found.group(1)


def _image_of(label: Path) -> Path:
    """The image a segmentation was drawn on. Raises SourceError when nothing or several files may be it."""
    candidates = [
        path
        for path in sorted(label.parent.iterdir())
        if path.is_file() and (is_volume(path) or path.suffix.lower() in (*PICTURE_ENDINGS, *CLIP_ENDINGS))
    ]
    images = [path for path in candidates if not (is_volume(path) and _label_stem(path) is not None)]
    named = [path for path in images if _stem(path) == _label_stem(label)]
    num_labels = len(candidates) - len(images)
    fitting = named or (images if num_labels == 1 else [])
    if len(fitting) != 1:
        expected = f"one image beside it that is called '{_label_stem(label)}'"
        raise SourceError(f"{len(fitting)} images may be what it was drawn on", where=label, expected=expected)
    return fitting[0]


def segment_names(volume: Volume) -> dict[tuple[int, int], str]:
    """Names of a segmentation's values, by layer and value; label maps without segments call them by number."""
    segments = _segments(volume)
    if not segments:
        values = [int(value) for value in np.unique(volume.levels_LIJK) if value != 0]
        return {(layer, value): str(value) for layer in range(len(volume.levels_LIJK)) for value in values}
    # Files of before 2020 keep each segment in a layer of its own and do not say which.
    has_old_layers = len(volume.levels_LIJK) == len(segments) and not any("Layer" in one for one in segments.values())
    names = {}
    for number, segment in segments.items():
        layer = number if has_old_layers else _integer(segment, "Layer", 0, volume)
        value = 1 if has_old_layers else _integer(segment, "LabelValue", 1, volume)
        names[layer, value] = segment.get("Name") or f"Segment{number}"
    return names


def segment_codes(volume: Volume) -> dict[str, Code | None]:
    """The coded terms of a segmentation's segments, by name."""
    segments = _segments(volume)
    if not segments:
        return dict.fromkeys(segment_names(volume).values())
    return {segment.get("Name") or f"Segment{number}": _code(segment) for number, segment in segments.items()}


def _segments(volume: Volume) -> dict[int, dict[str, str]]:
    segments: dict[int, dict[str, str]] = {}
    for field, value in volume.fields.items():
        if volume.path.suffix.lower() in NRRD_ENDINGS and (found := _SEGMENT_FIELD.fullmatch(str(field))):
            segments.setdefault(int(found.group(1)), {})[found.group(2)] = str(value).strip()
    if len(segments) > MAX_VALUES:
        raise SourceError(f"{len(segments)} segments", where=volume.path, expected=f"at most {MAX_VALUES}")
    return dict(sorted(segments.items()))


def _integer(segment: Mapping[str, str], field: str, default: int, volume: Volume) -> int:
    try:
        return int(segment.get(field, default))
    except ValueError as error:
        raise SourceError(f"field '{field}' is '{segment[field]}'", where=volume.path, expected="a number") from error


def _code(segment: Mapping[str, str]) -> Code | None:
    found = _TERMINOLOGY.search(segment.get("Tags", ""))
    return None if found is None or not found.group(2) else Code(found.group(2), found.group(1), found.group(3))
