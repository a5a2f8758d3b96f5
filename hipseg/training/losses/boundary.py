"""Distance of what was drawn wrongly from the true border (Kervadec et al. 2019, "Boundary loss").

Dice counts a wrong cell beside the border like one at the other end of the image. The boundary loss weighs it by its
distance, and so tells a cortex 1 mm off from a second head.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from hipseg.anatomy import BACKGROUND
from hipseg.training.losses.annotation import Annotated

FURTHEST_PART = 0.125
"""Of the grid's side: distances beyond count as this, lest a single far cell outweigh a whole border."""


def boundary_loss(view: Annotated) -> Tensor:
    """Mean distance of the misplaced probability of each drawn structure from its border, in parts of the grid's side.

    Kervadec's integral of probability times signed distance, less its value for the true mask: 0 at the truth and
    above elsewhere. Only structures drawn in a sample count there, for without a border there is no distance.
    """
    distance_NAHW = torch.from_numpy(_border_distances(view)).to(view.merged_NAHW)
    target_NAHW = torch.zeros_like(view.merged_NAHW).scatter_(1, view.ids_NHW.unsqueeze(1), 1.0)
    misplaced_NAHW = (view.merged_NAHW - target_NAHW).abs() * distance_NAHW
    num_drawn = (distance_NAHW.flatten(2).amax(dim=2) > 0).sum().clamp_min(1)
    return misplaced_NAHW.flatten(2).sum(dim=2).sum() / (num_drawn * view.ids_NHW[0].numel())


def _border_distances(view: Annotated) -> npt.NDArray[np.float32]:
    """[N, A, H, W], 0 for structures that are not drawn, for the background and in ignored cells."""
    ids_NHW, known_NHW = view.ids_NHW.cpu().numpy(), view.known_NHW.cpu().numpy()
    distances_NAHW = np.zeros(view.merged_NAHW.shape, np.float32)
    for ids_HW, known_HW, distances_AHW in zip(ids_NHW, known_NHW, distances_NAHW, strict=True):
        for id_ in np.unique(ids_HW[known_HW]):
            if id_ != BACKGROUND:
                distances_AHW[id_] = border_distance(ids_HW == id_, known_HW)
    return distances_NAHW


def border_distance(mask_HW: npt.NDArray[np.bool_], known_HW: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
    """How far each cell lies from the border between a structure and what is known not to be it.

    Args:
        mask_HW: the structure.
        known_HW: False in ignored cells; a structure that runs into them has no border there.

    Returns:
        Unsigned, in parts of the longer side, at most `FURTHEST_PART`; 0 in ignored cells. The border runs half a
        cell beyond the outermost cells' centres.
    """
    inside_HW, outside_HW = mask_HW & known_HW, known_HW & ~mask_HW
    from_inside_HW, from_outside_HW = (_distance_to(cells_HW) for cells_HW in (inside_HW, outside_HW))
    cells_HW = np.where(inside_HW, from_outside_HW, from_inside_HW) - np.float32(0.5)
    return np.asarray(np.minimum(cells_HW / max(mask_HW.shape), FURTHEST_PART) * known_HW, np.float32)


def _distance_to(cells_HW: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
    """Of each cell to the nearest of some, in cells; farther than any grid is wide where there are none."""
    return np.asarray(cv2.distanceTransform((~cells_HW).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5), np.float32)
