"""One image with its reference, and batches of them that one process works through in order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from hipseg.data.records import Case
from hipseg.evaluation.measures.measure import LabelsHW
from hipseg.evaluation.measures.vocabulary import Vocabulary
from hipseg.evaluation.predictors.predictor import Subject
from hipseg.frame import ImageHW, ScanRegion

EFFUSION_FROM_MM = 7.0
"""Neck-capsule distance from which a hip counts as effused where the record does not say (clinical convention)."""
NOMINAL_FRAME_S = 1 / 25
"""Between the frames of a clip whose times nobody knows: guidance and memory need a clock."""
_HABITUS = (("lean", 1 / 3), ("average", 2 / 3), ("large", float("inf")))


@dataclass(frozen=True, slots=True)
class Item:
    """A case, decoded.

    Attributes:
        case: its record; landmarks and target in pixels of `image_HW`.
        source: the data set's name.
        vocabulary: what the values of its mask mean.
        image_HW: the scan region; None where it cannot be read.
        reference_HW: the mask of the same size; None where there is none or it cannot be read.
        fault: why the case cannot be judged, None for a sound one.
    """

    case: Case
    source: str
    vocabulary: Vocabulary
    image_HW: ImageHW | None = None
    reference_HW: LabelsHW | None = None
    fault: str | None = None

    @property
    def clip(self) -> str:
        """The clip, or the case itself for a single image."""
        return self.case.clip or self.case.id

    def time_s(self, position: int) -> float:
        """Its time in its clip, of which it is the case at this position; counted where nobody knows it."""
        if self.case.time_s is not None:
            return self.case.time_s
        return NOMINAL_FRAME_S * (position if self.case.frame is None else self.case.frame)

    def subject(self, position: int = 0) -> Subject:
        """What a predictor is shown of a sound case."""
        assert self.image_HW is not None
        return Subject(self.case.id, self.clip, self.case.frame, self.image_HW, self.time_s(position))

    def row(self, status: str) -> dict[str, Any]:
        """The case's row of `Results.cases`."""
        case, truth = self.case, self.case.truth or {}
        spacing = case.spacing_mm or (None, None)
        known_depth = case.spacing_mm is not None and self.image_HW is not None
        return {
            "case": case.id,
            "clip": self.clip,
            "frame": case.frame,
            "patient": case.patient,
            "split": case.split,
            "source": self.source,
            "view": case.view,
            "hip_view": case.hip_view,
            "device": case.device,
            "probe": _text(truth.get("probe")),
            "habitus": habitus_of(truth.get("habitus")),
            "effusion": effusion_of(truth),
            "spacing_row_mm": spacing[0],
            "spacing_column_mm": spacing[1],
            "depth_mm": self.image_HW.shape[0] * spacing[0] if known_depth and self.image_HW is not None else None,
            "time_s": case.time_s,
            "status": status,
        }


class Batch(Protocol):
    """Cases that one process judges in order.

    Attributes:
        is_clip: they are the frames of one clip, in the order of time.
    """

    @property
    def is_clip(self) -> bool: ...

    def items(self) -> Iterator[Item]:
        """The cases, decoded one at a time; one that cannot be read comes with its fault."""
        ...


@dataclass(frozen=True)
class Collection:
    """Everything that is to be judged.

    Attributes:
        name: of the data.
        record: for `results.json`: name, split, checksums.
        batches: picklable and small; images are read by the process that judges them.
        keys: case, clip and frame of every case, in order.
    """

    name: str
    record: dict[str, Any]
    batches: Sequence[Batch]
    keys: Sequence[tuple[str, str, int | None]]


def habitus_of(value: object) -> str | None:
    """A name, or the third that a simulated body's number from 0 (lean) to 1 (large) falls into."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return _text(value)
    return next(name for name, below in _HABITUS if value < below)


def effusion_of(truth: dict[str, Any]) -> bool | None:
    """As the record says, else by the neck-capsule distance, else unknown."""
    if isinstance(truth.get("effusion"), bool):
        return bool(truth["effusion"])
    distance_mm = truth.get("neck_capsule_distance_mm")
    known = isinstance(distance_mm, (int, float)) and not isinstance(distance_mm, bool)
    return distance_mm >= EFFUSION_FROM_MM if known and distance_mm is not None else None


def cropped(case: Case, region: ScanRegion) -> Case:
    """The case with all its pixels counted from the corner of a scan region."""
    truth = dict(case.truth or {})
    if truth.get("target_px") is not None:
        x, y = truth["target_px"]
        truth["target_px"] = (x - region.x, y - region.y)
    landmarks = {
        name: None if point is None else (point[0] - region.x, point[1] - region.y)
        for name, point in (case.landmarks or {}).items()
    }
    return replace(case, truth=truth or None, landmarks=landmarks if case.landmarks is not None else None)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
