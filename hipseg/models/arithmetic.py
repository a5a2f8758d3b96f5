"""What a network costs: its parameters, and the multiply-accumulate operations of one image."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

_FLOPS_PER_MAC = 2


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """Cost of one image.

    Attributes:
        num_parameters: trained numbers; in a model file batch normalisation has gone into the convolutions.
        macs: multiply-accumulate operations of convolutions and matrix products.
    """

    num_parameters: int
    macs: int


def network_arithmetic(network: nn.Module, grid_size: int) -> Arithmetic:
    """Of a network on one image [1, 1, S, S], counted by PyTorch while it runs.

    Args:
        network: as `models.outputs` describes; evaluated as it is.
        grid_size: S.
    """
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        network.eval()(torch.zeros(1, 1, grid_size, grid_size))
    parameters = sum(parameter.numel() for parameter in network.parameters())
    return Arithmetic(parameters, counter.get_total_flops() // _FLOPS_PER_MAC)
