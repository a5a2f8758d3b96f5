"""What a network is trained to minimise. Every term counts only what the annotation of a sample says.

An annotation id may stand for several true classes (`membership`): in a partial label the background may be any class
nobody drew, in a merged one a vessel may be artery or vein. The marginal loss adds the probabilities of all classes an
id may stand for before it compares (Shi et al. 2021, "Marginal loss and exclusion loss for partially supervised
multi-organ segmentation"), so an undrawn structure is never called background.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from monai.losses.dice import DiceLoss
from torch import Tensor, nn
from torch.nn import functional

from hipseg.anatomy import BACKGROUND, CLASS_NAMES, IGNORED
from hipseg.errors import UsageError, nearest_name
from hipseg.models.outputs import NetworkOutput, interpret

LANDMARK_SIGMA_CELLS = 1.5
_SMALLEST_PROBABILITY = 1e-20


class MultiTaskLoss(nn.Module):
    """Labels, landmarks and view in one weighted sum.

    Args:
        cross_entropy, dice: of the labels, see `MarginalLoss`.
        heatmap: of landmark positions, see `heatmap_loss`.
        visibility: of landmarks in the image or not.
        view: of hip view or not.
        class_weights: of annotated structures in the cross entropy, by name; 1 where none is given. Thin and small
            ones are seen at all only late without.

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
        class_weights: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__()
        self.weights = {
            "cross_entropy": cross_entropy,
            "dice": dice,
            "heatmap": heatmap,
            "visibility": visibility,
            "view": view,
        }
        self.marginal = MarginalLoss(class_weights)

    def forward(self, channels_NCHW: Tensor, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The unweighted terms by name, and their weighted sum as "loss".

        Args:
            channels_NCHW: a network's output, see `models.outputs`.
            batch: as `data.stream.Batch`.
        """
        output = interpret(channels_NCHW.float())
        cross_entropy, dice = self.marginal(output.class_logits_NCHW, batch["labels"], batch["membership"])
        terms = {"cross_entropy": cross_entropy, "dice": dice, **_landmark_terms(output, batch["landmarks"])}
        terms["view"] = known_binary_loss(output.view_logits_N, batch["view"])
        total = torch.stack([self.weights[name] * term for name, term in terms.items()]).sum()
        return {"loss": total, **terms}


def _landmark_terms(output: NetworkOutput, landmarks_NK3: Tensor) -> dict[str, Tensor]:
    return {
        "heatmap": heatmap_loss(output.heatmap_logits_NKHW, landmarks_NK3),
        "visibility": known_binary_loss(output.visibility_logits_NK, landmarks_NK3[..., 2]),
    }


class MarginalLoss(nn.Module):
    """Cross entropy and Dice loss of the summed probabilities of the classes each annotation id may stand for.

    With complete labels it is MONAI's `DiceCELoss` (softmax, Dice over the whole batch).

    Args:
        class_weights: as in `MultiTaskLoss`.
    """

    weight_C: Tensor

    def __init__(self, class_weights: Mapping[str, float] | None = None) -> None:
        super().__init__()
        for name in class_weights or {}:
            if name not in CLASS_NAMES:
                raise UsageError(
                    f"unknown structure '{name}'", where="class_weights", mend=nearest_name(name, CLASS_NAMES)
                )
        weights = [(class_weights or {}).get(name, 1.0) for name in CLASS_NAMES]
        self.register_buffer("weight_C", torch.tensor(weights), persistent=False)
        self._dice = DiceLoss(batch=True)

    def forward(self, logits_NCHW: Tensor, labels_NHW: Tensor, membership_NCC: Tensor) -> tuple[Tensor, Tensor]:
        """The two losses.

        Args:
            logits_NCHW: of the true classes.
            labels_NHW: annotation ids, 255 ignored.
            membership_NCC: bool, row a the true classes that id a may stand for.
        """
        known_N1HW = (labels_NHW != IGNORED).unsqueeze(1)
        ids_N1HW = drawn_ids(labels_NHW, membership_NCC).unsqueeze(1)
        drawable_NCC = membership_NCC & used_ids(membership_NCC).unsqueeze(2)
        merged_NAHW = merge_probabilities(logits_NCHW.softmax(dim=1), drawable_NCC) * known_N1HW
        target_NAHW = torch.zeros_like(merged_NAHW).scatter_(1, ids_N1HW, known_N1HW.to(merged_NAHW.dtype))
        likelihood_N1HW = merged_NAHW.gather(1, ids_N1HW).clamp_min(_SMALLEST_PROBABILITY)
        weight_N1HW = self.weight_C[ids_N1HW] * known_N1HW
        cross_entropy = -(likelihood_N1HW.log() * weight_N1HW).sum() / weight_N1HW.sum().clamp_min(1)
        return cross_entropy, self._dice(merged_NAHW, target_NAHW)


def merge_probabilities(probabilities_NCHW: Tensor, membership_NCC: Tensor) -> Tensor:
    """Probability of each annotation id, [N, C, H, W]: the sum over the classes it may stand for."""
    weights_NCC = membership_NCC.to(probabilities_NCHW.dtype)
    return torch.einsum("nac,nchw->nahw", weights_NCC, probabilities_NCHW)


def used_ids(membership_NCC: Tensor) -> Tensor:
    """Which ids an annotator of each sample could have drawn, bool [N, C].

    A class that another row may stand for (the background of a partial label, a merged vessel) has no id of its own.
    """
    others_NCC = membership_NCC & ~torch.eye(membership_NCC.shape[1], dtype=torch.bool, device=membership_NCC.device)
    return ~others_NCC.any(dim=1)


def drawn_ids(labels_NHW: Tensor, membership_NCC: Tensor) -> Tensor:
    """Labels as an annotator who keeps to the rules would have drawn them, int64 [N, H, W].

    A class that was not annotated is background wherever it was painted all the same, one that is merged into another
    has the other's id; ignored cells become background, to be left out by their mask.
    """
    used_NC = used_ids(membership_NCC)
    # For each class the one used id that may stand for it: a class with an id of its own stands for itself.
    standing_for_NC = (membership_NCC & used_NC.unsqueeze(2)).to(torch.uint8).argmax(dim=1)
    labels_NL = torch.where(labels_NHW == IGNORED, BACKGROUND, labels_NHW).flatten(1)
    return standing_for_NC.gather(1, labels_NL).view_as(labels_NHW)


def heatmap_loss(heatmap_logits_NKHW: Tensor, landmarks_NK3: Tensor, sigma: float = LANDMARK_SIGMA_CELLS) -> Tensor:
    """Kullback-Leibler divergence of the predicted position distribution from a Gaussian at the true position.

    Args:
        heatmap_logits_NKHW: a softmax over all cells gives the distribution.
        landmarks_NK3: x, y in cells, and the state; only state 1 (in the image) counts.
        sigma: of the Gaussian, cells.
    """
    seen_NK = landmarks_NK3[..., 2] == 1
    if not seen_NK.any():
        return heatmap_logits_NKHW.sum() * 0
    logits_MHW = heatmap_logits_NKHW[seen_NK]
    height, width = logits_MHW.shape[1:]
    target_MHW = gaussian_maps(landmarks_NK3[seen_NK][:, :2], height, width, sigma)
    log_predicted = logits_MHW.flatten(1).log_softmax(dim=1)
    return functional.kl_div(log_predicted, target_MHW.flatten(1), reduction="batchmean")


def gaussian_maps(points_xy_M2: Tensor, height: int, width: int, sigma: float) -> Tensor:
    """Discrete Gaussians that sum to 1, [M, height, width], at points in cells."""
    x_M1, y_M1 = points_xy_M2[:, :1], points_xy_M2[:, 1:]
    row_MH = torch.softmax(-((torch.arange(height, device=x_M1.device) - y_M1) ** 2) / (2 * sigma**2), dim=1)
    column_MW = torch.softmax(-((torch.arange(width, device=x_M1.device) - x_M1) ** 2) / (2 * sigma**2), dim=1)
    return row_MH[:, :, None] * column_MW[:, None, :]


def known_binary_loss(logits: Tensor, states: Tensor) -> Tensor:
    """Binary cross entropy over the entries whose state is known (0 or 1; -1 is unknown), 0 when none is."""
    known = states >= 0
    losses = functional.binary_cross_entropy_with_logits(logits, states.clamp_min(0), reduction="none")
    return torch.where(known, losses, 0.0).sum() / known.sum().clamp_min(1)
