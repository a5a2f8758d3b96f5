"""What a check can find, in one table: how bad it is, and how it is mended."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from enum import Enum
from typing import Any, NamedTuple


class Level(Enum):
    """How bad a finding is: an error makes figures wrong or training stop, a warning wants a look."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Rule(NamedTuple):
    """One thing that is looked for.

    Attributes:
        level: of its findings.
        title: what it is, for tables and headings.
        mend: what the user can do.
        fix: what `--fix` does, "" where only a person can decide.
    """

    level: Level
    title: str
    mend: str
    fix: str = ""


_E, _W, _N = Level.ERROR, Level.WARNING, Level.NOTE

RULES: dict[str, Rule] = {
    "manifest": Rule(_E, "manifest not valid", "correct manifest.json or import again"),
    "record": Rule(_E, "record not valid", "correct the line or import again"),
    "repeated_id": Rule(_E, "id stands twice", "give every case an id of its own"),
    "unreadable": Rule(_E, "file missing or unreadable", "restore the file or import again"),
    "checksum": Rule(_E, "file changed since it was recorded", "restore the file or import again"),
    "size_differs": Rule(_E, "mask of another size than its image", "draw the mask on this image or import again"),
    "unknown_id": Rule(
        _E, "mask ids outside the label scheme", "map them to classes on import", "painted 255 (ignored)"
    ),
    "unannotated_class": Rule(
        _E, "mask shows a class that counts as not annotated", "add it to 'annotated', or say what it is merged with"
    ),
    "empty_mask": Rule(_W, "empty mask", "make sure that nothing is to be seen, and say hip_view: false; else drop it"),
    "ignored_mask": Rule(_W, "nothing but ignored pixels", "leave the mask out: the image is unlabelled"),
    "flat_image": Rule(_W, "image without contrast", "look at it; drop it if it shows nothing"),
    "scale_missing": Rule(_W, "scale unknown", "give spacing_mm on import; nothing of it is measured in mm"),
    "scale_impossible": Rule(_E, "impossible scale", "give spacing_mm in millimetres a pixel", "set to unknown"),
    "size_impossible": Rule(_E, "structure of impossible size", "check the scale, and the class of the shape"),
    "out_of_place": Rule(_E, "class outside its plausible place", "check the class and the orientation of the image"),
    "behind_bone": Rule(_E, "soft tissue drawn behind bone", "nothing is seen in the shadow of bone: redraw it"),
    "below_shadow": Rule(
        _W, "bone drawn below its own echo", "draw the band from the bright cortex down, not in its shadow"
    ),
    "needle_without_tip": Rule(
        _W, "needle without a tip", "mark needle_tip, or leave it out of the landmarks where nobody can tell"
    ),
    "tip_without_needle": Rule(
        _E, "tip away from the needle", "mark the tip at the end of the drawn shaft", "set to unknown"
    ),
    "landmark_outside": Rule(_E, "landmark outside the image", "check x, y and their order", "set to unknown"),
    "duplicate": Rule(_W, "the same image twice", "keep one of them", "later case dropped where masks agree"),
    "similar_patients": Rule(_W, "nearly identical frames under two patients", "give both the same patient"),
    "patient_names": Rule(_W, "one patient under two names", "give both the same patient"),
    "leak_patient": Rule(
        _E, "patient in several splits", "split by patient: hipseg data split", "all moved to the training split"
    ),
    "leak_equal": Rule(_E, "the same image in several splits", "keep one of them, or split again: hipseg data split"),
    "leak_similar": Rule(
        _E, "nearly identical frames in several splits", "give both the same patient and split: hipseg data split"
    ),
    "too_alike": Rule(
        _W, "too many frames alike to compare all", "mend the nearly identical ones above, then check again"
    ),
    "leak_names": Rule(
        _E, "one patient under two names in several splits", "give both the same patient and split: hipseg data split"
    ),
    "empty_split": Rule(_N, "split without cases", "hipseg data split"),
    "leftover": Rule(_N, "half-written file of an interrupted run", "delete it", "deleted"),
    "unlisted": Rule(_N, "file that no case names", "delete it, or import it"),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault.

    Attributes:
        rule: key of `RULES`.
        where: file, relative to the data set's folder, and what part of it.
        why: what was found, in words with numbers.
        case: id of the case, None where it concerns no single one.
        other: id of the other case of a pair.
    """

    rule: str
    where: str
    why: str
    case: str | None = None
    other: str | None = None

    @property
    def level(self) -> Level:
        """How bad it is."""
        return RULES[self.rule].level

    @property
    def mend(self) -> str:
        """What the user can do."""
        return RULES[self.rule].mend

    @property
    def is_fixable(self) -> bool:
        """Whether `--fix` mends it."""
        return bool(RULES[self.rule].fix)

    def to_dict(self) -> dict[str, Any]:
        """As JSON shows it."""
        words = {"level": self.level.value, "mend": self.mend, "fixable": self.is_fixable}
        return dataclasses.asdict(self) | words
