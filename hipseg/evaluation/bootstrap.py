"""Intervals by resampling patients: the frames of one patient are not independent, patients are.

A resample draws as many patients as there are, with replacement, each with all of its frames. The 95 % interval is
Hesterberg's expanded percentile interval (The American Statistician 2015, section 4.4): percentiles a little further
out than 2.5 and 97.5, because a resample of n patients varies less than n new patients would. `evaluation.coverage`
checks that the intervals hold what they promise.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy import stats

LEVEL = 0.95
NUM_RESAMPLES = 2000
FEWEST_PATIENTS = 3
"""Fewer patients than this give no interval: they say nothing about the next one."""
_SEED = 20240607
_BLOCK = 4_000_000

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.intp]
Interval = tuple[float, float]
Statistic = Callable[[Floats], Floats]
"""Weights of patients [B, P] to a statistic of each resample [B]; NaN where a resample has none."""


def patient_interval(statistic: Statistic, num_patients: int, *, effective: float | None = None) -> Interval | None:
    """The 95 % interval of any statistic that weights of patients define; None for too few patients.

    Args:
        statistic: of weighted patients.
        num_patients: drawn in each resample.
        effective: number of equally large patients that would tell as much, see `effective_number`.
    """
    if num_patients < FEWEST_PATIENTS:
        return None
    weights = _weights(num_patients)
    rows = max(_BLOCK // max(num_patients, 1), 1)
    replicates = [statistic(weights[start : start + rows]) for start in range(0, len(weights), rows)]
    return interval_of(np.concatenate(replicates), num_patients if effective is None else effective)


def interval_of(replicates: Floats, num_units: float) -> Interval | None:
    """The expanded percentile interval of resampled statistics of some independent units."""
    known = replicates[np.isfinite(replicates)]
    if len(known) < len(replicates) / 2:
        return None
    low, high = np.quantile(known, expanded_levels(num_units))
    return float(low), float(high)


def expanded_levels(num_units: float) -> Interval:
    """The two quantiles to take for `LEVEL`, further out for fewer units."""
    tail = (1 - LEVEL) / 2
    units = max(num_units, 2.0)
    stretched = np.sqrt(units / (units - 1)) * stats.t.ppf(tail, units - 1)
    low = float(stats.norm.cdf(stretched))
    return low, 1 - low


def mean_interval(patient_means: Floats) -> Interval | None:
    """Of the mean over patients of one value each."""
    return patient_interval(lambda weights: weights @ patient_means / len(patient_means), len(patient_means))


def share_interval(hits: Floats, totals: Floats) -> Interval | None:
    """Of a share of frames: hits and totals by patient.

    Where every frame agrees a resample cannot say how rare the other is: then the exact binomial bound of as many
    patients as there are (Clopper and Pearson 1934) stands in.
    """
    if len(hits) >= FEWEST_PATIENTS and hits.sum() in (0, totals.sum()):
        return _unanimous(all_hit=bool(hits.sum()), num_patients=len(hits))

    def share(weights: Floats) -> Floats:
        return _divided(weights @ hits, weights @ totals)

    return patient_interval(share, len(hits), effective=effective_number(totals))


def effective_number(sizes: Floats) -> float:
    """Of how many equally large patients these unequal ones tell as much (Kish 1965): (sum n)^2 / sum n^2."""
    return float(sizes.sum() ** 2 / (sizes**2).sum())


def quantile_interval(values: Floats, patients: Ints, quantile: float) -> Interval | None:
    """Of a quantile over all frames.

    Args:
        values: by frame.
        patients: number of each frame's patient, from 0 without gaps.
        quantile: 0-1.
    """
    order = np.argsort(values, kind="stable")
    ordered, owners = values[order], patients[order]

    def of(weights: Floats) -> Floats:
        # Frames by the thousand times resamples by the thousand would not fit into memory at once.
        rows = max(_BLOCK // len(ordered), 1)
        blocks = (weights[start : start + rows] for start in range(0, len(weights), rows))
        return np.concatenate([_weighted_quantiles(ordered, block[:, owners], quantile) for block in blocks])

    sizes = np.bincount(patients).astype(np.float64)
    return patient_interval(of, len(sizes), effective=effective_number(sizes))


def area_interval(scores: Floats, positive: npt.NDArray[np.bool_], patients: Ints) -> Interval | None:
    """Of the area under the ROC curve; None where all scores are apart: no resample then differs."""
    if area_under_curve(scores, positive, np.ones((1, len(scores))))[0] in (0, 1):
        return None
    return patient_interval(
        lambda weights: area_under_curve(scores, positive, weights[:, patients]), int(patients.max()) + 1
    )


def area_under_curve(scores: Floats, positive: npt.NDArray[np.bool_], weights: Floats) -> Floats:
    """Weighted Mann-Whitney form of the area under the ROC curve, ties counting half.

    Args:
        scores, positive: by frame.
        weights: [B, frames].

    Returns:
        [B]; NaN where one side has no weight.
    """
    _, rank = np.unique(scores, return_inverse=True)
    of_rank = np.zeros((len(scores), int(rank.max()) + 1))
    of_rank[np.arange(len(scores)), rank] = 1.0
    hits, misses = (weights * positive) @ of_rank, (weights * ~positive) @ of_rank
    below = np.cumsum(misses, axis=1) - misses / 2
    return _divided((hits * below).sum(axis=1), hits.sum(axis=1) * misses.sum(axis=1))


def _unanimous(*, all_hit: bool, num_patients: int) -> Interval:
    doubt = float(1 - ((1 - LEVEL) / 2) ** (1 / num_patients))
    return (1 - doubt, 1.0) if all_hit else (0.0, doubt)


def _weighted_quantiles(ordered: Floats, weights: Floats, quantile: float) -> Floats:
    """The least value with at least this share of the weight at or below it."""
    reached = np.cumsum(weights, axis=1)
    first = (reached < quantile * reached[:, -1:]).sum(axis=1)
    return np.asarray(ordered[np.minimum(first, len(ordered) - 1)], np.float64)


def _divided(numerator: Floats, denominator: Floats) -> Floats:
    return np.divide(numerator, denominator, out=np.full_like(numerator, np.nan), where=denominator > 0)


@functools.lru_cache(maxsize=16)
def _weights(num_patients: int) -> Floats:
    """How often each resample drew each patient, [NUM_RESAMPLES, P]; the same for the same number of patients."""
    rng = np.random.default_rng((_SEED, num_patients))
    shares = np.full(num_patients, 1 / num_patients)
    return rng.multinomial(num_patients, shares, size=NUM_RESAMPLES).astype(np.float64)
