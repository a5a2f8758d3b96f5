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
from hipseg.models.recurrent import state_shapes
from hipseg.runtime.contract import INPUT_IMAGE, NEXT, OUTPUTS

SHAPES = ((1, 480, 640), (2, 333, 517), (3, 97, 61), (1, 256, 256), (1, 1080, 1920))
"""Images, rows, columns: a usual one, odd ones in batches, upright, smaller than the grid, and full HD."""

MIN_LABEL_AGREEMENT = 0.999
MAX_PROBABILITY_DIFFERENCE = 1e-3
MAX_LANDMARK_DIFFERENCE_CELLS = 0.1

NUM_FRAMES = 4
"""A network that remembers is compared on the last of so many frames, each side with what it remembers itself."""

_SEED = 20_090
_TIE = 1e-3
"""Logits closer than this are told apart by rounding alone."""

ImageNHW = npt.NDArray[np.uint8]
Values = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Parity:
    """How well onnxruntime agrees with PyTorch on one batch of images.

    Attributes:
        shape: N, H, W.
        label_agreement: share of equal labels, 0-1.
        probability_difference: largest, of class probabilities, visibilities and view scores.
        landmark_difference_cells: largest, of positions and sigmas, in cells of the grid; landmarks whose heat map has
            two equally high places far apart are left out, because rounding alone decides between them.
        num_frames: in a row, of which the last is compared; 1 for a network without memory.
        state_difference: largest, of what is remembered in the end.
    """

    shape: tuple[int, int, int]
    label_agreement: float
    probability_difference: float
    landmark_difference_cells: float
    num_frames: int = 1
    state_difference: float = 0.0

    @property
    def is_close(self) -> bool:
        """Whether rounding explains the differences; false for NaN."""
        return (
            self.label_agreement >= MIN_LABEL_AGREEMENT
            and self.probability_difference <= MAX_PROBABILITY_DIFFERENCE
            and self.landmark_difference_cells <= MAX_LANDMARK_DIFFERENCE_CELLS
            and self.state_difference <= MAX_PROBABILITY_DIFFERENCE
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
    shapes = state_shapes(graph.network, graph.grid_size)
    names = [*OUTPUTS, *(NEXT + name for name in shapes)]
    our_state = their_state = [np.zeros((len(image_NHW), *shape), np.float32) for shape in shapes.values()]
    clip = [np.roll(image_NHW, 2 * number, axis=2) for number in range(NUM_FRAMES if shapes else 1)]
    for frame_NHW in clip:
        inputs = torch.from_numpy(frame_NHW), *map(torch.from_numpy, our_state)
        with torch.inference_mode():
            *ours, state = graph(*inputs)
            is_clear_NK = _is_clear(graph.interpretation(inputs[0], inputs[1:])[0].heatmap_logits_NKHW).numpy()
        our_state = [part.numpy() for part in state]
        theirs = session.run(names, {INPUT_IMAGE: frame_NHW, **dict(zip(shapes, their_state, strict=True))})
        their_state = theirs[len(OUTPUTS) :]
    labels, probabilities, landmarks, view = (
        _difference(one.numpy(), other) for one, other in zip(ours, theirs, strict=False)
    )
    px_per_cell = max(image_NHW.shape[1:]) / graph.grid_size
    return Parity(
        shape=(image_NHW.shape[0], image_NHW.shape[1], image_NHW.shape[2]),
        label_agreement=float((labels == 0).mean()),
        probability_difference=float(max(probabilities.max(), landmarks[..., 3].max(), view.max())),
        landmark_difference_cells=float(landmarks[is_clear_NK][:, :3].max(initial=0)) / px_per_cell,
        num_frames=len(clip),
        state_difference=max((float(each.max()) for each in map(_difference, our_state, their_state)), default=0.0),
    )


def _difference(one: Values, other: Values) -> Values:
    return np.abs(one.astype(np.float64) - other)


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
        f"{parity.label_agreement:.4%} of labels equal, probabilities {parity.probability_difference:.2g}, "
        f"landmarks {parity.landmark_difference_cells:.2g} cells and states {parity.state_difference:.2g} apart",
        where=name,
        expected=f"at least {MIN_LABEL_AGREEMENT:.1%} of labels equal, and numbers within rounding",
        mend="the network holds an operation that is exported wrongly; nothing was written",
    )
