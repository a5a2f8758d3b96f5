"""One model on the cases of a data set: a row of figures a case."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from hipseg.anatomy import BACKGROUND, BONES, CLASS_NAMES, NEEDLE, VESSELS
from hipseg.data.manifest import Case, DatasetManifest
from hipseg.evaluation.segmentation import (
    CortexAgreement,
    LabelsHW,
    Overlap,
    cortex_agreement,
    mask_of,
    overlap,
)
from hipseg.frame import ImageHW
from hipseg.runtime.segmentation import Segmentation
from hipseg.runtime.session import Session

VESSELS_NAME = "femoral_vessels"
TIP_VISIBLE = 0.5
"""A tip counts as reported from this visibility on."""


@dataclass(frozen=True, slots=True)
class TipResult:
    """The needle tip of one case.

    Attributes:
        present: the reference shows the tip.
        reported: the model says that it sees one.
        error: distance of the two, in mm where the case has a scale, else in pixels; None unless both.
        in_mm: the unit of `error`.
    """

    present: bool
    reported: bool
    error: float | None
    in_mm: bool


@dataclass(frozen=True, slots=True)
class CaseResult:
    """Every figure of one case; what the reference does not know is left out.

    Attributes:
        case: the record it belongs to.
        overlaps: by structure, and for both vessels together.
        cortex: by bone, where the case has a scale and shows the bone.
        tip: None where the reference does not know about a needle tip.
        needle_drawn: the model drew needle pixels.
        view_score: as the model gives it, 0-1.
    """

    case: Case
    view_score: float
    needle_drawn: bool
    overlaps: dict[str, Overlap] = field(default_factory=dict)
    cortex: dict[str, CortexAgreement] = field(default_factory=dict)
    tip: TipResult | None = None


def evaluate_cases(
    session: Session, manifest: DatasetManifest, cases: Iterable[tuple[Case, ImageHW, LabelsHW | None]]
) -> Iterator[CaseResult]:
    """Runs the model over cases, each with its image and reference mask (None: only view and tip are judged)."""
    for case, image_HW, reference_HW in cases:
        segmentation = session.segment(image_HW)
        yield CaseResult(
            case=case,
            view_score=segmentation.view_score,
            needle_drawn=bool(mask_of(segmentation.labels_HW, (NEEDLE,)).any()),
            overlaps={} if reference_HW is None else _overlaps(manifest, case, reference_HW, segmentation),
            cortex={} if reference_HW is None else _cortex(manifest, case, reference_HW, segmentation),
            tip=_tip(case, segmentation),
        )


def annotated_groups(manifest: DatasetManifest, case: Case) -> dict[str, tuple[int, ...]]:
    """What can be compared: the ids behind each annotated structure, merged ones as one group."""
    annotated = case.annotated if case.annotated is not None else manifest.classes
    merged = case.merged if case.merged is not None else manifest.merged
    groups: dict[str, tuple[int, ...]] = {}
    for name in annotated:
        if name == CLASS_NAMES[BACKGROUND]:
            continue  # easy, and everywhere: it says nothing
        members = tuple(sorted(CLASS_NAMES.index(member) for member in merged.get(name, (name,))))
        groups[VESSELS_NAME if members == VESSELS else name] = members
    if all(CLASS_NAMES[vessel] in groups for vessel in VESSELS):
        groups[VESSELS_NAME] = VESSELS
    return groups


def _overlaps(
    manifest: DatasetManifest, case: Case, reference_HW: LabelsHW, segmentation: Segmentation
) -> dict[str, Overlap]:
    return {
        name: overlap(reference_HW, segmentation.labels_HW, ids)
        for name, ids in annotated_groups(manifest, case).items()
    }


def _cortex(
    manifest: DatasetManifest, case: Case, reference_HW: LabelsHW, segmentation: Segmentation
) -> dict[str, CortexAgreement]:
    if case.spacing_mm is None:
        return {}
    groups = annotated_groups(manifest, case)
    results = {}
    for name in (CLASS_NAMES[bone] for bone in BONES if CLASS_NAMES[bone] in groups):
        ids = groups[name]
        agreement = cortex_agreement(mask_of(reference_HW, ids), mask_of(segmentation.labels_HW, ids), case.spacing_mm)
        if agreement is not None:
            results[name] = agreement
    return results


def _tip(case: Case, segmentation: Segmentation) -> TipResult | None:
    if case.landmarks is None or "needle_tip" not in case.landmarks:
        return None
    reference, found = case.landmarks["needle_tip"], segmentation.landmarks["needle_tip"]
    reported = found.visibility >= TIP_VISIBLE
    error = None
    if reference is not None and reported:
        row_mm, column_mm = case.spacing_mm or (1.0, 1.0)
        offset = ((found.x_px - reference[0]) * column_mm, (found.y_px - reference[1]) * row_mm)
        error = float(np.hypot(*offset))
    return TipResult(reference is not None, reported, error, case.spacing_mm is not None)
