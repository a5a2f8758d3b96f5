"""The weights that are validated, saved as best and exported: an exponential moving average of those being trained."""

from __future__ import annotations

from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor


class MovingAverage(WeightAveraging):
    """Lightning's weight averaging, exponential, with a short memory at first.

    A fixed decay would still hold much of the random start after a few hundred steps; here step k decays by
    min(decay, (1 + k) / (10 + k)), as TensorFlow's moving averages do.

    Args:
        decay: weight of the old average once training is under way.
    """

    def __init__(self, decay: float) -> None:
        def average(averaged: Tensor, current: Tensor, num_averaged: Tensor | int) -> Tensor:
            step = float(num_averaged)
            return current + (averaged - current) * min(decay, (1 + step) / (10 + step))

        super().__init__(avg_fn=average)
