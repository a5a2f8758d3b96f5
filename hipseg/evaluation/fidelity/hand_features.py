"""The second classifier of the two-sample test: boosted trees on figures a reader would name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from sklearn.ensemble import HistGradientBoostingClassifier

_SCALES_PX = (1.0, 2.0, 4.0, 8.0)
_LAGS_PX = (1, 2, 3, 5, 8, 12)
Vector = npt.NDArray[np.float64]
FEATURE_GROUPS = {
    "grey levels": slice(0, 7),
    "brightness by depth": slice(7, 11),
    "energy by scale": slice(11, 23),
    "correlation along the beam": slice(23, 29),
    "correlation across beams": slice(29, 35),
    "direction of edges": slice(35, 41),
    "strength of edges": slice(41, 43),
}
"""Columns of `feature_table`."""


def fit_hand_features(table_NF: Vector, is_real_N: npt.NDArray[np.int64], seed: int) -> Callable[[Vector], Vector]:
    """Boosted trees on `feature_table`, with as much weight on real as on simulated images."""
    counts = np.bincount(is_real_N, minlength=2)
    model = HistGradientBoostingClassifier(max_iter=60, learning_rate=0.12, max_leaf_nodes=15, random_state=seed)
    model.fit(table_NF, is_real_N, sample_weight=(len(is_real_N) / 2 / counts)[is_real_N])
    return lambda rows_NF: np.asarray(model.decision_function(rows_NF), np.float64)


def feature_table(images_NHW: npt.NDArray[np.uint8]) -> Vector:
    """Features of every image, [N, F]."""
    return np.stack([features(image.astype(np.float32)) for image in images_NHW])


def features(image: npt.NDArray[np.float32]) -> Vector:
    """Grey quantiles, energy by scale and direction, autocorrelation along and across, brightness by depth."""
    quantiles = np.percentile(image, (1, 10, 25, 50, 75, 90, 99))
    rows = np.array([part.mean() for part in np.array_split(image, 4)])
    return np.concatenate([quantiles, rows, _energies(image), _correlations(image), _gradients(image)])


def _energies(image: npt.NDArray[np.float32]) -> Vector:
    """Deviation, skewness and peakedness of what lies between neighbouring scales."""
    found: list[float] = []
    finer: npt.NDArray[Any] = image
    for scale in _SCALES_PX:
        coarser = cv2.GaussianBlur(image, (0, 0), scale)
        band = finer - coarser
        deviation = float(band.std()) + 1e-6
        found += [deviation, float((band**3).mean()) / deviation**3, float((band**4).mean()) / deviation**4]
        finer = coarser
    return np.array(found)


def _correlations(image: npt.NDArray[np.float32]) -> Vector:
    values = image - image.mean()
    power = float((values * values).mean()) + 1e-6
    down = [float((values[lag:] * values[:-lag]).mean()) / power for lag in _LAGS_PX]
    right = [float((values[:, lag:] * values[:, :-lag]).mean()) / power for lag in _LAGS_PX]
    return np.array(down + right)


def _gradients(image: npt.NDArray[np.float32]) -> Vector:
    """How steep and in which direction the smoothed image changes."""
    smooth = cv2.GaussianBlur(image, (0, 0), 1.5)
    across, along = cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)
    strength = np.hypot(across, along)
    angle = np.abs(np.arctan2(across, along))
    weight, _ = np.histogram(angle, bins=6, range=(0, np.pi), weights=strength)
    return np.concatenate([weight / (weight.sum() + 1e-6), [strength.mean(), float(np.percentile(strength, 95))]])
