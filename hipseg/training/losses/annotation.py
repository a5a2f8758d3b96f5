"""A prediction in the terms of those who annotated: what each sample's labels say, and what they leave open.

An annotation id may stand for several true classes (`membership`): in a partial label the background may be any class
nobody drew, in a merged one a vessel may be artery or vein. The marginal loss adds the probabilities of all classes an
id may stand for before it compares (Shi et al. 2021, "Marginal loss and exclusion loss for partially supervised
multi-organ segmentation"), so an undrawn structure is never called background.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from hipseg.anatomy import BACKGROUND, IGNORED


class Annotated(NamedTuple):
    """Predictions and labels of a batch, both in annotation ids.

    Attributes:
        merged_NAHW: probability of each id, the sum over the classes it may stand for; 0 where no one could draw it.
        ids_NHW: what was drawn, see `drawn_ids`.
        known_NHW: bool, False in ignored cells.
        drawable_NCC: bool, the membership of the ids an annotator could have drawn, see `used_ids`.
    """

    merged_NAHW: Tensor
    ids_NHW: Tensor
    known_NHW: Tensor
    drawable_NCC: Tensor


class Group(NamedTuple):
    """A set of structures as far as each sample's labels know it.

    Attributes:
        probability_NHW: that a cell is one of them, 0 in ignored cells.
        target_NHW: 1 where one of them was drawn, else 0.
        annotated_N: bool, whether the labels know any of them.
    """

    probability_NHW: Tensor
    target_NHW: Tensor
    annotated_N: Tensor


def annotated(logits_NCHW: Tensor, labels_NHW: Tensor, membership_NCC: Tensor) -> Annotated:
    """A batch in its annotators' terms.

    Args:
        logits_NCHW: of the true classes.
        labels_NHW: annotation ids, 255 ignored.
        membership_NCC: bool, row a the true classes that id a may stand for.
    """
    drawable_NCC = membership_NCC & used_ids(membership_NCC).unsqueeze(2)
    return Annotated(
        merged_NAHW=merge_probabilities(logits_NCHW.softmax(dim=1), drawable_NCC),
        ids_NHW=drawn_ids(labels_NHW, membership_NCC),
        known_NHW=labels_NHW != IGNORED,
        drawable_NCC=drawable_NCC,
    )


def group(view: Annotated, classes: Sequence[int]) -> Group:
    """The structures of some classes, taken together.

    Ids that may stand for these classes and no others make up the group: with artery and vein, the "vessel" of a
    merged label as well as the artery alone where nobody drew the vein.
    """
    is_member_C = torch.zeros(view.drawable_NCC.shape[2], dtype=torch.bool, device=view.ids_NHW.device)
    is_member_C[list(classes)] = True
    is_within_NA = view.drawable_NCC.any(dim=2) & ~(view.drawable_NCC & ~is_member_C).any(dim=2)
    probability_NHW = torch.einsum("na,nahw->nhw", is_within_NA.to(view.merged_NAHW.dtype), view.merged_NAHW)
    is_drawn_NHW = is_within_NA.gather(1, view.ids_NHW.flatten(1)).view_as(view.ids_NHW) & view.known_NHW
    return Group(probability_NHW * view.known_NHW, is_drawn_NHW.to(probability_NHW.dtype), is_within_NA.any(dim=1))


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
