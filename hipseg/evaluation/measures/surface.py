"""Distances between the surfaces of two masks of one structure, in the image's own anisotropic scale.

The surface of a mask is the centres of those of its pixels that have one of their four neighbours outside, the
image's edge being outside: the definition of MONAI and most of the literature, so that figures can be compared.
Pixels beside an ignored region are no surface: the region cuts both masks there, and nobody knows how they go on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from hipseg.evaluation.measures.measure import MaskHW, Points, Scale

_ROBUST_PERCENTILE = 95


@dataclass(frozen=True, slots=True)
class SurfaceDistances:
    """From every surface point of one mask to the nearest surface point of the other.

    Attributes:
        from_reference, from_predicted: in the unit of the scale; empty where that mask has no surface.
    """

    from_reference: npt.NDArray[np.float64]
    from_predicted: npt.NDArray[np.float64]

    @property
    def hd95(self) -> float:
        """Robust Hausdorff distance: the larger of both directions' 95th percentiles."""
        return float(max(np.percentile(one, _ROBUST_PERCENTILE) for one in (self.from_reference, self.from_predicted)))

    @property
    def assd(self) -> float:
        """Average symmetric surface distance: the mean over the points of both surfaces."""
        return float(np.concatenate([self.from_reference, self.from_predicted]).mean())

    def nsd(self, tolerance: float) -> float:
        """Normalised surface distance (surface Dice, Nikolov et al. 2021): share of points within a tolerance, 0-1."""
        return float(np.mean(np.concatenate([self.from_reference, self.from_predicted]) <= tolerance))


def surface_distances(
    reference_HW: MaskHW, predicted_HW: MaskHW, scale: Scale, *, ignored_HW: MaskHW | None = None
) -> SurfaceDistances | None:
    """Measures both ways.

    Args:
        reference_HW, predicted_HW: masks of one shape, nothing set where `ignored_HW` is.
        scale: of the pixels.
        ignored_HW: pixels of which nobody knows the truth.

    Returns:
        None where one of the masks has no surface.
    """
    reference, predicted = (
        scale.points(surface_pixels(mask_HW, ignored_HW)) for mask_HW in (reference_HW, predicted_HW)
    )
    if not len(reference) or not len(predicted):
        return None
    return SurfaceDistances(_nearest(reference, predicted), _nearest(predicted, reference))


def surface_pixels(mask_HW: MaskHW, ignored_HW: MaskHW | None = None) -> npt.NDArray[np.intp]:
    """Surface pixels of a mask, [N, 2] as x, y."""
    padded = np.pad(mask_HW, 1)
    surface_HW = mask_HW & ~(_all_neighbours(padded) & mask_HW)
    if ignored_HW is not None and ignored_HW.any():
        surface_HW &= _all_neighbours(np.pad(~ignored_HW, 1, constant_values=True))
    rows, columns = np.nonzero(surface_HW)
    return np.stack([columns, rows], axis=1)


def _all_neighbours(padded: MaskHW) -> MaskHW:
    """Where all four neighbours are set; the argument has a margin of one pixel that the result has not."""
    neighbours: MaskHW = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return neighbours


def _nearest(points: Points, surface: Points) -> npt.NDArray[np.float64]:
    distances, _ = cKDTree(surface).query(points)
    return np.asarray(distances, np.float64)
