"""Optimizer steps of several batches: when a step is whole, and what its losses were."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lightning.pytorch import Trainer
from torch import Tensor


def completes_step(trainer: Trainer, batch_index: int) -> bool:
    """Whether the optimizer stepped after this batch of the epoch, or still gathers gradients."""
    return (batch_index + 1) % trainer.accumulate_grad_batches == 0


class StepLosses:
    """Mean loss terms over the batches of one optimizer step, in all processes."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}

    def add(self, outputs: Mapping[str, Any], num_batches: int) -> None:
        """Adds one of `num_batches`. Lightning has divided "loss" by their number, and only that."""
        for name, value in outputs.items():
            share = value.detach() if name == "loss" else value.detach() / num_batches
            self._sums[name] = self._sums[name] + share if name in self._sums else share

    def take(self, trainer: Trainer) -> dict[str, float]:
        """The means; counting starts anew. Every process must ask at the same step."""
        terms, self._sums = self._sums, {}
        if trainer.world_size > 1:
            terms = {name: trainer.strategy.reduce(value, reduce_op="mean") for name, value in terms.items()}
        return {name: value.item() for name, value in terms.items()}

    def drop(self) -> None:
        """Forgets what was added."""
        self._sums = {}
