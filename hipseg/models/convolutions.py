"""The 3x3 convolutions a `HalfResUNet` can be built of. A maker gives the layers from `inputs` to `width` channels."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.nn import functional

ConvolutionMaker = Callable[[int, int, int], list[nn.Module]]
"""(inputs, width, stride) to layers, normalisation and activation included."""


def plain(inputs: int, width: int, stride: int) -> list[nn.Module]:
    """Convolution, batch normalisation, ReLU."""
    convolution = nn.Conv2d(inputs, width, 3, stride=stride, padding=1, bias=False)
    return [convolution, nn.BatchNorm2d(width), nn.ReLU(inplace=True)]


def depthwise(inputs: int, width: int, stride: int) -> list[nn.Module]:
    """A 3x3 convolution a channel, then a 1x1 across channels (Howard et al. 2017, "MobileNets").

    An eighth of the arithmetic of `plain`, but bound by memory: on a CPU it is seldom eight times as fast.
    """
    each = nn.Conv2d(inputs, inputs, 3, stride=stride, padding=1, groups=inputs, bias=False)
    across = nn.Conv2d(inputs, width, 1, bias=False)
    return [each, nn.BatchNorm2d(inputs), nn.ReLU(inplace=True), across, nn.BatchNorm2d(width), nn.ReLU(inplace=True)]


def reparametrised(inputs: int, width: int, stride: int) -> list[nn.Module]:
    """`Reparametrised`, then ReLU."""
    return [Reparametrised(inputs, width, stride), nn.ReLU(inplace=True)]


@runtime_checkable
class Foldable(Protocol):
    """A module that trains in one shape and runs in another, simpler one that computes the same."""

    def folded(self) -> nn.Module:
        """The simpler module, for evaluation only."""
        ...


class Reparametrised(nn.Module):
    """Three branches in training, one 3x3 convolution once folded (Ding et al. 2021, "RepVGG").

    Args:
        inputs, width: channels in and out.
        stride: 1 or 2; the identity branch is there when nothing changes size.
    """

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.square = _normalised(nn.Conv2d(inputs, width, 3, stride=stride, padding=1, bias=False))
        self.point = _normalised(nn.Conv2d(inputs, width, 1, stride=stride, bias=False))
        self.identity = nn.BatchNorm2d(width) if inputs == width and stride == 1 else None
        self._stride = stride

    def forward(self, features_NCHW: Tensor) -> Tensor:
        """The sum of the branches."""
        summed: Tensor = self.square(features_NCHW) + self.point(features_NCHW)
        return summed if self.identity is None else summed + self.identity(features_NCHW)

    def folded(self) -> nn.Module:
        """One convolution with bias that computes what the branches compute in evaluation mode."""
        kernel, bias = _folded(self.square)
        point_kernel, point_bias = _folded(self.point)
        kernel, bias = kernel + functional.pad(point_kernel, (1, 1, 1, 1)), bias + point_bias
        if self.identity is not None:
            gain, shift = _affine(self.identity)
            kernel[range(len(gain)), range(len(gain)), 1, 1] += gain
            bias = bias + shift
        convolution = nn.Conv2d(kernel.shape[1], kernel.shape[0], 3, stride=self._stride, padding=1)
        convolution.load_state_dict({"weight": kernel, "bias": bias})
        return convolution.requires_grad_(False)


def fold(network: nn.Module) -> nn.Module:
    """A copy of a network in evaluation mode whose `Foldable` parts are in their simple shape."""
    copied = copy.deepcopy(network).eval()
    for name, module in list(copied.named_modules()):
        if name and isinstance(module, Foldable):
            parent, _, child = name.rpartition(".")
            setattr(copied.get_submodule(parent), child, module.folded())
    return copied


def _normalised(convolution: nn.Conv2d) -> nn.Sequential:
    return nn.Sequential(convolution, nn.BatchNorm2d(convolution.out_channels))


def _affine(normalisation: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """What a batch normalisation does in evaluation mode: gain and shift of each channel, in double precision."""
    mean, variance = normalisation.running_mean, normalisation.running_var
    assert mean is not None, "batch normalisation without statistics"
    assert variance is not None, "batch normalisation without statistics"
    gain = normalisation.weight.detach().double() / torch.sqrt(variance.double() + normalisation.eps)
    return gain, normalisation.bias.detach().double() - mean.double() * gain


def _folded(branch: nn.Sequential) -> tuple[Tensor, Tensor]:
    """Kernel and bias of a convolution with its normalisation."""
    convolution, normalisation = branch
    assert isinstance(convolution, nn.Conv2d)
    assert isinstance(normalisation, nn.BatchNorm2d)
    gain, shift = _affine(normalisation)
    return convolution.weight.detach().double() * gain[:, None, None, None], shift
