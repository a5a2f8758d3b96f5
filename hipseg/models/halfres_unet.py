"""A U-Net that computes at half the grid's resolution and below, for speed on a CPU.

The first convolution halves the grid and the last one predicts each 2x2 block of cells at once (sub-pixel
convolution, Shi et al. 2016), so that no layer works at full resolution: for thin structures this costs less accuracy
than narrower layers of the same speed would. Everything is plain 3x3 convolution, batch normalisation (folded into the
convolution on export) and ReLU; skips are added, not concatenated, which halves the decoder's work.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from hipseg.models.convolutions import ConvolutionMaker, plain
from hipseg.models.outputs import NUM_OUTPUT_CHANNELS


class HalfResUNet(nn.Module):
    """[N, in_channels, S, S] grey levels 0-1 to [N, out_channels, S, S] logits; S a multiple of 2 ** len(widths).

    Args:
        widths: channels at 1/2, 1/4, 1/8, ... of the grid. (12, 24, 48, 80, 112) is half as large as the default,
            (24, 48, 96, 160, 224) more than twice.
        num_convs: 3x3 convolutions a level, on the way down and again on the way up.
        convolution: what they are made of, see `models.convolutions`.
        in_channels: 1, a grey image.
        out_channels: see `models.outputs`.
    """

    def __init__(
        self,
        widths: Sequence[int] = (24, 48, 64, 80, 80, 80),
        *,
        num_convs: int = 2,
        convolution: ConvolutionMaker = plain,
        in_channels: int = 1,
        out_channels: int = NUM_OUTPUT_CHANNELS,
    ) -> None:
        super().__init__()
        self.widths = tuple(widths)
        above = (in_channels, *widths[:-1])
        self.encoder = nn.ModuleList(
            _level(inputs, width, num_convs, convolution, stride=2) for inputs, width in zip(above, widths, strict=True)
        )
        self.lifts = nn.ModuleList(_lift(below, width) for width, below in itertools.pairwise(widths))
        self.decoder = nn.ModuleList(_level(width, width, num_convs, convolution) for width in widths[:-1])
        self.head = nn.Sequential(nn.Conv2d(widths[0], 4 * out_channels, 1), nn.PixelShuffle(2))

    def forward(self, image_NCHW: Tensor) -> Tensor:
        """The logits, at the image's own size."""
        features = image_NCHW
        skips: list[Tensor] = []
        for level in self.encoder:
            features = level(features)
            skips.append(features)
        return self.decode(skips)

    def decode(self, skips: Sequence[Tensor]) -> Tensor:
        """From the features of every level of the encoder, finest first, to the logits."""
        *skips, features = skips
        for skip, lift, level in zip(reversed(skips), reversed(self.lifts), reversed(self.decoder), strict=True):
            features = level(torch.relu(lift(features) + skip))
        logits: Tensor = self.head(features)
        return logits


def _level(inputs: int, width: int, num_convs: int, convolution: ConvolutionMaker, stride: int = 1) -> nn.Sequential:
    layers = convolution(inputs, width, stride)
    for _ in range(num_convs - 1):
        layers += convolution(width, width, 1)
    return nn.Sequential(*layers)


def _lift(below: int, width: int) -> nn.Sequential:
    """To the width and resolution of the level above."""
    return nn.Sequential(
        nn.Conv2d(below, width, 1, bias=False), nn.BatchNorm2d(width), nn.Upsample(scale_factor=2, mode="nearest")
    )
