"""The weights that are validated, saved as best and exported: an exponential moving average of those being trained."""

from __future__ import annotations

from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn


class MovingAverage(WeightAveraging):
    """Lightning's weight averaging, exponential, with a short memory at first.

    A fixed decay would still hold much of the random start after a few hundred steps; here step k decays by
    min(decay, (1 + k) / (10 + k)), as TensorFlow's moving averages do.

    Args:
        decay: weight of the old average once training is under way.
    """

    def __init__(self, decay: float) -> None:
        def average(averaged: list[Tensor], current: list[Tensor], num_averaged: Tensor | int) -> None:
            step = float(num_averaged)
            average_by = get_ema_multi_avg_fn(min(decay, (1 + step) / (10 + step)))  # type: ignore[no-untyped-call]
            average_by(averaged, current, num_averaged)

        super().__init__(multi_avg_fn=average)
