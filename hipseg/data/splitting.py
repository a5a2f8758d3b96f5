"""Splits a data set anew, or lays out folds of it, without parting what belongs together."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hipseg.data.checks import CheckReport
from hipseg.data.checks.across import plain_name
from hipseg.data.checks.examine import CaseFacts
from hipseg.data.likeness import NEARLY_IDENTICAL, Looks, close_pairs, likeness
from hipseg.data.reading import CASES, read_case, read_image
from hipseg.data.records import SPLITS, Case
from hipseg.data.stratify import join_groups, stratify
from hipseg.errors import SourceError, UsageError
from hipseg.io.records import write_json
from hipseg.io.writing import output_errors, write_atomically

FOLDS, BEFORE = "folds.json", "cases.jsonl.before-split"
_FOLDS_VERSION = 1
_UNFIT = {"manifest", "record", "repeated_id", "unreadable"}


def split_dataset(report: CheckReport, shares: Mapping[str, float], *, by_device: bool, seed: int) -> dict[str, int]:
    """Gives every case a split: whole persons (or devices), stratified by classes, views and devices.

    Args:
        report: of a check of the data set.
        shares: of the cases, by split; they sum to 1.
        by_device: all cases of a device go into one split.
        seed: same seed, same splits.

    Returns:
        How many cases each split holds now; the records as they were are kept beside the new ones.

    Raises:
        UsageError: shares that make no sense, or fewer groups than splits.
        SourceError: the data set has faults that must be mended first.
        OutputError: the records cannot be written.
    """
    if set(shares) - set(SPLITS) or min(shares.values()) < 0 or abs(sum(shares.values()) - 1) > 1e-6:
        raise UsageError(f"shares {dict(shares)}", expected=f"shares of {', '.join(SPLITS)} from 0 that sum to 1")
    wanted = {split: share for split, share in shares.items() if share > 0}
    facts = _sound_facts(report)
    groups = groups_of(report.root, facts, by_device=by_device)
    _enough(groups, len(wanted), "splits")
    parts = stratify(groups, [_traits(fact, by_device) for fact in facts], wanted, seed=seed)
    _rewrite(report.root, {fact.case.id: part for fact, part in zip(facts, parts, strict=True)})
    return {split: parts.count(split) for split in SPLITS}


def lay_out_folds(report: CheckReport, num_folds: int, *, seed: int) -> dict[str, int]:
    """Writes `folds.json`: in which fold each patient outside the test split validates.

    Returns:
        How many cases each fold holds.

    Raises:
        UsageError, SourceError, OutputError: as for `split_dataset`.
    """
    if num_folds < 2:
        raise UsageError(f"{num_folds} folds", where="--folds", expected="2 or more")
    facts = [fact for fact in _sound_facts(report) if fact.case.split != "test"]
    groups = groups_of(report.root, facts, by_device=False)
    _enough(groups, num_folds, "folds")
    names = [str(fold) for fold in range(num_folds)]
    parts = stratify(groups, [_traits(f, False) for f in facts], dict.fromkeys(names, 1 / num_folds), seed=seed)
    patients = {fact.case.patient: int(part) for fact, part in zip(facts, parts, strict=True)}
    content = {"version": _FOLDS_VERSION, "seed": seed, "num_folds": num_folds, "fold_of_patient": patients}
    write_json(report.root / FOLDS, content)
    return {name: parts.count(name) for name in names}


def cases_of_fold(root: Path, cases: Sequence[Case], split: str, fold: int) -> list[Case]:
    """The cases of a split when this fold validates; the test split is the same in every fold.

    Raises:
        SourceError: no folds are laid out, they are of other patients, or there is no such fold.
    """
    if split == "test":
        return [case for case in cases if case.split == "test"]
    content = _read_folds(root)
    if not 0 <= fold < content["num_folds"]:
        raise SourceError(f"no fold {fold}", where=root / FOLDS, expected=f"0-{content['num_folds'] - 1}")
    fold_of, others = content["fold_of_patient"], [case for case in cases if case.split != "test"]
    strangers = sorted({case.patient for case in others} - set(fold_of))
    if strangers:
        what = f"patient '{strangers[0]}' has no fold"
        raise SourceError(what, where=root / FOLDS, mend="lay the folds out again: hipseg data split --folds")
    return [case for case in others if (fold_of[case.patient] == fold) == (split == "val")]


def _read_folds(root: Path) -> dict[str, Any]:
    path = root / FOLDS
    mend = f"hipseg data split {root} --folds 5"
    try:
        content: dict[str, Any] = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise SourceError("no folds are laid out", where=path, mend=mend) from error
    known = isinstance(content, dict) and content.get("version") == _FOLDS_VERSION
    if (
        not known
        or not isinstance(content.get("fold_of_patient"), dict)
        or not isinstance(content.get("num_folds"), int)
    ):
        raise SourceError("not folds of this version", where=path, mend=mend)
    return content


def groups_of(root: Path, facts: Sequence[CaseFacts], *, by_device: bool) -> list[int]:
    """What must not be parted: a patient under any spelling, a clip, equal and nearly identical frames; a device."""
    keys = [_keys(fact.case, by_device) for fact in facts]
    group_N = np.array(join_groups(keys))
    pairs = []
    looks = Looks.of(np.stack([fact.icon for fact in facts]))
    for first, second in close_pairs(looks, lambda position: group_N != group_N[position]):
        one, other = facts[first].case, facts[second].case
        if likeness(read_image(root, one), read_image(root, other)) >= NEARLY_IDENTICAL:
            pairs.append((first, second))
            group_N[group_N == group_N[second]] = group_N[first]
    return join_groups(keys, pairs)


def _keys(case: Case, by_device: bool) -> list[tuple[str, object]]:
    keys: list[tuple[str, object]] = [("patient", plain_name(case.patient)), ("image", (case.sha256, case.frame))]
    keys += [("clip", case.clip)] if case.clip is not None else []
    return keys + ([("device", case.device)] if by_device and case.device is not None else [])


def _traits(fact: CaseFacts, by_device: bool) -> list[str]:
    device = [] if by_device else [f"device {fact.case.device}"]
    return [*(f"class {name}" for name in fact.shapes), f"view {fact.case.view}", *device]


def _sound_facts(report: CheckReport) -> list[CaseFacts]:
    broken = [finding for finding in report.findings if finding.rule in _UNFIT]
    if broken:
        mend = f"see hipseg data check {report.root}"
        raise SourceError(f"{broken[0].where}: {broken[0].why}", where=report.root, mend=mend)
    if not report.facts:
        raise SourceError("holds no cases", where=report.root)
    return report.facts


def _enough(groups: Sequence[int], needed: int, what: str) -> None:
    if len(set(groups)) < needed:
        raise UsageError(
            f"{len(set(groups))} groups that must not be parted for {needed} {what}",
            expected="at least one group for each",
            mend="add patients, or ask for fewer",
        )


def _rewrite(root: Path, split_of: Mapping[str, str]) -> None:
    path = root / CASES
    before = path.read_bytes()
    cases = (read_case(line, str(path)) for line in before.splitlines() if line.strip())
    moved = (dataclasses.replace(case, split=split_of[case.id]).to_dict() for case in cases)
    lines = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in moved).encode()
    if lines == before:
        return
    with output_errors(path):
        write_atomically(root / BEFORE, before)
        write_atomically(path, lines)
