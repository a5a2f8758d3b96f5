"""What anatomy rules out, whether or not anybody drew it: a second femoral head, a capsule inside the bone.

Both hold without exception in the truth of 300 simulated frames of both views: 0 with two heads, 0 with a cell of
capsule below the head's surface.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from hipseg.anatomy import ANTERIOR_CAPSULE, FEMORAL_HEAD
from hipseg.training.losses.annotation import Annotated, group

_SURE = 0.5
_EPSILON = 1e-6


def second_head_loss(probabilities_NCHW: Tensor, known_NHW: Tensor) -> Tensor:
    """The part of the head's probability that lies in patches apart from the largest one, mean over the batch.

    Args:
        probabilities_NCHW: of the true classes.
        known_NHW: bool; ignored cells do not count.
    """
    head_NHW = probabilities_NCHW[:, FEMORAL_HEAD] * known_NHW
    astray_NHW = torch.from_numpy(_patches_apart(head_NHW.detach().cpu().numpy())).to(head_NHW)
    astray_N = (head_NHW * astray_NHW).sum(dim=(1, 2))
    return (astray_N / (head_NHW.detach().sum(dim=(1, 2)) + _EPSILON)).mean()


def _patches_apart(head_NHW: np.ndarray) -> np.ndarray:
    """1 where a patch of sure cells is not the one that holds most probability, float32 [N, H, W]."""
    apart_NHW = np.zeros(head_NHW.shape, np.float32)
    for head_HW, apart_HW in zip(head_NHW, apart_NHW, strict=True):
        num_patches, patches_HW = cv2.connectedComponents((head_HW > _SURE).astype(np.uint8))
        if num_patches > 2:  # the surroundings and more than one head
            masses = np.bincount(patches_HW.ravel(), head_HW.ravel(), minlength=num_patches)
            apart_HW[:] = (patches_HW > 0) & (patches_HW != 1 + int(masses[1:].argmax()))
    return apart_NHW


def sunken_capsule_loss(probabilities_NCHW: Tensor, view: Annotated) -> Tensor:
    """The part of the capsule's probability that lies below the head's surface, mean over the batch.

    The beam runs down the columns: what lies under the cortex in a column is its shadow. The head is the drawn one
    where it was annotated, else the predicted one, which this term does not move.

    Args:
        probabilities_NCHW: of the true classes.
        view: the batch in its annotators' terms.
    """
    drawn = group(view, (FEMORAL_HEAD,))
    predicted_NHW = probabilities_NCHW[:, FEMORAL_HEAD].detach() * view.known_NHW
    head_NHW = torch.where(drawn.annotated_N[:, None, None], drawn.target_NHW, predicted_NHW)
    highest_above_NHW = functional.pad(head_NHW.cummax(dim=1).values[:, :-1], (0, 0, 1, 0))
    capsule_NHW = probabilities_NCHW[:, ANTERIOR_CAPSULE] * view.known_NHW
    sunken_N = (capsule_NHW * highest_above_NHW).sum(dim=(1, 2))
    return (sunken_N / (capsule_NHW.detach().sum(dim=(1, 2)) + _EPSILON)).mean()
