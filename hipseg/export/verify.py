"""The gate of every export: onnxruntime must say what PyTorch says, at sizes and on images that nobody trained on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import onnxruntime
import torch
from torch import Tensor

from hipseg.errors import ModelError
from hipseg.export.graph import ExportGraph
from hipseg.export.landmarks import WINDOW_CELLS
from hipseg.runtime.contract import INPUT_IMAGE, OUTPUTS

SHAPES = ((1, 480, 640), (2, 333, 517), (3, 97, 61), (1, 256, 256), (1, 1080, 1920))
"""Images, rows, columns: a usual one, odd ones in batches, upright, smaller than the grid, and full HD."""

MIN_LABEL_AGREEMENT = 0.999
MAX_PROBABILITY_DIFFERENCE = 1e-3
MAX_LANDMARK_DIFFERENCE_CELLS = 0.1

_SEED = 20_090
_TIE = 1e-3
"""Logits closer than this are told apart by rounding alone."""

ImageNHW = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Parity:
    """How well onnxruntime agrees with PyTorch on one batch of images.

    Attributes:
        shape: N, H, W.
        label_agreement: share of equal labels, 0-1.
        probability_difference: largest, of class probabilities, visibilities and view scores.
        landmark_difference_cells: largest, of positions and sigmas, in cells of the grid; landmarks whose heat map has
            two equally high places far apart are left out, because rounding alone decides between them.
    """

    shape: tuple[int, int, int]
    label_agreement: float
    probability_difference: float
    landmark_difference_cells: float

    @property
    def is_close(self) -> bool:
        """Whether rounding explains the differences; false for NaN."""
        return (
            self.label_agreement >= MIN_LABEL_AGREEMENT
            and self.probability_difference <= MAX_PROBABILITY_DIFFERENCE
            and self.landmark_difference_cells <= MAX_LANDMARK_DIFFERENCE_CELLS
        )


def check_parity(graph: ExportGraph, content: bytes, name: str) -> list[Parity]:
    """Compares a model file with the module it was made from.

    Args:
        graph: in evaluation mode.
        content: of the model file.
        name: of the model, for messages.

    Raises:
        ModelError: onnxruntime cannot run it, or an output differs by more than rounding explains.
    """
    try:
        session = onnxruntime.InferenceSession(content, _options(), providers=["CPUExecutionProvider"])
        results = [_compare(graph, session, image_NHW) for image_NHW in trial_images()]
    except Exception as error:  # onnxruntime's exceptions have no common base
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise ModelError(f"onnxruntime cannot run the export ({first})", where=name) from error
    for parity in results:
        if not parity.is_close:
            raise _disagreement(parity, name)
    return results


def trial_images() -> Iterator[ImageNHW]:
    """One batch for each of `SHAPES`, of fine and coarse speckle, and one of extremes: black, white, a step, noise."""
    rng = np.random.default_rng(_SEED)
    for number, height, width in SHAPES:
        yield np.stack([_texture(rng, height, width, 1.0 + 3.0 * index) for index in range(number)])
    extremes = np.zeros((4, 120, 200), np.uint8)
    extremes[1], extremes[2, 60:] = 255, 255
    extremes[3] = rng.integers(0, 256, (120, 200))
    yield extremes


def _texture(rng: np.random.Generator, height: int, width: int, grain_px: float) -> npt.NDArray[np.uint8]:
    """Speckle on broad blobs, with a shadow's edges and bright lines: something for every filter of a network."""
    noise_HW = cv2.GaussianBlur(rng.rayleigh(1.0, (height, width)).astype(np.float32), (0, 0), grain_px)
    speckle_HW = 75 + 45 * (noise_HW - noise_HW.mean()) / noise_HW.std()
    blobs = rng.uniform(0.2, 1.8, (6, 8)).astype(np.float32)
    image_HW = speckle_HW * cv2.resize(blobs, (width, height), interpolation=cv2.INTER_CUBIC)
    image_HW[:, width // 3 : width // 2] *= 0.3
    image_HW[:: height // 6] += 120
    return np.asarray(np.clip(image_HW, 0, 255), np.uint8)


def _options() -> Any:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    return options


def _compare(graph: ExportGraph, session: Any, image_NHW: ImageNHW) -> Parity:
    with torch.inference_mode():
        tensor = torch.from_numpy(image_NHW)
        ours = [output.numpy() for output in graph(tensor)]
        is_clear_NK = _is_clear(graph.interpretation(tensor).heatmap_logits_NKHW).numpy()
    theirs = session.run(list(OUTPUTS), {INPUT_IMAGE: image_NHW})
    labels, probabilities, landmarks, view = (
        np.abs(one.astype(np.float64) - other) for one, other in zip(ours, theirs, strict=True)
    )
    px_per_cell = max(image_NHW.shape[1:]) / graph.grid_size
    return Parity(
        shape=(image_NHW.shape[0], image_NHW.shape[1], image_NHW.shape[2]),
        label_agreement=float((labels == 0).mean()),
        probability_difference=float(max(probabilities.max(), landmarks[..., 3].max(), view.max())),
        landmark_difference_cells=float(landmarks[is_clear_NK][:, :3].max(initial=0)) / px_per_cell,
    )


def _is_clear(heatmaps_NKHW: Tensor) -> Tensor:
    """Whether a heat map has no second place as high as its highest, farther away than the reader's window, [N, K]."""
    size = heatmaps_NKHW.shape[3]
    flat_NKC = heatmaps_NKHW.flatten(2)
    highest, where = flat_NKC.max(dim=2, keepdim=True)
    cells_C = torch.arange(size * size)
    far_NKC = (
        torch.maximum((cells_C // size - where // size).abs(), (cells_C % size - where % size).abs()) > WINDOW_CELLS
    )
    return ~((flat_NKC >= highest - _TIE) & far_NKC).any(dim=2)


def _disagreement(parity: Parity, name: str) -> ModelError:
    return ModelError(
        f"onnxruntime and PyTorch disagree on {'x'.join(map(str, parity.shape))} images: "
        f"{parity.label_agreement:.4%} of labels equal, probabilities {parity.probability_difference:.2g} and "
        f"landmarks {parity.landmark_difference_cells:.2g} cells apart",
        where=name,
        expected=f"at least {MIN_LABEL_AGREEMENT:.1%} of labels equal, and numbers within rounding",
        mend="the network holds an operation that is exported wrongly; nothing was written",
    )
