"""What reaches the operator: tip, line, clearances and joint measures after guidance, against the truth.

Errors of distances are signed, reported minus true. For a vessel or nerve the positive side is the unsafe one: the
needle is nearer than the screen says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from hipseg import anatomy
from hipseg.data.records import Case, PointXY
from hipseg.evaluation.measures.measure import LabelsHW, Measure, Points, Scale
from hipseg.evaluation.measures.needle import ENTRY, NEEDLE, TIP, reported_tip
from hipseg.evaluation.measures.vocabulary import VESSELS_NAME, Vocabulary
from hipseg.guidance.engine import Guidance
from hipseg.guidance.geometry import Line, segment_distances

JOINT = "joint"
PREFIX = "guided_"
_CLEARANCES = {
    "tip_to_artery": (anatomy.FEMORAL_ARTERY, "tip_to_artery_mm"),
    "tip_to_vein": (anatomy.FEMORAL_VEIN, "tip_to_vein_mm"),
    "tip_to_nerve": (anatomy.FEMORAL_NERVE, "tip_to_nerve_mm"),
}
"""Field of `Distances` to the class and to the name in a simulated needle's truth."""


def guided_measures(
    case: Case, guidance: Guidance, reference_HW: LabelsHW | None, vocabulary: Vocabulary
) -> Iterator[Measure]:
    """Everything that the reference knows of what guidance reports.

    Args:
        case: with landmarks and truth, in pixels of the guided image.
        guidance: of this image.
        reference_HW: its label map, None where there is none.
        vocabulary: what its values mean.
    """
    scale = Scale.of(case.spacing_mm)
    landmarks = case.landmarks or {}
    if TIP in landmarks:
        yield from reported_tip(landmarks[TIP], tip_of(guidance), scale, prefix=PREFIX)
    tip_px, entry_px = landmarks.get(TIP), landmarks.get(ENTRY)
    if not scale.in_mm:
        return
    if tip_px is not None and entry_px is not None and tip_px != entry_px:
        true_line = _line(scale.points(entry_px), scale.points(tip_px))
        yield from _line_errors(case, guidance, true_line, scale)
    if tip_px is not None:
        yield from _clearances(case, guidance, reference_HW, vocabulary, tip_px)
        yield from _path_clearance(case, guidance, reference_HW, vocabulary)
    yield from _neck_capsule_distance(case, guidance)


def tip_of(guidance: Guidance) -> PointXY | None:
    """The reported tip in pixels of the guided image, None when there is none."""
    if guidance.needle is None or guidance.needle.tip_mm is None:
        return None
    x, y = guidance.plane.to_frame_px(guidance.needle.tip_mm)
    return float(x), float(y)


def _line_errors(case: Case, guidance: Guidance, true_line: Line, scale: Scale) -> Iterator[Measure]:
    """Angle between the lines, and how far apart they pass the true target."""
    line = _reported_line(guidance)
    if line is None:
        return
    cosine = abs(float(line.direction @ true_line.direction))
    yield Measure(NEEDLE, "angle_error", float(np.degrees(np.arccos(min(cosine, 1.0)))), "deg")
    target_px = (case.truth or {}).get("target_px")
    if target_px is not None:
        target_mm = scale.points(target_px)
        same_way = 1.0 if line.direction @ true_line.direction >= 0 else -1.0
        apart_mm = same_way * float(line.across(target_mm)) - float(true_line.across(target_mm))
        yield Measure(NEEDLE, "miss_at_target", abs(apart_mm), "mm")


def _reported_line(guidance: Guidance) -> Line | None:
    """The needle's line; that of the shaft where the tip is not known."""
    needle = guidance.needle
    if needle is None or needle.line is not None:
        return None if needle is None else needle.line
    return None if needle.shaft is None else needle.shaft.line


def _line(entry_mm: Points, tip_mm: Points) -> Line:
    return Line(tip_mm, (tip_mm - entry_mm) / np.hypot(*(tip_mm - entry_mm)))


def _clearances(
    case: Case, guidance: Guidance, reference_HW: LabelsHW | None, vocabulary: Vocabulary, tip_px: PointXY
) -> Iterator[Measure]:
    """A tip inside a structure has no clearance: less than nothing counts as nothing on both sides."""
    needle_truth = (case.truth or {}).get("needle") or {}
    for field, (class_id, key) in _CLEARANCES.items():
        true_mm = _true_clearance(needle_truth, key, case, reference_HW, vocabulary, class_id, tip_px)
        if true_mm is None:
            continue
        reported_mm = getattr(guidance.distances, field)
        name = anatomy.CLASS_NAMES[class_id]
        yield Measure(name, "clearance_reported", float(reported_mm is not None))
        if reported_mm is not None:
            yield Measure(name, "clearance_error", max(reported_mm, 0.0) - max(true_mm, 0.0), "mm")


def _path_clearance(
    case: Case, guidance: Guidance, reference_HW: LabelsHW | None, vocabulary: Vocabulary
) -> Iterator[Measure]:
    """The reported path, as far as it is reported, against the vessels of the reference; inside counts as nothing."""
    members = frozenset(anatomy.VESSELS)
    if guidance.path is None or reference_HW is None or not vocabulary.can_tell(members):
        return
    rows, columns = np.nonzero(vocabulary.mask(reference_HW, members))
    if not len(rows):
        return
    scale = Scale.of(case.spacing_mm)
    first, last = (scale.points(guidance.plane.to_frame_px(end)) for end in guidance.path.axis_mm[[0, -1]])
    vessels_mm = scale.points(np.stack([columns, rows], axis=1))
    true_mm = float(segment_distances(first[None], last[None], vessels_mm)[0])
    reported_mm = guidance.distances.path_to_vessel
    yield Measure(VESSELS_NAME, "path_clearance_reported", float(reported_mm is not None))
    if reported_mm is not None:
        yield Measure(VESSELS_NAME, "path_clearance_error", max(reported_mm, 0.0) - true_mm, "mm")


def _true_clearance(
    needle_truth: Mapping[str, Any],
    key: str,
    case: Case,
    reference_HW: LabelsHW | None,
    vocabulary: Vocabulary,
    class_id: int,
    tip_px: PointXY,
) -> float | None:
    """As the simulator knows it, else from the tip to the nearest pixel of the reference mask."""
    if needle_truth.get(key) is not None:
        return float(needle_truth[key])
    members = frozenset({class_id})
    if reference_HW is None or not vocabulary.can_tell(members):
        return None
    rows, columns = np.nonzero(vocabulary.mask(reference_HW, members))
    if not len(rows):
        return None
    offsets_mm = Scale.of(case.spacing_mm).points(np.stack([columns - tip_px[0], rows - tip_px[1]], axis=1))
    return float(np.hypot(*offsets_mm.T).min())


def _neck_capsule_distance(case: Case, guidance: Guidance) -> Iterator[Measure]:
    """Both numbers and their difference; a view across the neck does not show it.

    A simulated record knows it at the widest place in the picture, where guidance measures, beside the body's own
    number; other records have one number, as their reader measured it.
    """
    truth = case.truth or {}
    true_mm = truth.get("widest_neck_capsule_mm", truth.get("neck_capsule_distance_mm"))
    reported_mm = guidance.measurements.neck_capsule_distance_mm
    if true_mm is None or case.view == "transverse":
        return
    yield Measure(JOINT, "neck_capsule_distance_reported", float(reported_mm is not None))
    if reported_mm is not None:
        yield Measure(JOINT, "neck_capsule_distance_true", float(true_mm), "mm")
        yield Measure(JOINT, "neck_capsule_distance_error", reported_mm - float(true_mm), "mm")
