"""Whether thin structures hang together (Shit et al. 2021, "clDice").

A needle with a gap has lost few cells and little Dice, but its line. The centreline Dice compares skeletons: does the
predicted one lie in the true mask, and the true one in the predicted mask?
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from hipseg.anatomy import ANTERIOR_CAPSULE, NEEDLE
from hipseg.training.losses.annotation import Annotated, group

THIN = (NEEDLE, ANTERIOR_CAPSULE)
NUM_EROSIONS = 8
"""More than half the width of the capsule on a grid of 256 cells (3 mm at 0.25 mm a cell)."""

_SMOOTH = 1.0


def centreline_loss(view: Annotated) -> Tensor:
    """1 - clDice, mean over the thin structures drawn in each sample; 0 where none is."""
    losses = []
    for class_ in THIN:
        structure = group(view, (class_,))
        drawn_N = structure.target_NHW.flatten(1).any(dim=1)
        losses.append(_loss(structure.probability_NHW[drawn_N], structure.target_NHW[drawn_N]))
    losses_M = torch.cat(losses)
    return losses_M.sum() / max(len(losses_M), 1)


def _loss(probability_MHW: Tensor, target_MHW: Tensor) -> Tensor:
    """1 - clDice of each, [M]."""
    precision_M = _covered(soft_skeleton(probability_MHW), target_MHW)
    sensitivity_M = _covered(soft_skeleton(target_MHW), probability_MHW)
    return 1 - 2 * precision_M * sensitivity_M / (precision_M + sensitivity_M)


def _covered(skeleton_MHW: Tensor, mask_MHW: Tensor) -> Tensor:
    inside_M = (skeleton_MHW * mask_MHW).sum(dim=(1, 2))
    return (inside_M + _SMOOTH) / (skeleton_MHW.sum(dim=(1, 2)) + _SMOOTH)


def soft_skeleton(mask_MHW: Tensor, num_erosions: int = NUM_EROSIONS) -> Tensor:
    """What an opening takes away after each of some erosions, gathered: the ridges of a soft mask, [M, H, W]."""
    eroded = mask_MHW.unsqueeze(1)
    skeleton = functional.relu(eroded - _dilated(_eroded(eroded)))
    for _ in range(num_erosions):
        eroded = _eroded(eroded)
        ridge = functional.relu(eroded - _dilated(_eroded(eroded)))
        skeleton = skeleton + functional.relu(ridge - skeleton * ridge)
    return skeleton.squeeze(1)


def _eroded(maps_M1HW: Tensor) -> Tensor:
    """The least of a cell and its four neighbours."""
    along_rows = -functional.max_pool2d(-maps_M1HW, (3, 1), 1, (1, 0))
    along_columns = -functional.max_pool2d(-maps_M1HW, (1, 3), 1, (0, 1))
    return torch.minimum(along_rows, along_columns)


def _dilated(maps_M1HW: Tensor) -> Tensor:
    return functional.max_pool2d(maps_M1HW, 3, 1, 1)
