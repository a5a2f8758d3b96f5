"""MONAI's BasicUNet++ with the output every network here has: one map, not a list of them."""

from __future__ import annotations

from collections.abc import Sequence

from monai.networks.nets.basic_unetplusplus import BasicUNetPlusPlus as MonaiBasicUNetPlusPlus
from torch import Tensor, nn

from hipseg.models.outputs import NUM_OUTPUT_CHANNELS


class BasicUNetPlusPlus(MonaiBasicUNetPlusPlus):
    """[N, 1, S, S] to [N, NUM_OUTPUT_CHANNELS, S, S], the output of the longest path (Zhou et al. 2018, "UNet++").

    Args:
        features: channels at 1, 1/2, ... 1/16 of the grid, then of the last layer.
    """

    def __init__(self, features: Sequence[int] = (16, 32, 64, 96, 128, 16)) -> None:
        super().__init__(
            spatial_dims=2, in_channels=1, out_channels=NUM_OUTPUT_CHANNELS, features=features, norm="batch"
        )
        # The shorter paths' heads, which are there for deep supervision, would be parameters that never learn.
        self.final_conv_0_1 = self.final_conv_0_2 = self.final_conv_0_3 = nn.Identity()

    def forward(self, image_NCHW: Tensor) -> Tensor:
        """The logits, at the image's own size."""
        logits: Tensor = super().forward(image_NCHW)[0]
        return logits
