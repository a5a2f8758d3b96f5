"""A wide network that begins with what a narrow one of the same design has learnt.

Each channel of the narrow network stands for several of the wide one, and who reads them divides by their number, so
that both compute the same (Chen et al. 2016, "Net2Net"); a little noise lets the copies drift apart in training.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

COPY_NOISE = 0.05
"""Of the standard deviation of a tensor's weights: enough to tell copies apart, too little to forget by."""


def is_narrower(weights: Mapping[str, Tensor], wide: Mapping[str, Tensor]) -> bool:
    """Whether weights are those of the same layers with fewer channels somewhere, nowhere more, and as many put out."""
    output = list(wide)[-1]
    if weights.keys() != wide.keys() or weights[output].shape != wide[output].shape:
        return False
    sizes = [(weights[name].shape, wide[name].shape) for name in wide]
    fits = all(_fits(narrow, large) for narrow, large in sizes)
    return fits and any(narrow != large for narrow, large in sizes)


def widened(
    weights: Mapping[str, Tensor], wide: Mapping[str, Tensor], *, noise: float = COPY_NOISE, seed: int = 0
) -> dict[str, Tensor]:
    """A narrow network's weights in the shapes of a wide one's, which then computes the same but for the noise.

    Valid where every layer reads whole layers or their sum, as `HalfResUNet` does; not where features are concatenated.

    Args:
        weights: of the narrow network, see `is_narrower`.
        wide: of the wide network, for its shapes only.
        noise: added to copied kernels, in standard deviations of each.
        seed: of the noise.
    """
    random = torch.Generator().manual_seed(seed)
    return {name: _spread(weights[name], wide[name].shape, noise, random) for name in wide}


def _fits(narrow: torch.Size, wide: torch.Size) -> bool:
    same_kernel = narrow[2:] == wide[2:]
    return len(narrow) == len(wide) and same_kernel and all(few <= many for few, many in zip(narrow, wide, strict=True))


def _spread(narrow: Tensor, shape: torch.Size, noise: float, random: torch.Generator) -> Tensor:
    """One tensor: outputs [C, ...] copied in turn; inputs [C_out, C_in, ...] copied and shared out."""
    if narrow.shape == shape:
        return narrow
    wide = narrow[torch.arange(shape[0]) % len(narrow)]
    if len(shape) == 1:
        return wide
    sources = torch.arange(shape[1]) % narrow.shape[1]
    num_copies = torch.bincount(sources, minlength=narrow.shape[1])[sources]
    wide = wide[:, sources] / num_copies.reshape(1, -1, *(1 for _ in shape[2:]))
    return wide + noise * wide.std() * torch.randn(shape, generator=random, dtype=wide.dtype)
