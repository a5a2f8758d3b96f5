"""Metrics against independent implementations on 1,000 random mask pairs with anisotropic pixels."""

from __future__ import annotations

import numpy as np
import pytest
import surface_distance
import torch
from drawn_masks import random_pairs
from monai.metrics import (
    compute_average_surface_distance,
    compute_hausdorff_distance,
    compute_surface_dice,
)
from scipy.ndimage import binary_erosion, distance_transform_edt
from scipy.spatial.distance import cdist
from scipy.spatial.distance import dice as dice_dissimilarity
from scipy.spatial.distance import jaccard as jaccard_distance
from skimage.metrics import hausdorff_distance
from skimage.morphology import skeletonize

from hipseg.evaluation.measures.measure import MaskHW, Scale
from hipseg.evaluation.measures.overlap import centreline_dice, dice, iou
from hipseg.evaluation.measures.surface import SurfaceDistances, surface_distances, surface_pixels

NUM_PAIRS = 1000
TOLERANCE_MM = 0.5
SIDES = (("gt_to_pred", "gt"), ("pred_to_gt", "pred"))


def both(reference_HW: MaskHW, predicted_HW: MaskHW, spacing_mm: tuple[float, float]) -> SurfaceDistances:
    distances = surface_distances(reference_HW, predicted_HW, Scale.of(spacing_mm))
    assert distances is not None
    return distances


def test_overlap_agrees_with_scipy() -> None:
    for reference_HW, predicted_HW, _ in random_pairs(NUM_PAIRS, seed=1):
        flat = reference_HW.ravel(), predicted_HW.ravel()
        assert dice(reference_HW, predicted_HW) == pytest.approx(1 - dice_dissimilarity(*flat), abs=1e-12)
        assert iou(reference_HW, predicted_HW) == pytest.approx(1 - jaccard_distance(*flat), abs=1e-12)


def test_surfaces_agree_with_scipy() -> None:
    """Every distance one by one: pixel by pixel, and through a distance transform."""
    for reference_HW, predicted_HW, spacing_mm in random_pairs(NUM_PAIRS, seed=1):
        distances = both(reference_HW, predicted_HW, spacing_mm)
        edges = [mask_HW & ~binary_erosion(mask_HW) for mask_HW in (reference_HW, predicted_HW)]
        points = [np.argwhere(edge) * spacing_mm for edge in edges]
        between = cdist(*points)
        np.testing.assert_allclose(distances.from_reference, between.min(axis=1), atol=1e-9)
        np.testing.assert_allclose(distances.from_predicted, between.min(axis=0), atol=1e-9)
        transformed = distance_transform_edt(~edges[0], sampling=spacing_mm)[edges[1]]
        np.testing.assert_allclose(distances.from_predicted, transformed, atol=1e-9)


def test_the_largest_surface_distance_agrees_with_scikit_image() -> None:
    """scikit-image knows square pixels only."""
    for reference_HW, predicted_HW, _ in random_pairs(NUM_PAIRS, seed=1):
        distances = both(reference_HW, predicted_HW, (1.0, 1.0))
        edges = [mask_HW & ~binary_erosion(mask_HW) for mask_HW in (reference_HW, predicted_HW)]
        largest = max(distances.from_reference.max(), distances.from_predicted.max())
        assert largest == pytest.approx(hausdorff_distance(*edges), abs=1e-9)


@pytest.mark.parametrize("seed", [1, 2])
def test_surfaces_agree_with_monai(seed: int) -> None:
    for reference_HW, predicted_HW, spacing_mm in random_pairs(NUM_PAIRS // 2, seed=seed):
        distances = both(reference_HW, predicted_HW, spacing_mm)
        y, y_pred = (torch.from_numpy(mask_HW)[None, None].float() for mask_HW in (reference_HW, predicted_HW))
        spacing = {"include_background": True, "spacing": list(spacing_mm)}
        theirs = {
            "hd95": compute_hausdorff_distance(y_pred, y, percentile=95, **spacing),
            "assd": compute_average_surface_distance(y_pred, y, symmetric=True, **spacing),
            "nsd": compute_surface_dice(y_pred, y, [TOLERANCE_MM], **spacing),
        }
        ours = {
            "hd95": distances.hd95,
            "assd": distances.assd,
            "nsd": distances.nsd(TOLERANCE_MM),
        }
        assert ours == pytest.approx(
            {name: value.item() for name, value in theirs.items()}, rel=1e-5, abs=1e-5
        )  # MONAI computes in float32


def test_surfaces_agree_with_surface_distance_within_a_pixel() -> None:
    """It puts the surface between pixels and weighs it by its length, so single figures differ by up to a pixel."""
    differences = []
    for reference_HW, predicted_HW, spacing_mm in random_pairs(NUM_PAIRS, seed=1):
        distances = both(reference_HW, predicted_HW, spacing_mm)
        theirs = surface_distance.compute_surface_distances(reference_HW, predicted_HW, spacing_mm)
        sides = [(theirs[f"distances_{a}"], theirs[f"surfel_areas_{b}"]) for a, b in SIDES]
        their_average = sum((far * area).sum() for far, area in sides) / sum(area.sum() for _, area in sides)
        pixel_mm = float(np.hypot(*spacing_mm))
        differences.append(
            [
                (distances.hd95 - surface_distance.compute_robust_hausdorff(theirs, 95)) / pixel_mm,
                (distances.assd - their_average) / pixel_mm,
                distances.nsd(TOLERANCE_MM) - surface_distance.compute_surface_dice_at_tolerance(theirs, TOLERANCE_MM),
            ]
        )
    assert np.abs(np.median(differences, axis=0)).max() < 0.1
    assert (np.abs(differences) <= (1.5, 1.0, 0.15)).mean(axis=0).min() > 0.95


def test_the_centreline_agrees_with_another_thinning() -> None:
    """Lee's skeleton (1994) instead of Zhang's: the definition is the same, the skeletons differ by pixels."""
    differences = []
    for reference_HW, predicted_HW, _ in random_pairs(300, seed=2):
        skeletons = [skeletonize(mask_HW, method="lee") > 0 for mask_HW in (reference_HW, predicted_HW)]
        precision = (skeletons[1] & reference_HW).sum() / skeletons[1].sum()
        sensitivity = (skeletons[0] & predicted_HW).sum() / skeletons[0].sum()
        total = precision + sensitivity
        theirs = 2 * precision * sensitivity / total if total else 0.0
        ours = centreline_dice(reference_HW, predicted_HW)
        assert ours is not None
        differences.append(ours - theirs)
    assert abs(np.mean(differences)) < 0.01
    assert np.quantile(np.abs(differences), 0.95) < 0.15


def test_pixels_beside_an_ignored_region_are_no_surface() -> None:
    for reference_HW, _, _ in random_pairs(50, seed=3):
        ignored_HW = np.zeros_like(reference_HW)
        ignored_HW[:, : ignored_HW.shape[1] // 2] = True
        kept = surface_pixels(reference_HW & ~ignored_HW, ignored_HW)
        everywhere = {tuple(point) for point in surface_pixels(reference_HW)}
        assert {tuple(point) for point in kept} <= everywhere
        assert not len(kept) or kept[:, 0].min() > ignored_HW.shape[1] // 2
