"""Learning rates over a run. Each is stepped once an optimizer step and made from (optimizer, num_steps)."""

from __future__ import annotations

import math

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR


def one_cycle(
    optimizer: Optimizer, num_steps: int, *, warmup: float = 0.15, start: float = 0.04, end: float = 1e-3
) -> LambdaLR:
    """Up along a cosine to the optimizer's own rate, and down to almost nothing (Smith and Topin 2018).

    Args:
        optimizer: its learning rates are the peak.
        num_steps: of the whole run.
        warmup: part of the run that goes up.
        start, end: first and last rate as parts of the peak.
    """
    peak = max(round(warmup * num_steps), 1)

    def factor(step: int) -> float:
        if step < peak:
            return _cosine(start, 1.0, step / peak)
        return _cosine(1.0, end, min((step - peak) / max(num_steps - peak, 1), 1.0))

    return LambdaLR(optimizer, factor)


def cosine(optimizer: Optimizer, num_steps: int, *, warmup_steps: int = 200, end: float = 0.01) -> LambdaLR:
    """A straight line up for `warmup_steps`, then a cosine down to `end` of the optimizer's rate."""
    warmup_steps = min(warmup_steps, num_steps)

    def factor(step: int) -> float:
        if step < warmup_steps:
            return (step + 1) / warmup_steps
        return _cosine(1.0, end, min((step - warmup_steps) / max(num_steps - warmup_steps, 1), 1.0))

    return LambdaLR(optimizer, factor)


def constant(optimizer: Optimizer, num_steps: int, *, warmup_steps: int = 0) -> LambdaLR:
    """The optimizer's own rate, after a straight line up for `warmup_steps` (at most `num_steps`)."""
    warmup_steps = min(warmup_steps, num_steps)
    return LambdaLR(optimizer, lambda step: min((step + 1) / max(warmup_steps, 1), 1.0))


def _cosine(first: float, last: float, progress: float) -> float:
    return last + (first - last) * (1 + math.cos(math.pi * progress)) / 2
