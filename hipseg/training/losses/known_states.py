"""Yes-or-no questions to which the answer is known for some samples only."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def known_binary_loss(logits: Tensor, states: Tensor) -> Tensor:
    """Binary cross entropy over the entries whose state is known (0 or 1; -1 is unknown), 0 when none is."""
    known = states >= 0
    losses = functional.binary_cross_entropy_with_logits(logits, states.clamp_min(0), reduction="none")
    return torch.where(known, losses, 0.0).sum() / known.sum().clamp_min(1)
