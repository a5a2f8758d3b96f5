"""A folder of predicted masks, as nnU-Net and most other tools leave one: a file a case, its values the ids."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from hipseg.data.importers.volumes import VOLUME_ENDINGS, is_volume, read_volume
from hipseg.data.reading import read_indexed_png
from hipseg.errors import SourceError
from hipseg.evaluation.measures.measure import LabelsHW
from hipseg.evaluation.predictors.mapping import LabelMapping
from hipseg.evaluation.predictors.predictor import ExcludedCaseError, PredictorInfo, Subject, segmentation_of_labels
from hipseg.runtime.segmentation import Segmentation

ENDINGS = (".png", *VOLUME_ENDINGS)
_UNKNOWN = 254
"""Marks ids that the mapping does not know while a mask is translated; no class has it."""


class MaskFolder:
    """Masks by case: `<case>.png`, or for the frames of a clip `<clip>/000012.png` or `<clip>/masks/000012.png`.

    In place of PNG (8-bit, indexed or grey) each may be a NIfTI or NRRD file of one slice: `<case>.nii.gz`.

    Args:
        folder: of the masks.
        mapping: of their ids.

    Raises:
        SourceError: there is no such folder.
    """

    def __init__(self, folder: Path, mapping: LabelMapping) -> None:
        if not folder.is_dir():
            raise SourceError("no such folder", where=folder, expected="predicted masks, <case>.png")
        self._folder = folder
        self._table = np.full(256, _UNKNOWN, np.uint8)
        self._table[[theirs for theirs in mapping.ids if theirs < 256]] = [
            ours for theirs, ours in mapping.ids.items() if theirs < 256
        ]
        name = folder.name if mapping.name == "masks" else mapping.name
        self._info = PredictorInfo(name=name, vocabulary=mapping.vocabulary)

    @property
    def info(self) -> PredictorInfo:
        """The folder's name, or that of the mapping."""
        return self._info

    def predict(self, subject: Subject) -> Segmentation:
        """Reads the mask of a case. Raises ExcludedCaseError when it is missing, broken or of another size."""
        path = next((path for path in self._candidates(subject) if path.is_file()), None)
        if path is None:
            raise ExcludedCaseError("no prediction")
        labels_HW = self._read(path)
        if labels_HW.shape != subject.image_HW.shape:
            raise ExcludedCaseError(f"prediction of {_size(labels_HW)} for an image of {_size(subject.image_HW)}")
        return segmentation_of_labels(labels_HW)

    def unused(self, subjects: Iterable[tuple[str, str, int | None]]) -> list[str]:
        """Masks that belong to none of the cases (case, clip, frame), by path within the folder."""
        wanted = {path for case, clip, frame in subjects for path in self._paths(case, clip, frame)}
        found = (path for path in self._folder.rglob("*") if path.name.endswith(ENDINGS) and path not in wanted)
        return sorted(path.relative_to(self._folder).as_posix() for path in found)

    def _candidates(self, subject: Subject) -> list[Path]:
        return self._paths(subject.case, subject.clip, subject.frame)

    def _paths(self, case: str, clip: str, frame: int | None) -> list[Path]:
        stems = [self._folder / case]
        if frame is not None:
            stems += [self._folder / clip / f"{frame:06d}", self._folder / clip / "masks" / f"{frame:06d}"]
        return [stem.with_name(f"{stem.name}{ending}") for stem in stems for ending in ENDINGS]

    def _read(self, path: Path) -> LabelsHW:
        try:
            values_HW = _volume_slice(path) if is_volume(path) else read_indexed_png(path)
        except SourceError as error:
            raise ExcludedCaseError(f"prediction: {error.what}") from error
        labels_HW = self._table[values_HW]
        if (labels_HW == _UNKNOWN).any():
            value = values_HW[labels_HW == _UNKNOWN][0]
            raise ExcludedCaseError(f"prediction holds id {value}, which the mapping does not know")
        return labels_HW


def _volume_slice(path: Path) -> LabelsHW:
    """The one slice of a volume, its columns along the first axis as NIfTI and NRRD have it."""
    levels_LIJK = read_volume(path).levels_LIJK
    if levels_LIJK.shape[0] != 1 or levels_LIJK.shape[3] != 1:
        raise SourceError(f"{levels_LIJK.shape[0] * levels_LIJK.shape[3]} slices instead of one")
    values_HW = levels_LIJK[0, :, :, 0].T
    labels_HW = values_HW.astype(np.uint8)
    if (labels_HW != values_HW).any():
        raise SourceError("values that are no ids from 0 to 255")
    return labels_HW


def _size(array_HW: LabelsHW) -> str:
    return f"{array_HW.shape[1]}x{array_HW.shape[0]}"
