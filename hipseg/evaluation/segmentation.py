"""Overlap and surface metrics of one case, as Metrics Reloaded advises for each structure (Maier-Hein et al. 2024).

Partial labels are respected throughout: a structure that nobody annotated has no figure, merged structures are
compared as their union, and ignored pixels count for neither side.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from hipseg.anatomy import IGNORED

MaskHW = npt.NDArray[np.bool_]
LabelsHW = npt.NDArray[np.uint8]

CORTEX_REACH_MM = 2.0
"""A reference column counts as covered when the predicted cortex lies within this distance (half a bone band)."""


@dataclass(frozen=True, slots=True)
class Overlap:
    """How two masks of one structure agree.

    Attributes:
        reference_px, predicted_px: areas among the pixels that count.
        dice: None where the reference does not show the structure: overlap says nothing there.
    """

    reference_px: int
    predicted_px: int
    dice: float | None


@dataclass(frozen=True, slots=True)
class CortexAgreement:
    """How the predicted bone surface follows the reference.

    Attributes:
        covered: share of the reference cortex with a predicted cortex within `CORTEX_REACH_MM`, 0-1.
        distance_mm: median distance of covered reference points to the predicted cortex; None if none is covered.
    """

    covered: float
    distance_mm: float | None


def mask_of(labels_HW: LabelsHW, ids: tuple[int, ...]) -> MaskHW:
    """Pixels of any of the given classes."""
    return np.isin(labels_HW, ids)


def overlap(reference_HW: LabelsHW, predicted_HW: LabelsHW, ids: tuple[int, ...]) -> Overlap:
    """Dice of one structure, or of the union of merged ones, without the ignored pixels.

    Args:
        reference_HW: label ids, 255 where nobody knows.
        predicted_HW: label ids of the same shape.
        ids: the classes to unite.
    """
    counts = reference_HW != IGNORED
    reference = mask_of(reference_HW, ids) & counts
    predicted = mask_of(predicted_HW, ids) & counts
    reference_px, predicted_px = int(reference.sum()), int(predicted.sum())
    if reference_px == 0:
        return Overlap(0, predicted_px, None)
    return Overlap(reference_px, predicted_px, 2 * int((reference & predicted).sum()) / (reference_px + predicted_px))


def cortex_points_mm(mask_HW: MaskHW, spacing_mm: tuple[float, float]) -> npt.NDArray[np.float64]:
    """The bone surface as the beam meets it: the upper edge of the mask in each column, [N, 2] as x, y in mm."""
    columns = np.flatnonzero(mask_HW.any(axis=0))
    rows = mask_HW[:, columns].argmax(axis=0) - 0.5
    return np.column_stack([columns * spacing_mm[1], rows * spacing_mm[0]])


def cortex_agreement(
    reference_HW: MaskHW, predicted_HW: MaskHW, spacing_mm: tuple[float, float]
) -> CortexAgreement | None:
    """Compares bone surfaces as curves, so that a slope does not inflate the error.

    Args:
        reference_HW, predicted_HW: masks of one bone.
        spacing_mm: row and column spacing.

    Returns:
        None where the reference shows no bone.
    """
    reference = cortex_points_mm(reference_HW, spacing_mm)
    if not len(reference):
        return None
    predicted = _densified(cortex_points_mm(predicted_HW, spacing_mm), max_gap_mm=CORTEX_REACH_MM)
    if not len(predicted):
        return CortexAgreement(0.0, None)
    distance_mm, _ = cKDTree(predicted).query(reference)
    covered = distance_mm <= CORTEX_REACH_MM
    return CortexAgreement(float(covered.mean()), float(np.median(distance_mm[covered])) if covered.any() else None)


def _densified(points_mm: npt.NDArray[np.float64], *, max_gap_mm: float, per_gap: int = 8) -> npt.NDArray[np.float64]:
    """Adds points between neighbours, so that distances are to the line and not to its pixels."""
    if len(points_mm) < 2:
        return points_mm
    start, step = points_mm[:-1], np.diff(points_mm, axis=0)
    joined = np.hypot(*step.T) <= max_gap_mm
    shares = np.arange(per_gap)[:, None, None] / per_gap
    between = (start[joined] + shares * step[joined]).reshape(-1, 2)
    return np.vstack([between, points_mm])
