"""A small network that learns from a large one as well as from labels (Hinton et al. 2015, "Distilling the knowledge").

On real images the labels are partial: the large network's opinion is all there is on what nobody drew.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from hipseg.anatomy import NUM_CLASSES
from hipseg.training.checkpoint import load_network
from hipseg.training.losses.multi_task import MultiTaskLoss
from hipseg.training.precision import multiplies_bf16


class DistilledLoss(MultiTaskLoss):
    """`MultiTaskLoss` and one term more, "distillation": how far the network is from its teacher.

    Args:
        teacher: run folder or checkpoint of the trained network to learn from, at the same grid.
        distillation: weight of the term, see `disagreement`.
        terms: as `MultiTaskLoss` takes them.

    Raises:
        ModelError: there is no such network.
    """

    def __init__(self, *, teacher: str | Path, distillation: float = 1.0, **terms: Any) -> None:
        super().__init__(**terms)
        self.distillation = distillation
        network, _ = load_network(teacher)
        # In a list it is no part of this module: checkpoints do not hold it, nothing trains it.
        self._teacher = [network.requires_grad_(False)]

    def forward(self, channels_NCHW: Tensor, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The terms by name and their weighted sum as "loss"; arguments as `MultiTaskLoss.forward`."""
        terms = super().forward(channels_NCHW, batch)
        term = disagreement(channels_NCHW, self._asked(batch["image"]))
        return {**terms, "distillation": term, "loss": terms["loss"] + self.distillation * term}

    def _asked(self, image_N1HW: Tensor) -> Tensor:
        """The teacher's channels, in half precision where that is faster: its opinion needs no eighth digit."""
        device = image_N1HW.device.type
        with torch.no_grad(), torch.autocast(device, torch.bfloat16, enabled=device != "cpu" or multiplies_bf16()):
            channels: Tensor = self._teacher[0].to(image_N1HW.device)(image_N1HW)
        return channels


def disagreement(student_NCHW: Tensor, teacher_NCHW: Tensor) -> Tensor:
    """Kullback-Leibler divergence of the class probabilities from the teacher's, nats, mean over all cells; 0 if equal.

    Landmarks and view are left to the labels, which know them exactly where they are known at all.

    Args:
        student_NCHW, teacher_NCHW: channels of both networks, classes first (`models.outputs`).
    """
    log_student, log_teacher = (
        channels[:, :NUM_CLASSES].float().log_softmax(dim=1) for channels in (student_NCHW, teacher_NCHW)
    )
    divergence = functional.kl_div(log_student, log_teacher, reduction="sum", log_target=True)
    return divergence / (log_student.numel() / log_student.shape[1])
