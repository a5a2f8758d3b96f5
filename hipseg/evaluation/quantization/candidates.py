"""A model made smaller in one way: its size, its loss, its agreement with the original, its speed here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from hipseg.evaluation.inputs.item import Collection
from hipseg.evaluation.latency.pairing import Ratio
from hipseg.evaluation.quantization.gate import Verdict
from hipseg.export.quantize import Kind
from hipseg.frame import ImageHW
from hipseg.runtime.session import Session


class Worth(Enum):
    """What a model with smaller numbers is good for on this machine."""

    FASTER = "faster"
    SMALLER = "as fast, and smaller"
    SLOWER = "slower"
    UNCLEAR = "not to be told apart while the machine is so busy"


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far a smaller model's answers lie from the original's, over some images.

    Attributes:
        labels: smallest share of equal labels of an image.
        probabilities, view_score: largest difference.
        tip_px: largest distance between the needle's tips where both see one; None where neither ever does.
        num_images: compared.
    """

    labels: float
    probabilities: float
    view_score: float
    tip_px: float | None
    num_images: int


@dataclass(frozen=True)
class Candidate:
    """One smaller model; what was not measured is None.

    Attributes:
        kind: how it was made.
        path: of its file, which is gone when the comparison is over.
        size_bytes: of it.
        fault: why it was not made, or does not run.
        verdict: of the gate.
        agreement: with the original.
        latency_ms: p50, p95, p99 and max.
        time_ratio: of its time to the original's, frame about frame.
    """

    kind: Kind
    path: Path | None = None
    size_bytes: int | None = None
    fault: str | None = None
    verdict: Verdict | None = None
    agreement: Agreement | None = None
    latency_ms: Mapping[str, Any] | None = None
    time_ratio: Ratio | None = None

    @property
    def passes(self) -> bool:
        """Whether it may stand in for the original."""
        return self.verdict is not None and self.verdict.passes

    @property
    def worth(self) -> Worth | None:
        """What it is good for here; None where it was not timed."""
        if self.time_ratio is None:
            return None
        low, high = self.time_ratio.low, self.time_ratio.high
        if high < 1:
            return Worth.FASTER
        if high <= _AS_FAST:
            return Worth.SMALLER
        return Worth.SLOWER if low > 1 else Worth.UNCLEAR

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        agreement, verdict, worth = self.agreement, self.verdict, self.worth
        return {
            "kind": self.kind.value,
            "bytes": self.size_bytes,
            "fault": self.fault,
            "passes": self.passes,
            "worth": None if worth is None else worth.value,
            "losses": [] if verdict is None else [loss.to_dict() for loss in verdict.losses],
            "unmeasured": [] if verdict is None else list(verdict.unmeasured),
            "agreement": None if agreement is None else {name: getattr(agreement, name) for name in _AGREEMENT},
            "latency_ms": self.latency_ms,
            "time_ratio": None if self.time_ratio is None else self.time_ratio.to_list(),
        }

    def __str__(self) -> str:
        if self.verdict is None:
            return f"{self.kind.value}: {self.fault}"
        if not self.verdict.passes:
            reasons = "; ".join(map(str, self.verdict.exceeded)) or "the data tells nothing of any class"
            return f"{self.kind.value}: refused, {reasons}"
        speed = "" if self.time_ratio is None else f", {self.time_ratio.inverted()} times as fast"
        return f"{self.kind.value}: passes{speed}, {(self.size_bytes or 0) / _MEGA:.1f} MB"


_AS_FAST = 1.05
"""A time that surely grows by no more than this counts as the same."""
_AGREEMENT = ("labels", "probabilities", "view_score", "tip_px", "num_images")
_MEGA = 1e6


def choose(candidates: Sequence[Candidate], *, even_if_slower: bool = False) -> Candidate | None:
    """The one to keep: the fastest of those that are faster, else the smallest of those that are not slower.

    Args:
        candidates: all.
        even_if_slower: for another machine than this one; the fastest of those that pass the gate.
    """
    passing = [each for each in candidates if each.passes and each.time_ratio is not None]
    faster = [each for each in passing if each.worth is Worth.FASTER or even_if_slower]
    smaller = [each for each in passing if each.worth is Worth.SMALLER]
    return min(faster, key=_time, default=None) or min(smaller, key=_size, default=None)


def agreement_of(original: Session, smaller: Session, images: Sequence[ImageHW]) -> Agreement:
    """Compares the answers of two sessions image by image. Raises ModelError where one is broken."""
    rows = [_compare(original, smaller, image_HW) for image_HW in images]
    labels, probabilities, view_scores, tips_px = zip(*rows, strict=True)
    seen = [tip_px for tip_px in tips_px if tip_px is not None]
    return Agreement(min(labels), max(probabilities), max(view_scores), max(seen, default=None), len(rows))


def images_of(collection: Collection, number: int) -> list[ImageHW]:
    """So many images that can be read, spread over the collection's batches."""
    batches = collection.batches
    a_batch = max(1, number // max(len(batches), 1))
    found = [
        item.image_HW for batch in batches for item in islice(batch.items(), a_batch + 1) if item.image_HW is not None
    ]
    chosen = np.linspace(0, len(found) - 1, min(number, len(found))).round().astype(int)
    return [found[position] for position in chosen]


def _compare(one: Session, other: Session, image_HW: ImageHW) -> tuple[float, float, float, float | None]:
    ours, theirs = one.segment(image_HW), other.segment(image_HW)
    tips = [each.landmarks["needle_tip"] for each in (ours, theirs)]
    both = all(tip.visibility >= _VISIBLE for tip in tips)
    return (
        float((ours.labels_HW == theirs.labels_HW).mean()),
        float(np.abs(ours.probabilities_CHW - theirs.probabilities_CHW).max()),
        abs(ours.view_score - theirs.view_score),
        float(np.hypot(tips[0].x_px - tips[1].x_px, tips[0].y_px - tips[1].y_px)) if both else None,
    )


_VISIBLE = 0.5


def _time(candidate: Candidate) -> float:
    assert candidate.time_ratio is not None
    return candidate.time_ratio.value


def _size(candidate: Candidate) -> int:
    return candidate.size_bytes or 0
