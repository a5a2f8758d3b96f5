"""Mends what can be mended without knowing the patient: nothing is invented, and what was there is kept aside."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from hipseg.anatomy import IGNORED, LANDMARKS, NUM_CLASSES
from hipseg.data.checks.findings import Finding
from hipseg.data.checks.run import CheckReport
from hipseg.data.reading import CASES, read_case, read_labels
from hipseg.data.records import Case
from hipseg.io.masks import encode_mask
from hipseg.io.writing import output_errors, write_atomically

BEFORE = ".before-fix"
"""Added to the names of what a fix replaced; a file of that name is never overwritten."""

Cases = dict[str, Case]


def fix_dataset(report: CheckReport) -> list[Finding]:
    """Mends the fixable findings of a check, and keeps the records and masks as they were beside the new ones.

    A data set with records that are not valid is left alone: which case is which is not sure.

    Returns:
        The findings that were mended.

    Raises:
        OutputError: a file cannot be written; the records still say what they said.
    """
    if any(finding.rule in ("record", "repeated_id") for finding in report.findings):
        return []
    cases = _read_cases(report.root)
    before = dict(cases)
    mended = [finding for finding in report.findings if _mend(report.root, cases, finding)]
    if cases != before:
        _keep_aside(report.root / CASES)
        lines = (json.dumps(case.to_dict(), ensure_ascii=False) + "\n" for case in cases.values())
        write_atomically(report.root / CASES, "".join(lines).encode())
    return mended


def _read_cases(root: Path) -> Cases:
    lines = (root / CASES).read_bytes().splitlines()
    cases = (read_case(line, f"{CASES} line {n}") for n, line in enumerate(lines, start=1) if line.strip())
    return {case.id: case for case in cases}


def _mend(root: Path, cases: Cases, finding: Finding) -> bool:
    """Mends one finding where there is a way, and says whether it did."""
    mend = _MENDS.get(finding.rule)
    if mend is None or (finding.case is not None and finding.case not in cases):
        return False
    return mend(root, cases, finding)


def _paint_ignored(root: Path, cases: Cases, finding: Finding) -> bool:
    case = cases[finding.case or ""]
    labels_HW = read_labels(root, case)
    assert labels_HW is not None
    assert case.mask is not None
    _keep_aside(root / case.mask)
    png = encode_mask(np.where(labels_HW < NUM_CLASSES, labels_HW, np.uint8(IGNORED)))
    write_atomically(root / case.mask, png)
    cases[case.id] = dataclasses.replace(case, mask_sha256=hashlib.sha256(png).hexdigest())
    return True


def _forget_scale(_root: Path, cases: Cases, finding: Finding) -> bool:
    case = cases[finding.case or ""]
    cases[case.id] = dataclasses.replace(case, spacing_mm=None)
    return True


def _forget_tip(_root: Path, cases: Cases, finding: Finding) -> bool:
    case = cases[finding.case or ""]
    _forget_landmarks(cases, case, [LANDMARKS[0]])
    return True


def _forget_outside(_root: Path, cases: Cases, finding: Finding) -> bool:
    case = cases[finding.case or ""]
    _forget_landmarks(cases, case, [name for name in LANDMARKS if finding.why.startswith(f"{name} ")])
    return True


def _forget_landmarks(cases: Cases, case: Case, names: Sequence[str]) -> None:
    kept = {name: point for name, point in (case.landmarks or {}).items() if name not in names}
    cases[case.id] = dataclasses.replace(case, landmarks=kept or None)


def _drop_duplicate(_root: Path, cases: Cases, finding: Finding) -> bool:
    """Drops the later of two cases that say the same; where their masks differ nobody knows which is right."""
    case, first = cases[finding.case or ""], cases.get(finding.other or "")
    if first is None or (case.mask_sha256, case.patient) != (first.mask_sha256, first.patient):
        return False
    del cases[case.id]
    return True


def _train_on_whole_patient(_root: Path, cases: Cases, finding: Finding) -> bool:
    """A patient of several splits goes to the training split: test results can only become more honest."""
    patient = cases[finding.case or ""].patient
    for case in list(cases.values()):
        if case.patient == patient:
            cases[case.id] = dataclasses.replace(case, split="train")
    return True


def _delete_leftover(root: Path, _cases: Cases, finding: Finding) -> bool:
    with output_errors(root / finding.where):
        (root / finding.where).unlink(missing_ok=True)
    return True


_MENDS: dict[str, Callable[[Path, Cases, Finding], bool]] = {
    "unknown_id": _paint_ignored,
    "scale_impossible": _forget_scale,
    "tip_without_needle": _forget_tip,
    "landmark_outside": _forget_outside,
    "duplicate": _drop_duplicate,
    "leak_patient": _train_on_whole_patient,
    "leftover": _delete_leftover,
}


def _keep_aside(path: Path) -> None:
    kept = path.with_name(f"{path.name}{BEFORE}")
    if kept.exists():
        return
    with output_errors(kept):
        write_atomically(kept, path.read_bytes())
