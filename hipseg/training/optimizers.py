"""Muon for convolutions: steps along matrices whose singular values are all near 1: no direction is left behind."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, cast

import torch
from torch import Tensor

# A quintic iteration that is steepest at 0: five rounds bring singular values between 0.7 and 1.2 (Jordan et al. 2024).
_QUINTIC, _ROUNDS = (3.4445, -4.7750, 2.0315), 5
_AS_ADAM = 0.2
"""Root mean square of AdamW's steps, to which Muon's are scaled (Liu et al. 2025, arXiv:2502.16982)."""
_BETA_1, _BETA_2, _EPS = 0.9, 0.999, 1e-8


class Muon(torch.optim.Optimizer):
    """Keller Jordan's Muon, a kernel taken as a matrix of output channels by the rest; AdamW for vectors.

    `torch.optim.Muon` takes matrices alone.

    Args:
        params: parameter groups.
        lr: of weights of two and more axes; its steps are as large as AdamW's at this rate.
        vector_lr: of biases and normalisation.
        weight_decay: decoupled, times the rate; a group may have its own.
        momentum: of the gradients, with Nesterov's look ahead.
    """

    def __init__(
        self,
        params: Iterable[dict[str, Any]],
        lr: float = 1e-2,
        vector_lr: float = 2.5e-3,
        weight_decay: float = 0.01,
        momentum: float = 0.95,
    ) -> None:
        groups = []
        for group in params:
            for is_matrix, rate in ((True, lr), (False, vector_lr)):
                chosen = [parameter for parameter in group["params"] if (parameter.ndim >= 2) == is_matrix]
                if chosen:
                    groups.append({**group, "params": chosen, "lr": rate, "is_matrix": is_matrix})
        super().__init__(groups, {"weight_decay": weight_decay, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """One step. See `torch.optim.Optimizer.step`."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in (parameter for parameter in group["params"] if parameter.grad is not None):
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
                update = self._matrix_update if group["is_matrix"] else self._vector_update
                parameter.add_(update(parameter, group["momentum"]), alpha=-group["lr"])
        return loss

    def _matrix_update(self, parameter: Tensor, momentum: float) -> Tensor:
        state, gradient = self.state[parameter], cast(Tensor, parameter.grad)
        if not state:
            state["average"] = torch.zeros_like(parameter)
        average: Tensor = state["average"].lerp_(gradient, 1 - momentum)
        ahead = gradient.lerp(average, momentum)
        whitened = orthogonal(ahead.flatten(1))
        return (whitened * _AS_ADAM * math.sqrt(max(whitened.shape))).view_as(parameter)

    def _vector_update(self, parameter: Tensor, _momentum: float) -> Tensor:
        state, gradient = self.state[parameter], cast(Tensor, parameter.grad)
        if not state:
            state |= {"step": 0, "average": torch.zeros_like(parameter), "square": torch.zeros_like(parameter)}
        state["step"] += 1
        average: Tensor = state["average"].lerp_(gradient, 1 - _BETA_1)
        square: Tensor = state["square"].lerp_(gradient.square(), 1 - _BETA_2)
        spread = (square / (1 - _BETA_2 ** state["step"])).sqrt() + _EPS
        update: Tensor = average / (1 - _BETA_1 ** state["step"]) / spread
        return update


def orthogonal(matrix: Tensor) -> Tensor:
    """The matrix with all its singular values brought near 1, by Newton and Schulz's iteration in bfloat16."""
    linear, cubic, quintic = _QUINTIC
    is_tall = matrix.shape[0] > matrix.shape[1]
    found = (matrix.T if is_tall else matrix).bfloat16()
    found = found / found.norm().clamp_min(1e-7)
    for _ in range(_ROUNDS):
        gram = found @ found.T
        found = linear * found + (cubic * gram + quintic * gram @ gram) @ found
    whitened: Tensor = (found.T if is_tall else found).to(matrix.dtype)
    return whitened
