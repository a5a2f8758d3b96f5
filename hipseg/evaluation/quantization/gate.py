"""The gate: class by class on the same cases, what a model with smaller numbers loses against its original."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from hipseg import anatomy
from hipseg.evaluation.measures.needle import NEEDLE
from hipseg.evaluation.results import Results

MOST_DICE_LOST = 0.01
MOST_TIP_LOST_MM = 0.2
MOST_TIPS_MISSED = 0.01
"""Share of the needle tips that are reported no more: a tip that is not told has no error to measure."""

TIP_ERROR, TIP_REPORTED = "tip_error", "tip_reported"
_MM, _SHARE = "mm", "1"


@dataclass(frozen=True, slots=True)
class Loss:
    """What is lost in one figure.

    Attributes:
        figure: a class's name for its Dice, or "tip_error", "tip_reported".
        unit: "1" or "mm".
        original, smaller: mean over patients of each.
        lost: how much worse the smaller one is; negative where it is better.
        limit: most that may be lost.
        num_cases, num_patients: that both were measured on.
    """

    figure: str
    unit: str
    original: float
    smaller: float
    lost: float
    limit: float
    num_cases: int
    num_patients: int

    @property
    def is_kept(self) -> bool:
        """Whether no more is lost than may be; false for NaN."""
        return self.lost <= self.limit

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "is_kept": self.is_kept}

    def __str__(self) -> str:
        unit = "" if self.unit == _SHARE else f" {self.unit}"
        return f"{self.figure} loses {self.lost:.4f}{unit} (at most {self.limit:g}{unit})"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gate says of one model.

    Attributes:
        losses: of everything that the data can tell.
        unmeasured: figures that it cannot: classes that nobody annotated or that no image shows.
    """

    losses: tuple[Loss, ...]
    unmeasured: tuple[str, ...]

    @property
    def exceeded(self) -> tuple[Loss, ...]:
        """Those beyond their limits."""
        return tuple(loss for loss in self.losses if not loss.is_kept)

    @property
    def passes(self) -> bool:
        """Something was measured, and nothing is beyond its limit."""
        return bool(self.losses) and not self.exceeded


def judge(original: Results, smaller: Results) -> Verdict:
    """Compares two evaluations of the same cases."""
    names = anatomy.CLASS_NAMES[1:]
    found = {name: _loss(original, smaller, name, "dice", _SHARE, MOST_DICE_LOST) for name in names}
    found[TIP_ERROR] = _loss(original, smaller, NEEDLE, TIP_ERROR, _MM, MOST_TIP_LOST_MM)
    found[TIP_REPORTED] = _tips_missed(original, smaller)
    losses = tuple(loss for loss in found.values() if loss is not None)
    return Verdict(losses, tuple(name for name, loss in found.items() if loss is None))


def _loss(
    original: Results, smaller: Results, structure: str, metric: str, unit: str, limit: float
) -> Loss | None:  # fmt: skip
    """Of one figure on the cases that both have it for; errors grow where Dice falls."""
    pairs = _paired(original.values(structure, metric, unit), smaller.values(structure, metric, unit))
    figure, is_error = (metric, True) if unit == _MM else (structure, False)
    return _loss_of(pairs, figure, unit, limit, is_error=is_error)


def _tips_missed(original: Results, smaller: Results) -> Loss | None:
    """On the images that show a tip."""
    present = original.values(NEEDLE, "tip_present")
    shown = set(present.loc[present["value"] == 1, "case"])
    reported = (results.values(NEEDLE, TIP_REPORTED) for results in (original, smaller))
    pairs = _paired(*(each[each["case"].isin(shown)] for each in reported))
    return _loss_of(pairs, TIP_REPORTED, _SHARE, MOST_TIPS_MISSED, is_error=False)


def _paired(original: pd.DataFrame, smaller: pd.DataFrame) -> pd.DataFrame:
    return original[["case", "patient", "value"]].merge(
        smaller[["case", "value"]], on="case", suffixes=("", "_smaller")
    )


def _loss_of(pairs: pd.DataFrame, figure: str, unit: str, limit: float, *, is_error: bool) -> Loss | None:
    if pairs.empty:
        return None
    means = pairs.groupby("patient")[["value", "value_smaller"]].mean()
    before, after = float(means["value"].mean()), float(means["value_smaller"].mean())
    lost = after - before if is_error else before - after
    return Loss(figure, unit, before, after, lost, limit, len(pairs), len(means))
