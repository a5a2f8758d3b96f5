"""Several networks as one: what the folds of a cross-validation, or runs of several seeds, say on average."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from hipseg.anatomy import NUM_CLASSES
from hipseg.errors import ModelError
from hipseg.models.outputs import NUM_LANDMARKS
from hipseg.models.recurrent import state_shapes

_SMALLEST_PROBABILITY = 1e-20
_PARTS = [NUM_CLASSES, NUM_LANDMARKS, NUM_LANDMARKS + 1]


class Ensemble(nn.Module):
    """A network of `models.outputs` whose probabilities are the means of its members'.

    Probabilities of classes at a cell, and of positions over the grid, are averaged; of visibility and view the
    evidence is. It costs as much as its members together.

    Args:
        members: networks of the same grid, without a state.
        grid_size: of that grid.

    Raises:
        ModelError: a member has a state, which nothing averages.
    """

    def __init__(self, members: Sequence[nn.Module], grid_size: int) -> None:
        super().__init__()
        if any(state_shapes(member, grid_size) for member in members):
            raise ModelError("networks that remember are not averaged", expected="members without a state")
        self.members = nn.ModuleList(members)

    def forward(self, image_N1SS: Tensor) -> Tensor:
        """Channels [N, NUM_OUTPUT_CHANNELS, S, S] whose softmax is the mean of the members'."""
        parts = [torch.split(member(image_N1SS), _PARTS, dim=1) for member in self.members]
        classes, heatmaps, evidence = zip(*parts, strict=True)
        by_class = torch.stack([logits.softmax(dim=1) for logits in classes]).mean(dim=0)
        by_position = torch.stack([logits.flatten(2).softmax(dim=2).view_as(logits) for logits in heatmaps]).mean(dim=0)
        return torch.cat([_logits(by_class), _logits(by_position), torch.stack(evidence).mean(dim=0)], dim=1)


def _logits(probabilities: Tensor) -> Tensor:
    return probabilities.clamp_min(_SMALLEST_PROBABILITY).log()
