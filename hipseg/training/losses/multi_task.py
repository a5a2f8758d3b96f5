"""All tasks of a network in one weighted sum."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from hipseg.models.outputs import NetworkOutput, interpret
from hipseg.training.losses.anatomy_prior import second_head_loss, sunken_capsule_loss
from hipseg.training.losses.annotation import Annotated, annotated
from hipseg.training.losses.boundary import boundary_loss
from hipseg.training.losses.centreline import centreline_loss
from hipseg.training.losses.heatmaps import heatmap_loss, spread_loss
from hipseg.training.losses.known_states import known_binary_loss
from hipseg.training.losses.marginal import MarginalLoss
from hipseg.training.losses.unsafe_side import unsafe_side_loss


class MultiTaskLoss(nn.Module):
    """Labels, landmarks and view in one weighted sum. Terms from `spread` on are not computed at weight 0.

    Args:
        cross_entropy, dice: of the labels, see `MarginalLoss`.
        heatmap: of landmark positions, see `heatmap_loss`.
        visibility: of landmarks in the image or not.
        view: of hip view or not.
        spread: of landmarks' doubt against their error, see `spread_loss`.
        boundary: distance of misplaced probability from true borders, see `boundary_loss`.
        centreline: of needle and capsule, see `centreline_loss`.
        unsafe_side: vessels missed, see `unsafe_side_loss`.
        second_head, sunken_capsule: what anatomy rules out, see `anatomy_prior`.
        class_weights: of annotated structures in the cross entropy, by name; 1 where none is given. Thin and small
            ones are seen at all only late without.
        soft_border_cells: reach of soft targets at drawn borders, cells; 0 none, see `soft_borders`.

    Raises:
        UsageError: a weight for a structure that does not exist.
    """

    def __init__(
        self,
        *,
        cross_entropy: float = 1.0,
        dice: float = 1.0,
        heatmap: float = 0.1,
        visibility: float = 0.1,
        view: float = 0.1,
        spread: float = 0.0,
        boundary: float = 0.0,
        centreline: float = 0.0,
        unsafe_side: float = 0.0,
        second_head: float = 0.0,
        sunken_capsule: float = 0.0,
        class_weights: Mapping[str, float] | None = None,
        soft_border_cells: int = 0,
    ) -> None:
        super().__init__()
        self.weights = {
            "cross_entropy": cross_entropy,
            "dice": dice,
            "heatmap": heatmap,
            "visibility": visibility,
            "view": view,
            "spread": spread,
            "boundary": boundary,
            "centreline": centreline,
            "unsafe_side": unsafe_side,
            "second_head": second_head,
            "sunken_capsule": sunken_capsule,
        }
        self.marginal = MarginalLoss(class_weights, soft_border_cells)

    def forward(self, channels_NCHW: Tensor, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The unweighted terms by name, and their weighted sum as "loss".

        Args:
            channels_NCHW: a network's output, see `models.outputs`.
            batch: as `data.stream.Batch`.
        """
        output = interpret(channels_NCHW.float())
        view = annotated(output.class_logits_NCHW, batch["labels"], batch["membership"])
        cross_entropy, dice = self.marginal.of(view)
        terms = {
            "cross_entropy": cross_entropy,
            "dice": dice,
            "heatmap": heatmap_loss(output.heatmap_logits_NKHW, batch["landmarks"]),
            "visibility": known_binary_loss(output.visibility_logits_NK, batch["landmarks"][..., 2]),
            "view": known_binary_loss(output.view_logits_N, batch["view"]),
            **self._optional_terms(output, view, batch["landmarks"]),
        }
        total = torch.stack([self.weights[name] * term for name, term in terms.items()]).sum()
        return {"loss": total, **terms}

    def _optional_terms(self, output: NetworkOutput, view: Annotated, landmarks_NK3: Tensor) -> dict[str, Tensor]:
        terms: dict[str, Callable[[], Tensor]] = {
            "spread": lambda: spread_loss(output.heatmap_logits_NKHW, landmarks_NK3),
            "boundary": lambda: boundary_loss(view),
            "centreline": lambda: centreline_loss(view),
            "unsafe_side": lambda: unsafe_side_loss(view),
            "second_head": lambda: second_head_loss(output.class_logits_NCHW.softmax(dim=1), view.known_NHW),
            "sunken_capsule": lambda: sunken_capsule_loss(output.class_logits_NCHW.softmax(dim=1), view),
        }
        return {name: term() for name, term in terms.items() if self.weights[name] > 0}
