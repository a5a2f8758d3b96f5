"""The cases of an export, once it is decided what their labels mean and who they are."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from hipseg.data.importers.case import Annotated, ImportedCase
from hipseg.data.importers.drawing import SourceCase, SourceExport, SourceFrame
from hipseg.data.importers.mapping import LabelMapping
from hipseg.data.importers.painting import annotated_classes, paint
from hipseg.data.importers.persons import ids_of, patients_of
from hipseg.data.splits import assign_groups


@dataclass(frozen=True, slots=True)
class SplitPlan:
    """How an export's cases are split.

    Attributes:
        shares: part of the cases by split.
        seed: of the drawing.
        patient_pattern: finds the person in a case's name (first group).
        salt: of the pseudonyms.
    """

    shares: Mapping[str, float]
    seed: int
    patient_pattern: str | None
    salt: bytes


def planned_cases(export: SourceExport, mapping: LabelMapping, plan: SplitPlan) -> list[ImportedCase]:
    """The cases of an export with their ids, patients and splits decided; nothing is decoded yet.

    Raises:
        SourceError: the pattern finds nobody in a name.
        UsageError: the shares do not sum to 1.
    """
    cases = export.cases
    patients = patients_of(cases, plan.patient_pattern, plan.salt)
    ids = ids_of(cases, plan.patient_pattern, plan.salt)
    clips = _clip_ids(cases, plan)
    numbers = {patient: number for number, patient in enumerate(dict.fromkeys(patients))}
    splits = assign_groups([numbers[patient] for patient in patients], plan.shares, seed=plan.seed)
    return [
        ImportedCase(id, patient, split, functools.partial(_load, case, mapping, clips))
        for case, id, patient, split in zip(cases, ids, patients, splits, strict=True)
    ]


def _clip_ids(cases: Sequence[SourceCase], plan: SplitPlan) -> dict[str, str]:
    """A unique id for each clip, in which nobody is named."""
    named = {case.clip: replace(case, name=case.clip) for case in cases if case.clip is not None}
    return dict(zip(named, ids_of(list(named.values()), plan.patient_pattern, plan.salt), strict=True))


def _load(case: SourceCase, mapping: LabelMapping, clips: Mapping[str, str]) -> Annotated | None:
    frame = case.load()
    if frame.of_clip is not None:
        frame = replace(frame, of_clip=replace(frame.of_clip, clip=clips[frame.of_clip.clip]))
    if frame.clip is not None:
        frame = replace(frame, clip=clips[frame.clip])
    if frame.drawings or frame.is_reviewed or mapping.empty == "negative":
        return _annotated(frame, mapping, where=case.name)
    return None if mapping.empty == "skip" else _unlabelled(frame)


def _unlabelled(frame: SourceFrame) -> Annotated:
    return Annotated(
        image_HW=frame.image_HW,
        labels_HW=None,
        original=frame.original,
        of_clip=frame.of_clip,
        clip=frame.clip,
        time_s=frame.time_s,
        spacing_mm=frame.spacing_mm,
        view=frame.view,
        device=frame.device,
    )


def _annotated(frame: SourceFrame, mapping: LabelMapping, where: str) -> Annotated:
    painted = paint(frame, mapping, where=where)
    return replace(
        _unlabelled(frame),
        labels_HW=painted.labels_HW,
        annotated=annotated_classes(frame, mapping),
        landmarks=painted.landmarks or None,
        num_overlapping=painted.num_overlapping,
    )
