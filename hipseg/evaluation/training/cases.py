"""The data set in memory, on the grid: for those who train without hipseg's loader, and for everybody's validation."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from hipseg.anatomy import IGNORED
from hipseg.data.reading import CASES, MANIFEST, load_dataset
from hipseg.data.records import Case
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
    return DataLoader(cases, batch_size=batch_size or setting.batch_size)


def with_first_cases(setting: Setting, folder: Path) -> Setting:
    """A setting whose data set holds its first cases alone, so that everybody has the same ones.

    Args:
        setting: as it was asked for.
        folder: made where `most_cases` is set; images and masks in it are links.

    Raises:
        SourceError: the data set is not valid.
    """
    if setting.most_cases is None:
        return setting
    root = Path(setting.data).resolve()
    _, cases = load_dataset(root)
    kept = [case for split in ("train", "val") for case in _of_split(cases, split)[: setting.most_cases]]
    folder.mkdir(parents=True)
    shutil.copyfile(root / MANIFEST, folder / MANIFEST)
    (folder / CASES).write_text("".join(f"{json.dumps(case.to_dict())}\n" for case in kept))
    for place in (place for place in root.iterdir() if place.is_dir()):
        (folder / place.name).symlink_to(place)
    return dataclasses.replace(setting, data=str(folder))


def _of_split(cases: Sequence[Case], split: str) -> list[Case]:
    return [case for case in cases if case.split == split]


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
