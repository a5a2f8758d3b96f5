"""What a network's channels mean.

A network is any module from [N, 1, S, S] to [N, NUM_OUTPUT_CHANNELS, S, S]: class logits, landmark heat maps,
landmark visibility and view evidence are all dense maps, so that any segmentation network, ours or MONAI's,
serves all tasks without a change to its code. This file turns the channels into the quantities that losses and
the exported graph share.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from hipseg.anatomy import LANDMARKS, NUM_CLASSES

NUM_LANDMARKS = len(LANDMARKS)
NUM_OUTPUT_CHANNELS = NUM_CLASSES + 2 * NUM_LANDMARKS + 1


class NetworkOutput(NamedTuple):
    """A network's channels, by meaning.

    Attributes:
        class_logits_NCHW: one channel a class.
        heatmap_logits_NKHW: a softmax over all cells gives each landmark's position distribution.
        visibility_logits_NK: that the landmark is in the image, read where its heat map looks.
        view_logits_N: that the image is a hip view, mean evidence over all cells.
    """

    class_logits_NCHW: Tensor
    heatmap_logits_NKHW: Tensor
    visibility_logits_NK: Tensor
    view_logits_N: Tensor


def interpret(channels_NCHW: Tensor) -> NetworkOutput:
    """Names the channels of a network's output of shape [N, NUM_OUTPUT_CHANNELS, H, W]."""
    sizes = [NUM_CLASSES, NUM_LANDMARKS, NUM_LANDMARKS, 1]
    classes, heatmaps, visibility, view = torch.split(channels_NCHW, sizes, dim=1)
    attention = heatmaps.flatten(2).softmax(dim=2)
    return NetworkOutput(
        class_logits_NCHW=classes,
        heatmap_logits_NKHW=heatmaps,
        visibility_logits_NK=(attention * visibility.flatten(2)).sum(dim=2),
        view_logits_N=view.mean(dim=(1, 2, 3)),
    )
