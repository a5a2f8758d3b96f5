"""Classifier two-sample tests (Lopez-Paz and Oquab 2017): can simulated images be told from real ones?

The area under the curve is of held-out images: 0.5 when nothing tells them apart, 1 when everything does. Folds keep
a person together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hipseg.evaluation.fidelity.hand_features import feature_table, fit_hand_features
from hipseg.evaluation.fidelity.network import fit_network
from hipseg.evaluation.fidelity.patches import Sample

Images = npt.NDArray[np.uint8]
Scores = npt.NDArray[np.float64]
Scorer = Callable[[npt.NDArray[Any]], Scores]


@dataclass(frozen=True, slots=True)
class Classifier:
    """A way to tell images apart.

    Attributes:
        prepare: images [N, H, W] to what the classifier is trained on, once for all folds.
        fit: trains on prepared images, their kinds and a seed; gives a function from prepared images to log-odds.
    """

    prepare: Callable[[Images], npt.NDArray[Any]]
    fit: Callable[[npt.NDArray[Any], npt.NDArray[np.int64], int], Scorer]


CLASSIFIERS = {
    "cnn": Classifier(prepare=lambda images_NHW: images_NHW, fit=fit_network),
    "hand features": Classifier(prepare=feature_table, fit=fit_hand_features),
}


@dataclass(frozen=True, slots=True)
class TwoSample:
    """The outcome of one classifier.

    Attributes:
        auc: mean over folds.
        auc_of_folds: of each.
        scores_N: of each image when it was held out, log-odds of being real.
        scorer: of the last fold, for pictures of what it sees.
        held_out_N: the images that the last fold's scorer has not seen.
    """

    auc: float
    auc_of_folds: tuple[float, ...]
    scores_N: Scores
    scorer: Scorer
    held_out_N: npt.NDArray[np.bool_]

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"auc": round(self.auc, 4), "auc_of_folds": [round(value, 4) for value in self.auc_of_folds]}


def tell_apart(sample: Sample, classifier: Classifier, *, seed: int, num_folds: int = 5) -> TwoSample:
    """Trains on all folds but one and scores that one, in turn."""
    folds_N = assign_folds(sample, np.random.default_rng(seed), num_folds)
    prepared_N = classifier.prepare(sample.images_NHW)
    scores_N = np.zeros(len(folds_N))
    aucs = []
    for fold in range(num_folds):
        held = folds_N == fold
        scorer = classifier.fit(prepared_N[~held], sample.is_real_N[~held], seed + fold)
        scores_N[held] = scorer(prepared_N[held])
        aucs.append(area_under_curve(scores_N[held], sample.is_real_N[held]))
    return TwoSample(float(np.mean(aucs)), tuple(aucs), scores_N, scorer, held)


def assign_folds(sample: Sample, rng: np.random.Generator, num_folds: int) -> npt.NDArray[np.int64]:
    """A fold for each image: persons in random order, each to the fold with the fewest images of its origin so far."""
    folds_N = np.zeros(len(sample.is_real_N), np.int64)
    for origin in (0, 1):
        names, counts = np.unique(sample.groups_N[sample.is_real_N == origin], return_counts=True)
        filled = np.zeros(num_folds)
        # Large groups first, or the last one could make a fold of its own size.
        order = np.lexsort((rng.random(len(names)), -counts))
        for index in order:
            fold = int(filled.argmin())
            filled[fold] += counts[index]
            folds_N[(sample.groups_N == names[index]) & (sample.is_real_N == origin)] = fold
    return folds_N


def area_under_curve(scores: Scores, is_real: npt.NDArray[np.int64]) -> float:
    """Probability that a real image scores above a simulated one; ties count half. NaN when one kind is missing."""
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(is_real, scores)) if 0 < is_real.sum() < len(is_real) else float("nan")
