"""Whether a probability of 80 % is right 8 times in 10: sums from which reliability, ECE and Brier score follow.

Easy background is left out, or it would hide everything else: for each structure only those cells count that lie near
the true structure or that the model does not surely deny.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from hipseg.evaluation.measures.measure import LabelsHW, MaskHW, Scale
from hipseg.evaluation.measures.vocabulary import Members, Vocabulary, comparable
from hipseg.guidance.geometry import occupied_labels
from hipseg.runtime.segmentation import Segmentation

NUM_BINS = 15
NEAR_MM = 2.0
_NEAR_SHARE = 0.02
"""What counts as near where no scale is known: a share of the grid's side."""
POSSIBLE = 0.01
"""From this probability on a cell counts wherever it lies."""


@dataclass(frozen=True, slots=True)
class CalibrationBin:
    """Sums over the counted cells of one structure whose probability falls into one of `NUM_BINS` equal bins.

    Attributes:
        structure: by name.
        bin: from 0; bin k holds probabilities from k / NUM_BINS on.
        count: cells.
        confidence_sum: of their probabilities.
        positive_sum: of the cells that are the structure.
        squared_error_sum: of (probability - truth)^2.
    """

    structure: str
    bin: int
    count: int
    confidence_sum: float
    positive_sum: float
    squared_error_sum: float


def calibration_bins(
    reference_HW: LabelsHW,
    segmentation: Segmentation,
    scale: Scale,
    *,
    reference: Vocabulary,
    predicted: Vocabulary,
) -> Iterator[CalibrationBin]:
    """The bins of every structure that both sides can tell, on the network's grid.

    Args:
        reference_HW: label map of the image.
        segmentation: of the image.
        scale: of the image's pixels.
        reference, predicted: what both sides can tell.
    """
    grid = segmentation.grid
    rows, columns = grid.occupied
    labels_HW = occupied_labels(reference_HW, grid)
    probabilities_CHW = segmentation.probabilities_CHW[:, rows, columns]
    cell_mm = grid.scale * float(np.sqrt(scale.row * scale.column))
    reach_cells = NEAR_MM / cell_mm if scale.in_mm else _NEAR_SHARE * grid.size
    for name, members in comparable(reference, predicted).items():
        chance_HW = probabilities_CHW[sorted(members)].sum(axis=0)
        truth_HW, counted_HW = _counted(labels_HW, chance_HW, reference, members, reach_cells)
        yield from _bins(name, chance_HW[counted_HW], truth_HW[counted_HW])


def _counted(
    labels_HW: LabelsHW, chance_HW: npt.NDArray[np.float32], reference: Vocabulary, members: Members, reach: float
) -> tuple[MaskHW, MaskHW]:
    """The truth, and the cells where the question is not easy and the answer is known."""
    doubtful_HW = reference.doubtful(labels_HW, members)
    truth_HW = reference.mask(labels_HW, members) & ~doubtful_HW
    counted_HW = chance_HW >= POSSIBLE
    if truth_HW.any():
        away = cv2.distanceTransform((~truth_HW).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        counted_HW |= away <= reach
    return truth_HW, counted_HW & ~doubtful_HW


def _bins(name: str, chance: npt.NDArray[np.float32], truth: npt.NDArray[np.bool_]) -> Iterator[CalibrationBin]:
    chances = np.clip(chance.astype(np.float64), 0.0, 1.0)
    index = np.minimum((chances * NUM_BINS).astype(np.intp), NUM_BINS - 1)
    sums = [
        np.bincount(index, weights=weights, minlength=NUM_BINS) for weights in (chances, truth, (chances - truth) ** 2)
    ]
    counts = np.bincount(index, minlength=NUM_BINS)
    for bin_ in np.flatnonzero(counts):
        yield CalibrationBin(name, int(bin_), int(counts[bin_]), *(float(one[bin_]) for one in sums))
