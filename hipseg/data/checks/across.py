"""What only shows between cases: repeated ids, duplicates, and leakage from one split into another."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hipseg.data.checks.examine import CaseFacts
from hipseg.data.checks.findings import Finding
from hipseg.data.likeness import NEARLY_IDENTICAL, Flags, Looks, close_pairs, likeness
from hipseg.data.reading import CASES, read_image
from hipseg.data.records import SPLITS, Case
from hipseg.errors import SourceError

MOST_COMPARED = 2000
"""Pairs of frames that are opened and laid on each other, 10 ms each. Real sets have a few; an artificial one where
every image is like every other would take hours, and says the same after the first hundred."""


def across_cases(root: Path, cases: Sequence[Case], facts: Sequence[CaseFacts]) -> Iterator[Finding]:
    """Everything that two or more cases do wrong together.

    Args:
        root: the data set's folder.
        cases: all whose records are valid.
        facts: of those whose images could be read.
    """
    yield from _repeated_ids(cases)
    yield from _patients_in_several_splits(cases)
    yield from _names_of_one_patient(cases)
    yield from _equal_images(cases)
    yield from _similar_images(root, facts)
    for split in SPLITS:
        if cases and not any(case.split == split for case in cases):
            yield Finding("empty_split", CASES, f"no case in '{split}'")


def _repeated_ids(cases: Sequence[Case]) -> Iterator[Finding]:
    seen: set[str] = set()
    for case in cases:
        if case.id in seen:
            yield Finding("repeated_id", CASES, f"'{case.id}' stands more than once", case.id)
        seen.add(case.id)


def _patients_in_several_splits(cases: Sequence[Case]) -> Iterator[Finding]:
    splits: dict[str, dict[str, str]] = defaultdict(dict)
    for case in cases:
        splits[case.patient].setdefault(case.split, case.id)
    for patient, first_case in splits.items():
        if len(first_case) > 1:
            first, second, *_ = first_case.values()
            why = f"patient '{patient}' lies in " + " and in ".join(f"'{split}'" for split in first_case)
            yield Finding("leak_patient", CASES, why, first, second)


def plain_name(patient: str) -> str:
    """A patient's name without what people write differently: case, separators, leading zeros."""
    return "".join(part.lstrip("0") or "0" if part.isdigit() else part for part in _PARTS.findall(patient.lower()))


_PARTS = re.compile(r"[^\W\d_]+|\d+")


def _names_of_one_patient(cases: Sequence[Case]) -> Iterator[Finding]:
    first_of: dict[str, dict[str, Case]] = defaultdict(dict)
    for case in cases:
        first_of[plain_name(case.patient)].setdefault(case.patient, case)
    for names in first_of.values():
        first, *others = names.values()
        for other in others:
            rule = "patient_names" if first.split == other.split else "leak_names"
            why = f"'{first.patient}' ({first.split}) and '{other.patient}' ({other.split}) differ in spelling only"
            yield Finding(rule, CASES, why, first.id, other.id)


def _equal_images(cases: Sequence[Case]) -> Iterator[Finding]:
    first_of: dict[tuple[str, int | None], Case] = {}
    for case in cases:
        first = first_of.setdefault((case.sha256, case.frame), case)
        if first is case:
            continue
        rule = "duplicate" if first.split == case.split else "leak_equal"
        why = f"equal to {first.image} ({_place(first)}), checksum and all"
        yield Finding(rule, case.image, why, case.id, first.id)


def _similar_images(root: Path, facts: Sequence[CaseFacts]) -> Iterator[Finding]:
    """Near-identical frames of two splits, then of two patients in one; those of one patient in one split may be."""
    split_N, patient_N, picture_N = (
        _numbered(keys)
        for keys in (
            [fact.case.split for fact in facts],
            [fact.case.patient for fact in facts],
            [(fact.case.sha256, fact.case.frame) for fact in facts],
        )
    )

    def in_two_splits(position: int) -> Flags:
        return np.asarray((split_N != split_N[position]) & (picture_N != picture_N[position]))

    def of_two_patients(position: int) -> Flags:
        differ_N = (patient_N != patient_N[position]) & (picture_N != picture_N[position])
        return np.asarray((split_N == split_N[position]) & differ_N)

    if facts:
        looks = Looks.of(np.stack([fact.icon for fact in facts]))
        yield from _alike("leak_similar", root, facts, looks, in_two_splits)
        yield from _alike("similar_patients", root, facts, looks, of_two_patients)


def _alike(
    rule: str, root: Path, facts: Sequence[CaseFacts], looks: Looks, partners_of: Callable[[int], Flags]
) -> Iterator[Finding]:
    """Pairs that open and align to the same picture; frames that are both told of already need no further pair."""
    is_told_N = np.zeros(len(facts), bool)

    def untold_partners(position: int) -> Flags:
        return np.asarray(partners_of(position) & ~(is_told_N & is_told_N[position]))

    for tries, (first, second) in enumerate(close_pairs(looks, untold_partners)):
        one, other = facts[first].case, facts[second].case
        if tries == MOST_COMPARED:
            yield Finding("too_alike", one.image, f"{tries} pairs were compared; from here on none was", one.id)
            return
        alike = _likeness(root, one, other)
        if alike >= NEARLY_IDENTICAL:
            is_told_N[[first, second]] = True
            why = f"looks like {one.image} ({_place(one)}), correlation {alike:.2f}; this is ({_place(other)})"
            yield Finding(rule, other.image, why, other.id, one.id)


def _numbered(keys: Sequence[Hashable]) -> npt.NDArray[np.int64]:
    """Equal keys get equal numbers."""
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], np.int64)


def _likeness(root: Path, one: Case, other: Case) -> float:
    try:
        return likeness(read_image(root, one), read_image(root, other))
    except SourceError:  # it was readable a moment ago; the next check tells
        return 0.0


def _place(case: Case) -> str:
    return f"patient '{case.patient}', {case.split}"
