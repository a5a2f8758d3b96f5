"""Networks that remember: what they say of a frame depends on the frames before it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

State = tuple[Tensor, ...]
"""What a network hands on from frame to frame, each [N, channels, height, width]; zeros before the first frame."""


@runtime_checkable
class Recurrent(Protocol):
    """A network with memory. Called with images [N, 1, S, S] it takes each for a first frame."""

    def state_shapes(self, grid_size: int) -> Mapping[str, tuple[int, int, int]]:
        """Channels, height and width of each part of the state, by name, in the state's order."""
        ...

    def run(self, clip_NT1SS: Tensor, state: State) -> tuple[Tensor, State]:
        """The channels of every frame, [N, T, NUM_OUTPUT_CHANNELS, S, S], and the state after the last one."""
        ...


def first_state(network: Recurrent, image: Tensor) -> State:
    """The state before the first frame.

    Args:
        network: that it is for.
        image: [N, ..., S, S]; tells number, size, type and device.
    """
    shapes = network.state_shapes(image.shape[-1])
    return tuple(image.new_zeros(len(image), *shape) for shape in shapes.values())


def state_shapes(network: nn.Module, grid_size: int) -> dict[str, tuple[int, int, int]]:
    """Channels, height and width of each part of a network's state by name; none without a memory."""
    return dict(network.state_shapes(grid_size)) if isinstance(network, Recurrent) else {}


def run_clip(network: nn.Module, clip_NT1SS: Tensor) -> Tensor:
    """The channels of every frame of clips, [N, T, C, S, S]; a network without memory sees each frame alone."""
    if isinstance(network, Recurrent):
        return network.run(clip_NT1SS, first_state(network, clip_NT1SS))[0]
    return in_clips(network(clip_NT1SS.flatten(0, 1)), clip_NT1SS)


def in_clips(frames_MCHW: Tensor, clip_NT: Tensor) -> Tensor:
    """Frames that were flattened from clips [N, T, ...] as clips again, [N, T, C, H, W]."""
    return frames_MCHW.view(*clip_NT.shape[:2], *frames_MCHW.shape[1:])


class ConvMemory(nn.Module):
    """A light convolutional GRU: one 3x3 convolution of input and state gives the gate and what may be written.

    A GRU without its reset gate (Ravanelli et al. 2018, "Light gated recurrent units"). The state stays within -1 and
    1, so that no clip is too long for it. What is remembered is added to the features, as in a residual block.

    Args:
        inputs: channels of the features.
        width: channels of the state.
    """

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.width = width
        self.write = nn.Conv2d(inputs + width, 2 * width, 3, padding=1)
        self.read = nn.Conv2d(width, inputs, 1)

    def forward(self, features_NTCHW: Tensor, state_NCHW: Tensor) -> tuple[Tensor, Tensor]:
        """The features of every frame with what the memory adds, and the state after the last one."""
        states = []
        for features_NCHW in features_NTCHW.unbind(1):
            gate, candidate = self.write(torch.cat([features_NCHW, state_NCHW], dim=1)).chunk(2, dim=1)
            # The state stays in its own precision where the rest is mixed.
            state_NCHW = torch.lerp(state_NCHW, candidate.tanh().to(state_NCHW), gate.sigmoid().to(state_NCHW))
            states.append(state_NCHW)
        remembered_MCHW = self.read(torch.stack(states, dim=1).flatten(0, 1))
        return torch.relu(features_NTCHW + in_clips(remembered_MCHW, features_NTCHW)), state_NCHW
