"""A vessel missed costs more than one overdrawn (Salehi et al. 2017, "Tversky loss")."""

from __future__ import annotations

from torch import Tensor

from hipseg.anatomy import VESSELS
from hipseg.training.losses.annotation import Annotated, group

MISSED, OVERDRAWN = 0.8, 0.2
"""What a missed and what an overdrawn cell counts: four overdrawn ones weigh as much as a missed one."""

_SMOOTH = 1.0


def unsafe_side_loss(view: Annotated) -> Tensor:
    """1 - Tversky index of all vessels of the batch together, artery and vein alike: a needle must keep out of both."""
    vessels = group(view, VESSELS)
    hit = (vessels.probability_NHW * vessels.target_NHW).sum()
    missed = ((1 - vessels.probability_NHW) * vessels.target_NHW).sum()
    overdrawn = (vessels.probability_NHW * (1 - vessels.target_NHW)).sum()
    return 1 - (hit + _SMOOTH) / (hit + MISSED * missed + OVERDRAWN * overdrawn + _SMOOTH)
