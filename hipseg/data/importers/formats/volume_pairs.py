"""Images and label volumes that lie on one grid: what 3D Slicer and MONAI Label have in common."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hipseg.data.clip_reading import read_clip_frame
from hipseg.data.importers.case import ClipFrame
from hipseg.data.importers.clip_files import read_clip_facts
from hipseg.data.importers.drawing import Drawing, SourceCase, SourceFrame
from hipseg.data.importers.source_files import CLIP_ENDINGS, read_picture
from hipseg.data.importers.volumes import Volume, grey_slice, is_volume, read_volume, slices_on_grid
from hipseg.errors import SourceError

Values = npt.NDArray[Any]

Namer = Callable[[Volume], Mapping[tuple[int, int], str]]
"""Names of a label volume's values, by layer and value."""

MAX_VALUES = 255


def cases_of_volume(image: Path, label: Path, name: str, names: Namer) -> list[SourceCase]:
    """One case a slice of an image or frame of a clip and its label volume.

    Args:
        image: a volume, a picture or a clip.
        label: a volume on the same grid.
        name: of the image in the export.
        names: tells what the values mean.

    Raises:
        SourceError: a file cannot be read, the grids differ, or a value has no meaning.
    """
    values_LKJI = _aligned(image, label)
    named = names(read_volume(label))
    _refuse_nameless(values_LKJI, named, label)
    num_slices = values_LKJI.shape[1]
    facts = read_clip_facts(image) if image.suffix.lower() in CLIP_ENDINGS else None
    return [
        SourceCase(
            name if num_slices == 1 else f"{name}_{index:06d}",
            functools.partial(_load, image, label, name, index, named),
            person=None if facts is None else facts.person,
            clip=None if num_slices == 1 and facts is None else name,
            private=() if facts is None else facts.names,
        )
        for index in range(num_slices)
    ]


@functools.lru_cache(maxsize=2)
def _aligned(image: Path, label: Path) -> Values:
    """Label values by layer, slice, row and column of the image."""
    labels = read_volume(label)
    if is_volume(image):
        grid = read_volume(image)
        return np.stack([slices_on_grid(levels_IJK, labels, grid) for levels_IJK in labels.levels_LIJK])
    expected = _shape_KJI(image)
    found = labels.levels_LIJK.transpose(0, 3, 2, 1)
    if found.shape[1:] != expected:
        what = f"{found.shape[1]} slices of {found.shape[3]} x {found.shape[2]} pixels"
        raise SourceError(what, where=label, expected=f"{expected[0]} of {expected[2]} x {expected[1]} as {image.name}")
    return found


def _shape_KJI(image: Path) -> tuple[int, int, int]:
    if image.suffix.lower() in CLIP_ENDINGS:
        facts = read_clip_facts(image)
        return facts.num_frames or 1, facts.height, facts.width
    height, width = read_picture(image)[0].shape
    return 1, height, width


def _refuse_nameless(values_LKJI: Values, named: Mapping[tuple[int, int], str], label: Path) -> None:
    for layer, values_KJI in enumerate(values_LKJI):
        if values_KJI.dtype.kind == "f" and (values_KJI != np.rint(values_KJI)).any():
            raise SourceError("values that are no whole numbers", where=label, expected="label ids")
        present = np.unique(values_KJI)
        if len(present) > MAX_VALUES + 1:
            raise SourceError(
                f"{len(present)} different values", where=label, expected=f"at most {MAX_VALUES} segments"
            )
        nameless = [int(value) for value in present if value != 0 and (layer, int(value)) not in named]
        if nameless:
            expected = f"values {sorted(value for at, value in named if at == layer)}"
            mend = "a segment is missing in its header, or its byte order is wrong"
            raise SourceError(f"values {nameless[:5]} mean nothing", where=label, expected=expected, mend=mend)


def _load(image: Path, label: Path, name: str, index: int, named: Mapping[tuple[int, int], str]) -> SourceFrame:
    values_LHW = _aligned(image, label)[:, index]
    drawings = [
        Drawing(text, values_LHW[layer] == value)
        for (layer, value), text in named.items()
        if (values_LHW[layer] == value).any()
    ]
    if is_volume(image):
        volume = read_volume(image)
        clip = name if volume.levels_LIJK.shape[3] > 1 else None
        return SourceFrame(grey_slice(volume, index), drawings, clip=clip, spacing_mm=volume.spacing_mm)
    if image.suffix.lower() not in CLIP_ENDINGS:
        image_HW, original = read_picture(image)
        return SourceFrame(image_HW, drawings, original=original)
    facts = read_clip_facts(image)
    return SourceFrame(
        read_clip_frame(image, index),
        drawings,
        of_clip=ClipFrame(name, image, index),
        clip=name,
        time_s=facts.time_s(index),
        spacing_mm=facts.spacing_mm,
        device=facts.device,
    )
