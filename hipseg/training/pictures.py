"""Sample predictions as a contact sheet after each validation: image, truth and prediction side by side."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from hipseg.anatomy import IGNORED, STRUCTURES
from hipseg.models.outputs import interpret
from hipseg.training.losses import peak_xy
from hipseg.training.metrics import TIP

ImageHW3 = npt.NDArray[np.uint8]

_ZOOM = 1.25
_COLUMNS = 2
_CAPTION_HEIGHT = 18
_INK, _PAPER = (225, 225, 225), 24


class SamplePictures(Callback):
    """Writes `epoch_003.png` with a few validation cases, the same ones each time.

    Args:
        folder: for the sheets.
        num_cases: spread evenly over the validation cases; 0 draws nothing.
    """

    def __init__(self, folder: Path, num_cases: int) -> None:
        self._folder, self._num_cases = folder, num_cases
        self._strips: dict[int, ImageHW3] = {}
        self._wanted: set[int] = set()

    def on_validation_start(self, trainer: Trainer, _module: LightningModule) -> None:
        """Chooses the cases."""
        cases = getattr(trainer.val_dataloaders, "dataset", ())
        num_available = len(cases)
        count = min(self._num_cases, num_available)
        self._wanted = {int(index) for index in np.linspace(0, num_available - 1, count)} if count else set()
        self._strips = {}

    def on_validation_batch_end(
        self, _trainer: Trainer, _module: LightningModule, outputs: Any, batch: Any, _batch_index: int, _loader: int = 0
    ) -> None:
        """Draws the chosen ones among a batch's cases."""
        for row, index in enumerate(batch["index"].tolist()):
            if index in self._wanted:
                self._strips[index] = draw_case(batch, outputs, row)

    def on_validation_end(self, trainer: Trainer, _module: LightningModule) -> None:
        """Writes the sheet."""
        if self._strips and trainer.is_global_zero:
            strips = [self._strips[index] for index in sorted(self._strips)]
            path = self._folder / f"epoch_{trainer.current_epoch:03d}.png"
            cv2.imwrite(str(path), contact_sheet(strips)[..., ::-1])


def draw_case(batch: Mapping[str, Tensor], outputs: Mapping[str, Tensor], row: int) -> ImageHW3:
    """One case as a strip: the image, the truth, the prediction, with a caption."""
    image_HW3 = _enlarge(batch["image"][row, 0].cpu().numpy())
    output = interpret(outputs["channels"][row : row + 1].float())
    truth_HW, predicted_HW = (labels[row].cpu().numpy() for labels in (batch["labels"], outputs["predicted"]))
    truth = outline(image_HW3, truth_HW)
    guess = outline(image_HW3, _within(predicted_HW, batch["image"][row, 0].cpu().numpy()))
    tip = batch["landmarks"][row, TIP]
    if tip[2] == 1:
        _mark(truth, tip[:2])
    visibility = torch.sigmoid(output.visibility_logits_NK[0, TIP]).item()
    if visibility > 0.5:
        _mark(guess, peak_xy(output.heatmap_logits_NKHW[:, TIP])[0])
    view = torch.sigmoid(output.view_logits_N[0]).item()
    caption = f"case {batch['index'][row].item()}   truth | prediction: view {view:.2f}, tip visible {visibility:.2f}"
    return _captioned(np.hstack([image_HW3, truth, guess]), caption)


def outline(image_HW3: ImageHW3, labels_HW: npt.NDArray[np.integer[Any]]) -> ImageHW3:
    """A copy of the image with the borders of every structure in its colour, and ignored cells darkened."""
    drawn = image_HW3.copy()
    size = drawn.shape[1::-1]
    enlarged = cv2.resize(labels_HW.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    drawn[enlarged == IGNORED] //= 2
    for structure in STRUCTURES[1:]:
        mask = (enlarged == structure.id).astype(np.uint8)
        contours, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(drawn, contours, -1, structure.colour, 1)
    return drawn


def contact_sheet(strips: list[ImageHW3]) -> ImageHW3:
    """Strips in rows of two, with a legend of the colours below."""
    blank = np.full_like(strips[0], _PAPER)
    padded = strips + [blank] * (-len(strips) % _COLUMNS)
    rows = [np.hstack(padded[start : start + _COLUMNS]) for start in range(0, len(padded), _COLUMNS)]
    sheet = np.vstack(rows)
    return np.vstack([sheet, _legend(sheet.shape[1])])


def _within(labels_HW: npt.NDArray[np.integer[Any]], image_HW: npt.NDArray[np.float32]) -> npt.NDArray[Any]:
    """Labels outside the picture, where nothing was asked, are left out."""
    rows, columns = np.nonzero(image_HW.any(axis=1))[0], np.nonzero(image_HW.any(axis=0))[0]
    kept_HW = np.zeros_like(labels_HW)
    if rows.size:
        picture = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        kept_HW[picture] = labels_HW[picture]
    return kept_HW


def _enlarge(image_HW: npt.NDArray[np.float32]) -> ImageHW3:
    grey = np.clip(image_HW * 255, 0, 255).astype(np.uint8)
    enlarged = cv2.resize(grey, None, fx=_ZOOM, fy=_ZOOM, interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(np.repeat(enlarged[..., None], 3, axis=2))


def _mark(image_HW3: ImageHW3, point_xy: Tensor) -> None:
    x, y = (round((value + 0.5) * _ZOOM - 0.5) for value in point_xy.tolist())
    cv2.drawMarker(image_HW3, (x, y), (255, 255, 255), cv2.MARKER_CROSS, 11, 1)


def _captioned(strip: ImageHW3, caption: str) -> ImageHW3:
    bar = np.full((_CAPTION_HEIGHT, strip.shape[1], 3), _PAPER, np.uint8)
    _write(bar, caption, (4, 13), _INK)
    return np.vstack([bar, strip])


def _legend(width: int) -> ImageHW3:
    bar = np.full((_CAPTION_HEIGHT + 4, width, 3), _PAPER, np.uint8)
    step = width // len(STRUCTURES)
    for position, structure in enumerate(STRUCTURES[1:]):
        _write(bar, structure.title, (4 + position * step, 15), structure.colour)
    return bar


def _write(image_HW3: ImageHW3, text: str, at: tuple[int, int], colour: tuple[int, int, int]) -> None:
    cv2.putText(image_HW3, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.42, colour, 1, cv2.LINE_AA)
