"""What validation measures, each figure with the number of cases behind it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from monai.metrics.meandice import compute_dice
from torch import Tensor
from torch.nn import functional

from hipseg.anatomy import BACKGROUND, CLASS_NAMES, IGNORED, LANDMARKS
from hipseg.models.outputs import NetworkOutput, interpret
from hipseg.training.losses import drawn_ids, merge_probabilities, peak_xy, used_ids

TIP = LANDMARKS.index("needle_tip")


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured value and how many cases stand behind it; NaN when there is none."""

    value: float
    num_cases: int


@dataclass
class ValidationTally:
    """Collects what validation batches show; see `figures` for what comes out.

    Attributes:
        dice: by structure, one value a case that has the structure.
        tip_errors_cells, tip_errors_mm: of needle tips in the image, grid cells and (where the scale is known) mm.
        tips_found: whether a tip in the image was called visible.
        views_right: whether the view score fell on the right side of 0.5.
    """

    dice: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    tip_errors_cells: list[float] = field(default_factory=list)
    tip_errors_mm: list[float] = field(default_factory=list)
    tips_found: list[float] = field(default_factory=list)
    views_right: list[float] = field(default_factory=list)

    def add(self, channels_NCHW: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
        """Counts a batch in. Returns the predicted annotation ids, [N, H, W]."""
        output = interpret(channels_NCHW.float())
        predicted_NHW = annotation_ids(output.class_logits_NCHW, batch["membership"])
        self._add_dice(predicted_NHW, batch["labels"], batch["membership"])
        self._add_tips(output, batch["landmarks"][:, TIP], batch["spacing"])
        known_N = batch["view"] >= 0
        right_N = (output.view_logits_N > 0) == (batch["view"] > 0.5)
        self.views_right += right_N[known_N].float().tolist()
        return predicted_NHW

    def figures(self) -> dict[str, Figure]:
        """Means (medians of errors) by name. "score" is the mean over structures of their mean Dice."""
        structures = {f"dice/{name}": _figure(np.mean, values) for name, values in sorted(self.dice.items())}
        score = Figure(
            float(np.mean([figure.value for figure in structures.values()])) if structures else float("nan"),
            sum(figure.num_cases for figure in structures.values()),
        )
        return {
            "score": score,
            **structures,
            "tip_error_cells": _figure(np.median, self.tip_errors_cells),
            "tip_error_mm": _figure(np.median, self.tip_errors_mm),
            "tip_found": _figure(np.mean, self.tips_found),
            "view_accuracy": _figure(np.mean, self.views_right),
        }

    def _add_dice(self, predicted_NHW: Tensor, labels_NHW: Tensor, membership_NCC: Tensor) -> None:
        known_NHW1 = (labels_NHW != IGNORED).unsqueeze(3)
        truth_NHW = drawn_ids(labels_NHW, membership_NCC)
        guess_NCHW, truth_NCHW = (
            (functional.one_hot(ids, len(CLASS_NAMES)) * known_NHW1).movedim(3, 1) for ids in (predicted_NHW, truth_NHW)
        )
        dice_NC = compute_dice(guess_NCHW, truth_NCHW, include_background=True, ignore_empty=True)
        for row, id_ in torch.nonzero(~dice_NC.isnan()).tolist():
            if id_ != BACKGROUND:
                self.dice[annotation_name(membership_NCC[row, id_])].append(dice_NC[row, id_].item())

    def _add_tips(self, output: NetworkOutput, tips_N3: Tensor, spacing_N2: Tensor) -> None:
        seen_N = tips_N3[:, 2] == 1
        if not seen_N.any():
            return
        found_M2 = peak_xy(output.heatmap_logits_NKHW[seen_N, TIP])
        difference_M2 = found_M2 - tips_N3[seen_N, :2]
        error_mm_M = (difference_M2 * spacing_N2[seen_N].flip(1)).norm(dim=1)
        self.tip_errors_cells += difference_M2.norm(dim=1).tolist()
        self.tip_errors_mm += error_mm_M[~error_mm_M.isnan()].tolist()
        self.tips_found += (output.visibility_logits_NK[seen_N, TIP] > 0).float().tolist()


def annotation_ids(class_logits_NCHW: Tensor, membership_NCC: Tensor) -> Tensor:
    """What the network would have drawn under each sample's annotation rules: ids, [N, H, W]."""
    merged_NAHW = merge_probabilities(class_logits_NCHW.softmax(dim=1), membership_NCC)
    hidden_NA11 = ~used_ids(membership_NCC)[:, :, None, None]
    return merged_NAHW.masked_fill(hidden_NA11, -1.0).argmax(dim=1)


def annotation_name(members_C: Tensor) -> str:
    """The name of an annotation id: its class, or its merged classes joined by "+"."""
    return "+".join(CLASS_NAMES[index] for index in members_C.nonzero().flatten().tolist())


def _figure(average: object, values: list[float]) -> Figure:
    assert callable(average)
    return Figure(float(average(values)) if values else float("nan"), len(values))
