"""A first mapping for labels nobody has mapped yet: by code, by name, by likeness of names."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass

import yaml

from hipseg.anatomy import STRUCTURES, Code
from hipseg.data.importers.mapping import IGNORE, NOTHING_OF_OURS, UNKNOWN, LabelMapping, Target

_NAMES: dict[tuple[str, ...], tuple[str, ...]] = {
    ("femoral_head",): ("femoral head", "femur head", "head of femur", "caput femoris", "caput", "hip head", "fh"),
    ("femoral_neck",): ("femoral neck", "femur neck", "neck of femur", "collum femoris", "collum", "fn"),
    ("anterior_capsule",): (
        "anterior capsule", "capsule", "joint capsule", "hip capsule", "capsula articularis", "iliofemoral ligament",
        "anterior hip capsule", "capsule ligament",
    ),
    ("needle",): ("needle", "needle shaft", "cannula", "nadel", "aguja", "aiguille"),
    ("femoral_artery",): (
        "femoral artery", "artery", "arteria femoralis", "common femoral artery", "fa", "cfa", "a femoralis",
        "lateral circumflex femoral artery", "superficial femoral artery", "artery other",
    ),
    ("femoral_vein",): ("femoral vein", "vein", "vena femoralis", "common femoral vein", "fv", "cfv", "v femoralis"),
    ("femoral_nerve",): ("femoral nerve", "nerve", "nervus femoralis", "n femoralis"),
    ("acetabulum",): ("acetabulum", "acetabular rim", "acetabular roof", "pelvis rim", "acet"),
    ("labrum",): ("labrum", "acetabular labrum", "labrum acetabulare"),
    ("joint_recess",): (
        "joint recess", "recess", "anterior recess", "anterior joint recess", "effusion", "joint effusion",
        "joint fluid",
    ),
    ("femoral_artery", "femoral_vein"): ("vessel", "vessels", "femoral vessel", "femoral vessels", "blood vessel"),
    ("needle_tip",): ("needle tip", "tip"),
    ("needle_entry",): ("needle entry", "entry"),
    ("head_neck_junction",): ("head neck junction", "junction"),
    (NOTHING_OF_OURS,): ("background", "bg", "none"),
    (IGNORE,): ("ignore", "ignored", "void", "unsure", "dont care", "do not care"),
}  # fmt: skip
_GUESSES: dict[str, tuple[str, ...]] = {
    "bone": ("femoral_head", "femoral_neck"),
    "femur": ("femoral_head", "femoral_neck"),
    "proximal femur": ("femoral_head", "femoral_neck"),
    "head": ("femoral_head",),
    "neck": ("femoral_neck",),
    "ligament": ("anterior_capsule",),
    "fluid": ("joint_recess",),
}
_BY_NAME = {alias: names for names, aliases in _NAMES.items() for alias in aliases}
_BY_CODE = {structure.code.value: structure for structure in STRUCTURES if structure.code}
_BY_PRIVATE_CODE = {structure.name.upper()[:16]: structure for structure in STRUCTURES[1:]}
_LEAST_LIKENESS = 0.8


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a label probably is.

    Attributes:
        target: what becomes of it.
        reason: why, in a few words.
        is_sure: taken without being asked for; the others are for a person to decide.
    """

    target: Target
    reason: str
    is_sure: bool


def propose(labels: Mapping[str, Code | None]) -> dict[str, Proposal]:
    """A proposal for each label of an export, by the codes or the names they carry."""
    return {label: _propose(label, code) for label, code in labels.items()}


def _propose(label: str, code: Code | None) -> Proposal:
    if code is not None and (structure := _by_code(code)):
        return Proposal(Target((structure,)), f"code {code.scheme} {code.value}", True)
    name = _normal(label)
    if name in _BY_NAME:
        return Proposal(Target(_BY_NAME[name]), "by its name", True)
    if name in _GUESSES:
        return Proposal(Target(_GUESSES[name]), "a guess: check it", False)
    near = difflib.get_close_matches(name, _BY_NAME, n=1, cutoff=_LEAST_LIKENESS)
    if near:
        return Proposal(Target(_BY_NAME[near[0]]), f"sounds like '{near[0]}': check it", False)
    return Proposal(
        Target((UNKNOWN,)), "not known here: a class, 'background' (none of ours), 'ignore' or 'unknown'", False
    )


def _by_code(code: Code) -> str | None:
    if code.scheme in ("SCT", "SRT", "SNM3") and code.value in _BY_CODE:
        return _BY_CODE[code.value].name
    if code.scheme == "99HIPSEG" and code.value in _BY_PRIVATE_CODE:
        return _BY_PRIVATE_CODE[code.value].name
    return None


def _normal(label: str) -> str:
    """Small letters and single blanks: "Femoral_Head", "femoralHead" and "femoral-head 1" are one name."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", label)
    words = re.sub(r"[\W_]+", " ", spaced).casefold().split()
    sides = {"left", "right", "l", "r"}
    kept = [word for word in words if word not in sides and not (word.isdecimal() and len(words) > 1)]
    return " ".join(kept or words)


def mapping_text(proposals: Mapping[str, Proposal]) -> str:
    """A mapping file with the reason beside each label."""
    lines = [
        "# Which label of the source is which structure: a class, a list of classes it may be (merged), 'background'",
        "# (looked at, none of ours), 'ignore' (nobody can say: 255) or 'unknown' (as if it had not been drawn).",
        "version: 1",
        "labels:" if proposals else "labels: {}",
    ]
    for label, proposal in proposals.items():
        names = proposal.target.names
        value = names[0] if len(names) == 1 else f"[{', '.join(names)}]"
        lines.append(f"  {_quoted(label)}: {value}  # {proposal.reason}")
    lines += [
        "empty: unlabelled  # images without any shape; or negative (looked at, nothing there), or skip",
        "occluded: draw  # shapes marked as hidden; or ignore",
        "fraction: 0.5  # a fractional segment counts from here",
    ]
    return "\n".join(lines) + "\n"


def _quoted(label: str) -> str:
    return str(yaml.safe_dump(label, default_style='"', allow_unicode=True, width=10_000)).strip()


def mapping_from(proposals: Mapping[str, Proposal]) -> LabelMapping:
    """The mapping that the proposals make."""
    return LabelMapping({label: proposal.target for label, proposal in proposals.items()})
