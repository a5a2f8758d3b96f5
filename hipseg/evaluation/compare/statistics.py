"""Whether two models differ: by how much, with which doubt, in how many cases.

The unit is the patient, since the frames of one patient are not independent: values are averaged over the frames of a
clip and over the clips of a patient, and everything but the count of cases works on the patients' differences.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from hipseg.evaluation.aggregation import patient_means
from hipseg.evaluation.bootstrap import Interval, mean_interval
from hipseg.evaluation.compare.pairing import Pairs
from hipseg.evaluation.compare.scores import DIRECTIONS
from hipseg.evaluation.figures import rounded

Floats = npt.NDArray[np.float64]

_SAME = 1e-9
"""Values that differ by no more than this are a tie."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One metric of one structure in two models.

    Attributes:
        baseline, candidate: names of the models.
        structure, metric, unit: what is compared.
        baseline_mean, candidate_mean: over patients.
        difference: candidate minus baseline, mean over patients, in the unit.
        interval: its 95 % interval, patients resampled in pairs; None for too few patients.
        p_value: Wilcoxon's signed-rank test over patients, two-sided; None where no patient differs.
        p_holm: the same after Holm's correction over all structures and candidates of this metric.
        effect: matched-pairs rank-biserial correlation, -1 to 1, above 0 where the candidate is better; None where no
            patient differs.
        wins, losses, ties: cases in which the candidate is better, worse, as good.
        num_cases, num_patients: behind all of it.
    """

    baseline: str
    candidate: str
    structure: str
    metric: str
    unit: str
    baseline_mean: float
    candidate_mean: float
    difference: float
    interval: Interval | None
    p_value: float | None
    p_holm: float | None
    effect: float | None
    wins: int
    losses: int
    ties: int
    num_cases: int
    num_patients: int

    def to_dict(self) -> dict[str, Any]:
        """For JSON, rounded as all figures are; p-values to three significant digits."""
        values = asdict(self)
        for name in ("baseline_mean", "candidate_mean", "difference", "effect"):
            values[name] = None if values[name] is None else rounded(values[name])
        for name in ("p_value", "p_holm"):
            values[name] = None if values[name] is None else float(f"{values[name]:.3g}")
        values["interval"] = None if self.interval is None else [rounded(bound) for bound in self.interval]
        return values


def differences(all_pairs: Sequence[Pairs]) -> list[Difference]:
    """Every metric of every structure of every pair of models, corrected for their number metric by metric."""
    found = [
        _difference(pairs, str(structure), str(metric), str(unit), rows)
        for pairs in all_pairs
        for (structure, metric, unit), rows in pairs.values.groupby(["structure", "metric", "unit"], sort=True)
    ]
    return _corrected(found)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjustment (Scandinavian Journal of Statistics 1979), in the order given."""
    order = np.argsort(p_values, kind="stable")
    factors = len(p_values) - np.arange(len(p_values))
    steps = np.maximum.accumulate(np.asarray(p_values, np.float64)[order] * factors)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(steps, 1.0)
    return [float(value) for value in adjusted]


def rank_biserial(gains: Floats) -> float | None:
    """Share of the rank sum that favours the candidate minus the share that does not (Kerby 2014); zeros left out."""
    counted = gains[np.abs(gains) > _SAME]
    if not len(counted):
        return None
    ranks = stats.rankdata(np.abs(counted))
    return float((ranks * np.sign(counted)).sum() / ranks.sum())


def signed_rank_p(gains: Floats) -> float | None:
    """Two-sided p of Wilcoxon's signed-rank test, exact for few patients; None where none differs."""
    counted = gains[np.abs(gains) > _SAME]
    return float(stats.wilcoxon(counted).pvalue) if len(counted) else None


def _difference(pairs: Pairs, structure: str, metric: str, unit: str, rows: pd.DataFrame) -> Difference:
    direction = DIRECTIONS[metric]
    baseline, candidate = (patient_means(rows.assign(value=rows[side])) for side in ("baseline", "candidate"))
    shifts = (candidate - baseline).to_numpy(np.float64)
    gains = direction * (rows["candidate"] - rows["baseline"]).to_numpy(np.float64)
    wins, losses = int((gains > _SAME).sum()), int((gains < -_SAME).sum())
    return Difference(
        baseline=pairs.baseline,
        candidate=pairs.candidate,
        structure=structure,
        metric=metric,
        unit=unit,
        baseline_mean=float(baseline.mean()),
        candidate_mean=float(candidate.mean()),
        difference=float(shifts.mean()),
        interval=mean_interval(shifts),
        p_value=signed_rank_p(shifts),
        p_holm=None,
        effect=rank_biserial(direction * shifts),
        wins=wins,
        losses=losses,
        ties=len(rows) - wins - losses,
        num_cases=len(rows),
        num_patients=len(shifts),
    )


def _corrected(found: Sequence[Difference]) -> list[Difference]:
    adjusted: dict[int, float] = {}
    for metric in {difference.metric for difference in found}:
        family = [(k, each.p_value) for k, each in enumerate(found) if each.metric == metric]
        tested = [(k, p_value) for k, p_value in family if p_value is not None]
        corrected = holm([p_value for _, p_value in tested])
        adjusted.update(zip((k for k, _ in tested), corrected, strict=True))
    return [replace(difference, p_holm=adjusted.get(k)) for k, difference in enumerate(found)]
