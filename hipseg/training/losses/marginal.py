"""Cross entropy and Dice of what was annotated: the terms every training has."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from monai.losses.dice import DiceLoss
from torch import Tensor, nn

from hipseg.anatomy import CLASS_NAMES
from hipseg.errors import UsageError, nearest_name
from hipseg.training.losses.annotation import Annotated, annotated
from hipseg.training.losses.soft_borders import softened

_SMALLEST_PROBABILITY = 1e-20


class MarginalLoss(nn.Module):
    """Cross entropy and Dice loss of the summed probabilities of the classes each annotation id may stand for.

    With complete labels it is MONAI's `DiceCELoss` (softmax, Dice over the whole batch).

    Args:
        class_weights: of annotated structures in the cross entropy, by name; 1 where none is given.
        soft_border_cells: how far from a drawn border the cross entropy's targets are soft, see `soft_borders`.

    Raises:
        UsageError: a weight for a structure that does not exist.
    """

    weight_C: Tensor

    def __init__(self, class_weights: Mapping[str, float] | None = None, soft_border_cells: int = 0) -> None:
        super().__init__()
        for name in class_weights or {}:
            if name not in CLASS_NAMES:
                raise UsageError(
                    f"unknown structure '{name}'", where="class_weights", mend=nearest_name(name, CLASS_NAMES)
                )
        weights = [(class_weights or {}).get(name, 1.0) for name in CLASS_NAMES]
        self.register_buffer("weight_C", torch.tensor(weights), persistent=False)
        self._soft_border_cells = soft_border_cells
        self._dice = DiceLoss(batch=True)

    def forward(self, logits_NCHW: Tensor, labels_NHW: Tensor, membership_NCC: Tensor) -> tuple[Tensor, Tensor]:
        """The two losses; arguments as `annotation.annotated`."""
        return self.of(annotated(logits_NCHW, labels_NHW, membership_NCC))

    def of(self, view: Annotated) -> tuple[Tensor, Tensor]:
        """The two losses of a batch in its annotators' terms."""
        known_N1HW, ids_N1HW = view.known_NHW.unsqueeze(1), view.ids_NHW.unsqueeze(1)
        merged_NAHW = view.merged_NAHW * known_N1HW
        target_NAHW = torch.zeros_like(merged_NAHW).scatter_(1, ids_N1HW, known_N1HW.to(merged_NAHW.dtype))
        weight_N1HW = self.weight_C[ids_N1HW] * known_N1HW
        surprise_N1HW = (
            _divergence(merged_NAHW, softened(target_NAHW, known_N1HW, view.drawable_NCC, self._soft_border_cells))
            if self._soft_border_cells
            else -merged_NAHW.gather(1, ids_N1HW).clamp_min(_SMALLEST_PROBABILITY).log()
        )
        cross_entropy = (surprise_N1HW * weight_N1HW).sum() / weight_N1HW.sum().clamp_min(1)
        return cross_entropy, self._dice(merged_NAHW, target_NAHW)


def _divergence(merged_NAHW: Tensor, target_NAHW: Tensor) -> Tensor:
    """Cross entropy with soft targets, [N, 1, H, W], less the targets' own entropy: 0 for their exact prediction."""
    log_NAHW = merged_NAHW.clamp_min(_SMALLEST_PROBABILITY).log()
    return (torch.xlogy(target_NAHW, target_NAHW) - target_NAHW * log_NAHW).sum(dim=1, keepdim=True)
