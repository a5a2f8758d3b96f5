"""The exported graph: pre-processing, network and post-processing in one module."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from hipseg.export.landmarks import LandmarkReader
from hipseg.export.resampling import GridResampler, longer_side
from hipseg.models.outputs import NetworkOutput, interpret
from hipseg.models.recurrent import Recurrent, State


class GraphOutput(NamedTuple):
    """The outputs of the contract, in its order and under its names, and the state after the frame."""

    labels: Tensor
    probabilities: Tensor
    landmarks: Tensor
    view_score: Tensor
    state: State


class ExportGraph(nn.Module):
    """uint8 [N, H, W] of any size, and the state of a network that has one, to the outputs of the contract.

    Args:
        network: [N, 1, S, S] to [N, NUM_OUTPUT_CHANNELS, S, S], or a `Recurrent` one.
        grid_size: S, cells.
    """

    def __init__(self, network: nn.Module, grid_size: int) -> None:
        super().__init__()
        self.grid_size = grid_size
        self.resampler, self.network = GridResampler(grid_size), network
        self.landmark_reader = LandmarkReader(grid_size)

    def forward(self, image: Tensor, *state: Tensor) -> GraphOutput:
        """Runs the whole way."""
        _, height, width = image.shape
        output, next_state = self.interpretation(image, state)
        return GraphOutput(
            labels=self._at_image_size(output.class_logits_NCHW.argmax(dim=1).to(torch.uint8), height, width),
            probabilities=softmax_over_classes(output.class_logits_NCHW),
            landmarks=self.landmark_reader(output, height, width),
            view_score=output.view_logits_N.sigmoid(),
            state=next_state,
        )

    def interpretation(self, image_NHW: Tensor, state: State) -> tuple[NetworkOutput, State]:
        """What the network says of the images, on its grid, and what it remembers of them."""
        image_N1SS = self.resampler(image_NHW)[:, None]
        if not isinstance(self.network, Recurrent):
            return interpret(self.network(image_N1SS)), ()
        channels_N1CSS, state = self.network.run(image_N1SS[:, None], state)
        return interpret(channels_N1CSS[:, 0]), state

    def _at_image_size(self, labels_NSS: Tensor, height: int, width: int) -> Tensor:
        """The label of the cell that each pixel's centre lies in, [N, H, W].

        Columns are looked up as rows of the transposed grid: whole rows are copied at once, single elements one by one.
        """
        longer = longer_side(height, width)
        rows_H = (2 * torch.arange(height) + 1) * self.grid_size // (2 * longer)
        columns_W = self.grid_size * (2 * torch.arange(width) + 1 + longer - width) // (2 * longer)
        widened_NSW = labels_NSS.transpose(1, 2).index_select(1, columns_W).transpose(1, 2)
        return widened_NSW.index_select(1, rows_H)


def softmax_over_classes(logits_NCHW: Tensor) -> Tensor:
    """Softmax of axis 1, spelt out: onnxruntime computes its own a sixth as fast on any axis but the last."""
    powers_NCHW = (logits_NCHW - logits_NCHW.amax(dim=1, keepdim=True)).exp()
    return powers_NCHW * powers_NCHW.sum(dim=1, keepdim=True).reciprocal()
