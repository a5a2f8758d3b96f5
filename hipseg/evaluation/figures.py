"""Figures of a test set, each with its interval and with the numbers of cases and patients behind it.

Nothing is averaged over an empty set: the value is None and the numbers are 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from hipseg.evaluation import bootstrap
from hipseg.evaluation.aggregation import patient_means
from hipseg.evaluation.bootstrap import Interval

_DECIMALS = 4

Figure = dict[str, Any]


def mean_figure(values: pd.DataFrame) -> Figure:
    """Mean over patients of the means of their clips, and the median over all frames.

    Args:
        values: rows of `Results.values`, of one unit.
    """
    means = patient_means(values).to_numpy(np.float64)
    frames = values["value"].to_numpy(np.float64)
    return {
        "mean": rounded(means.mean()) if len(means) else None,
        "interval": _interval(bootstrap.mean_interval(means)),
        "median_frame": rounded(np.median(frames)) if len(frames) else None,
        **numbers(values),
    }


def quantile_figure(values: pd.DataFrame, quantile: float) -> Figure:
    """A quantile over all frames, patients resampled for its interval."""
    frames, patients = values["value"].to_numpy(np.float64), _codes(values)
    if not len(frames):
        return {"value": None, "interval": None, **numbers(values)}
    interval = bootstrap.quantile_interval(frames, patients, quantile)
    return {"value": rounded(np.quantile(frames, quantile)), "interval": _interval(interval), **numbers(values)}


def share_figure(values: pd.DataFrame) -> Figure:
    """Share of frames whose value is not 0, and the mean over patients of each one's share."""
    hits = values["value"].to_numpy(np.float64) != 0
    if not len(hits):
        return {"share": None, "interval": None, "patient_mean": None, "num": 0, "num_patients": 0}
    patients = _codes(values)
    hits_P, totals_P = (np.bincount(patients, weights).astype(np.float64) for weights in (hits, np.ones(len(hits))))
    return {
        "share": rounded(hits.mean()),
        "interval": _interval(bootstrap.share_interval(hits_P, totals_P)),
        "patient_mean": rounded(np.mean(patient_means(values.assign(value=hits.astype(np.float64))))),
        "num": len(hits),
        "num_patients": len(hits_P),
    }


def area_figure(positive: pd.DataFrame, negative: pd.DataFrame) -> Figure:
    """Area under the ROC curve of scores of cases that should be high and of cases that should be low."""
    both = pd.concat([positive, negative], ignore_index=True)
    is_positive = np.arange(len(both)) < len(positive)
    counts = {"num_positive": len(positive), "num_negative": len(negative), "num_patients": both["patient"].nunique()}
    if positive.empty or negative.empty:
        return {"value": None, "interval": None, **counts}
    scores = both["value"].to_numpy(np.float64)
    area = bootstrap.area_under_curve(scores, is_positive, np.ones((1, len(scores))))[0]
    interval = bootstrap.area_interval(scores, is_positive, _codes(both))
    return {"value": rounded(area), "interval": _interval(interval), **counts}


@dataclass(frozen=True, slots=True)
class Agreement:
    """Bland-Altman: bias and standard deviation of differences with several of them a patient."""

    bias: float
    deviation: float | None

    @property
    def limits(self) -> Interval | None:
        """Between which 95 % of single differences lie; None where no deviation is known."""
        if self.deviation is None:
            return None
        return self.bias - 1.96 * self.deviation, self.bias + 1.96 * self.deviation


def agreement(differences: npt.NDArray[np.float64], patients: npt.NDArray[np.intp]) -> Agreement:
    """Bias and deviation (Bland and Altman 2007, section 3: the true value varies), one-way analysis of variance.

    Args:
        differences: reported minus true, not empty.
        patients: number of each one's patient.
    """
    counts = np.bincount(patients).astype(np.float64)
    num, groups = len(differences), len(counts)
    if groups < 2:
        return Agreement(float(differences.mean()), None)
    means = np.bincount(patients, differences) / counts
    between = float((counts * (means - differences.mean()) ** 2).sum() / (groups - 1))
    if num == groups:
        return Agreement(float(differences.mean()), float(np.sqrt(between)))
    within = float(((differences - means[patients]) ** 2).sum() / (num - groups))
    size = (num - (counts**2).sum() / num) / (groups - 1)
    return Agreement(float(differences.mean()), float(np.sqrt(within + max((between - within) / size, 0.0))))


def bland_altman_figure(differences: pd.DataFrame) -> Figure:
    """Bias with its interval, limits of agreement, and how many differences they come from."""
    if differences.empty:
        return {"bias": None, "interval": None, "limits": None, **numbers(differences)}
    found = agreement(differences["value"].to_numpy(np.float64), _codes(differences))
    interval = bootstrap.mean_interval(patient_means(differences).to_numpy(np.float64))
    return {
        "bias": rounded(found.bias),
        "interval": _interval(interval),
        "limits": _interval(found.limits),
        **numbers(differences),
    }


def calibration_figure(bins: pd.DataFrame, num_bins: int) -> Figure:
    """Expected calibration error, Brier score and reliability curve.

    Args:
        bins: rows of `Results.calibration` of one structure, with their `patient`.
        num_bins: of equal width.
    """
    sums = _patient_sums(bins, num_bins)
    total = sums.sum(axis=0)
    return {
        "ece": rounded(_ece(total[None])[0]),
        "ece_interval": _interval(bootstrap.patient_interval(lambda w: _ece(_weighted(w, sums)), len(sums))),
        "brier": rounded(_brier(total[None])[0]),
        "brier_interval": _interval(bootstrap.patient_interval(lambda w: _brier(_weighted(w, sums)), len(sums))),
        "reliability": [
            {"confidence": rounded(row[1] / row[0]), "frequency": rounded(row[2] / row[0]), "num_cells": int(row[0])}
            for row in total
            if row[0]
        ],
        "num_frames": int(bins["case"].nunique()),
        "num_patients": len(sums),
    }


_SUMS = ["count", "confidence_sum", "positive_sum", "squared_error_sum"]


def _patient_sums(bins: pd.DataFrame, num_bins: int) -> npt.NDArray[np.float64]:
    """[patients, bins, 4] in the order of `_SUMS`."""
    patients = _codes(bins)
    sums = np.zeros((int(patients.max()) + 1, num_bins, len(_SUMS)))
    np.add.at(sums, (patients, bins["bin"].to_numpy()), bins[_SUMS].to_numpy(np.float64))
    return sums


def _weighted(weights: npt.NDArray[np.float64], sums: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray(np.tensordot(weights, sums, axes=1))


def _ece(sums: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Of sums [B, bins, 4]: the mean gap between confidence and frequency, weighted by the cells in each bin."""
    gaps = np.abs(sums[..., 1] - sums[..., 2]).sum(axis=1)
    return np.asarray(gaps / sums[..., 0].sum(axis=1))


def _brier(sums: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray(sums[..., 3].sum(axis=1) / sums[..., 0].sum(axis=1))


def numbers(values: pd.DataFrame) -> dict[str, int]:
    """How many frames, clips and patients stand behind a figure."""
    clips = values[["patient", "clip"]].drop_duplicates()
    return {"num_frames": len(values), "num_clips": len(clips), "num_patients": int(values["patient"].nunique())}


def rounded(value: Any) -> float:
    """To the digits that are written down."""
    return round(float(value), _DECIMALS) + 0.0


def _interval(interval: Interval | None) -> list[float] | None:
    return None if interval is None else [rounded(bound) for bound in interval]


def _codes(values: pd.DataFrame) -> npt.NDArray[np.intp]:
    """Numbers of the patients, from 0, in the order of their names."""
    codes, _ = pd.factorize(values["patient"], sort=True)
    return np.asarray(codes, np.intp)
