"""What the values of a mask stand for, and which structures two masks can be compared on.

A reference may know fewer classes than a model, or merge some ("vessel" is artery or vein); a foreign model may do the
same. Only what both sides can tell is judged, merged classes as their union, and pixels that may or may not belong to
a structure count for neither side.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from hipseg.anatomy import BACKGROUND, CLASS_NAMES, IGNORED, VESSELS
from hipseg.data.manifest import Case, DatasetManifest
from hipseg.evaluation.measures.measure import LabelsHW, MaskHW

VESSELS_NAME = "femoral_vessels"

Members = frozenset[int]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The structures of a mask.

    Attributes:
        meanings: mask value to the classes it may stand for; the background and unknown classes are left out.
    """

    meanings: Mapping[int, Members]

    @classmethod
    def complete(cls) -> Vocabulary:
        """Every class of the label scheme, none merged."""
        return cls({value: frozenset({value}) for value in range(BACKGROUND + 1, len(CLASS_NAMES))})

    @classmethod
    def of_case(cls, manifest: DatasetManifest, case: Case) -> Vocabulary:
        """What is annotated in a case of a data set."""
        annotated = case.annotated if case.annotated is not None else manifest.classes
        merged = case.merged if case.merged is not None else manifest.merged
        names = (name for name in annotated if name != CLASS_NAMES[BACKGROUND])
        return cls({_id(name): frozenset(map(_id, merged.get(name, (name,)))) for name in names})

    def can_tell(self, members: Members) -> bool:
        """Whether some values together stand for these classes and no others."""
        inside = [meaning for meaning in self.meanings.values() if meaning <= members]
        return bool(inside) and frozenset().union(*inside) == members

    def mask(self, labels_HW: LabelsHW, members: Members) -> MaskHW:
        """Pixels that belong to these classes."""
        return _look_up(labels_HW, (value for value, meaning in self.meanings.items() if meaning <= members))

    def doubtful(self, labels_HW: LabelsHW, members: Members) -> MaskHW:
        """Pixels of which nobody can say whether they belong to these classes; ignored ones among them."""
        unclear = (value for value, meaning in self.meanings.items() if meaning & members and not meaning <= members)
        return _look_up(labels_HW, (*unclear, IGNORED))

    @property
    def has_merged(self) -> bool:
        """Whether a value may stand for several classes."""
        return any(len(meaning) > 1 for meaning in self.meanings.values())


def comparable(reference: Vocabulary, predicted: Vocabulary) -> dict[str, Members]:
    """The structures that both sides can tell, by name; the two vessels also together."""
    candidates = [*reference.meanings.values(), *predicted.meanings.values(), frozenset(VESSELS)]
    ordered = sorted(dict.fromkeys(candidates), key=lambda members: (len(members), sorted(members)))
    return {
        name_of(members): members
        for members in ordered
        if reference.can_tell(members) and predicted.can_tell(members) and not _is_split(predicted, members)
    }


def name_of(members: Members) -> str:
    """The name of a class, of both vessels, or of merged classes joined by "+"."""
    if members == frozenset(VESSELS):
        return VESSELS_NAME
    return "+".join(CLASS_NAMES[member] for member in sorted(members))


def _is_split(predicted: Vocabulary, members: Members) -> bool:
    """Whether a model has a value that means one of these classes or another one."""
    return any(meaning & members and not meaning <= members for meaning in predicted.meanings.values())


def _look_up(labels_HW: LabelsHW, values: Iterable[int]) -> MaskHW:
    table = np.zeros(256, np.bool_)
    table[list(values)] = True
    return table[labels_HW]


def _id(name: str) -> int:
    return CLASS_NAMES.index(name)
