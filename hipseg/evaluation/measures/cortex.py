"""How a predicted bone surface follows the true one: the line that the beam meets, not the outline of a band."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from hipseg.evaluation.measures.measure import MaskHW, Points, Scale

REACH_MM = 2.0
"""A point of the reference counts as covered when the predicted cortex lies this near (half a bone band)."""
FOUND_COVERAGE = 0.5
"""A bone is found when this share of its visible cortex is covered."""


@dataclass(frozen=True, slots=True)
class CortexAgreement:
    """Two cortices compared as curves, so that a slope does not inflate the error.

    Attributes:
        covered: share of the reference with a predicted cortex within `REACH_MM`, 0-1.
        distance_mm: median distance of covered reference points to the predicted cortex; None if none is covered.
        assd_mm: mean distance of all points of both curves to the other curve; None if nothing was predicted.
    """

    covered: float
    distance_mm: float | None
    assd_mm: float | None

    @property
    def found(self) -> bool:
        """Whether enough of the cortex is covered."""
        return self.covered >= FOUND_COVERAGE


def cortex_agreement(
    reference_HW: MaskHW, predicted_HW: MaskHW, spacing_mm: tuple[float, float], *, ignored_HW: MaskHW | None = None
) -> CortexAgreement | None:
    """Compares the cortices of one bone.

    Args:
        reference_HW, predicted_HW: masks of the bone, nothing set where `ignored_HW` is.
        spacing_mm: row and column spacing.
        ignored_HW: pixels of which nobody knows the truth; a cortex just below them is none.

    Returns:
        None where the reference shows no cortex.
    """
    scale = Scale.of(spacing_mm)
    reference, predicted = (cortex_points(mask_HW, scale, ignored_HW) for mask_HW in (reference_HW, predicted_HW))
    if not len(reference):
        return None
    if not len(predicted):
        return CortexAgreement(0.0, None, None)
    to_predicted_mm, to_reference_mm = _distances(reference, predicted), _distances(predicted, reference)
    covered = to_predicted_mm <= REACH_MM
    return CortexAgreement(
        covered=float(covered.mean()),
        distance_mm=float(np.median(to_predicted_mm[covered])) if covered.any() else None,
        assd_mm=float(np.concatenate([to_predicted_mm, to_reference_mm]).mean()),
    )


def cortex_points(mask_HW: MaskHW, scale: Scale, ignored_HW: MaskHW | None = None) -> Points:
    """The upper edge of the mask in each of its columns, [N, 2] as x, y in the unit of the scale."""
    columns = np.flatnonzero(mask_HW.any(axis=0))
    rows = mask_HW[:, columns].argmax(axis=0)
    if ignored_HW is not None:
        clear = (rows == 0) | ~ignored_HW[np.maximum(rows - 1, 0), columns]
        columns, rows = columns[clear], rows[clear]
    return scale.points(np.column_stack([columns, rows - 0.5]))


def _distances(points_mm: Points, curve_mm: Points) -> npt.NDArray[np.float64]:
    distances, _ = cKDTree(_densified(curve_mm, max_gap_mm=REACH_MM)).query(points_mm)
    return np.asarray(distances, np.float64)


def _densified(points_mm: Points, *, max_gap_mm: float, per_gap: int = 8) -> Points:
    """Adds points between neighbours, so that distances are to the line and not to its pixels."""
    if len(points_mm) < 2:
        return points_mm
    start, step = points_mm[:-1], np.diff(points_mm, axis=0)
    joined = np.hypot(*step.T) <= max_gap_mm
    shares = np.arange(per_gap)[:, None, None] / per_gap
    between = (start[joined] + shares * step[joined]).reshape(-1, 2)
    return np.vstack([between, points_mm])
