"""Overlap of two masks of one structure: Dice, intersection over union, centreline Dice."""

from __future__ import annotations

import numpy as np
from skimage.morphology import skeletonize

from hipseg.evaluation.measures.measure import MaskHW


def dice(reference_HW: MaskHW, predicted_HW: MaskHW) -> float | None:
    """2 |R and P| / (|R| + |P|), 0-1; None where the reference is empty: overlap says nothing there."""
    reference_px, predicted_px = np.count_nonzero(reference_HW), np.count_nonzero(predicted_HW)
    if reference_px == 0:
        return None
    return float(2 * np.count_nonzero(reference_HW & predicted_HW) / (reference_px + predicted_px))


def iou(reference_HW: MaskHW, predicted_HW: MaskHW) -> float | None:
    """|R and P| / |R or P|, 0-1; None where the reference is empty."""
    if not reference_HW.any():
        return None
    return float(np.count_nonzero(reference_HW & predicted_HW) / np.count_nonzero(reference_HW | predicted_HW))


def centreline_dice(reference_HW: MaskHW, predicted_HW: MaskHW) -> float | None:
    """clDice of thin structures (Shit et al., CVPR 2021): do the centrelines lie in each other's masks?

    Returns:
        Harmonic mean of the share of the predicted skeleton inside the reference and of the reference skeleton inside
        the prediction, 0-1; 0 for a missed structure, None where the reference is empty.
    """
    if not reference_HW.any():
        return None
    if not (reference_HW & predicted_HW).any():
        return 0.0
    precision = _share_inside(centreline(predicted_HW), reference_HW)
    sensitivity = _share_inside(centreline(reference_HW), predicted_HW)
    total = precision + sensitivity
    return 2 * precision * sensitivity / total if total else 0.0


def centreline(mask_HW: MaskHW) -> MaskHW:
    """The skeleton of a mask, one pixel wide (Zhang and Suen 1984)."""
    return np.asarray(skeletonize(mask_HW), np.bool_)  # type: ignore[no-untyped-call]


def _share_inside(skeleton_HW: MaskHW, mask_HW: MaskHW) -> float:
    length_px = np.count_nonzero(skeleton_HW)
    return float(np.count_nonzero(skeleton_HW & mask_HW) / length_px) if length_px else 0.0
