"""Keeps the batch whose loss was not a number, for someone to look at."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from hipseg.io.writing import output_errors


def save_broken_batch(path: Path, batch: Mapping[str, Tensor], terms: Mapping[str, float]) -> str:
    """Writes the batch as plain tensors (`torch.load(path, weights_only=True)`) with its loss terms.

    Returns:
        What is to be seen in it without opening it: which of its entries hold values that are not finite.

    Raises:
        OutputError: it cannot be written.
    """
    with output_errors(path):
        torch.save({"batch": {name: value.cpu() for name, value in batch.items()}, "terms": dict(terms)}, path)
    broken = [f"{name} of stream positions {positions}" for name in batch if (positions := _not_finite(batch, name))]
    return "; ".join(broken) or "all its images are finite"


def _not_finite(batch: Mapping[str, Tensor], name: str) -> list[int]:
    """Stream positions of the samples whose entry is broken. A spacing may be unknown, which is NaN."""
    value = batch[name]
    if name == "spacing" or not value.is_floating_point():
        return []
    is_broken_N = ~value.flatten(1).isfinite().all(dim=1) if value.ndim > 1 else ~value.isfinite()
    indices = batch.get("index", torch.arange(len(value)))
    return [int(index) for index in indices[is_broken_N]]
