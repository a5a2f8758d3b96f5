"""The data set in memory, on the grid: for those who train without hipseg's loader, and for everybody's validation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Subset

from hipseg.anatomy import IGNORED
from hipseg.data.sources import CaseReader
from hipseg.data.stream import Batch, CaseSet
from hipseg.evaluation.training.setting import Setting
from hipseg.training.losses import drawn_ids
from hipseg.training.metrics import Figure, ValidationTally

Picture = dict[str, Tensor]
_DICE = "dice/"


def pictures(setting: Setting, split: str) -> list[Picture]:
    """Cases as others take them: "image" uint8 [1, S, S] and "label" uint8 [1, S, S], one id a cell.

    What is ignored, and what nobody annotated, is background: they have no notion of either.
    """
    found = []
    for batch in batches(setting, split, batch_size=1):
        labels_NHW = drawn_ids(batch["labels"], batch["membership"])
        grey = (batch["image"][0] * 255).round().to(torch.uint8)
        found.append({"image": grey, "label": labels_NHW.to(torch.uint8)})
    return found


def batches(setting: Setting, split: str, *, batch_size: int | None = None) -> DataLoader[Batch]:
    """The cases of a split in order, as hipseg validates on them."""
    reader = CaseReader(setting.data, split, longest_side=512)
    cases = CaseSet([reader], grid_size=setting.grid_size)
    chosen = Subset(cases, range(min(len(cases), setting.most_cases or len(cases))))
    return DataLoader(chosen, batch_size=batch_size or setting.batch_size)


def has_unknown_labels(setting: Setting) -> bool:
    """Whether parts of the training data are ignored or not annotated, which others take as background."""
    reader = CaseReader(setting.data, "train", longest_side=512)
    sample = reader.sample(0)
    return not sample.membership_CC.diagonal().all() or bool((sample.labels_HW == IGNORED).any())


@torch.inference_mode()
def validate(network: nn.Module, cases: list[Any], device: torch.device) -> tuple[dict[str, float], float]:
    """Mean Dice by structure, and over structures, as hipseg's own validation counts it."""
    tally = ValidationTally()
    network.eval()
    for batch in cases:
        tally.add(network(batch["image"].to(device)).float().cpu(), batch)
    network.train()
    return dice_of(tally.figures())


def dice_of(figures: Mapping[str, Figure]) -> tuple[dict[str, float], float]:
    """Of a validation's figures the Dice of each structure, by its name, and the mean over structures."""
    dice = {name: figure.value for name, figure in figures.items() if name.startswith(_DICE)}
    return {name.removeprefix(_DICE): value for name, value in dice.items()}, figures["score"].value
