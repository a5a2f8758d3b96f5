"""Other people's ONNX models, fed and understood through a mapping file."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import onnxruntime

from hipseg.anatomy import NUM_CLASSES
from hipseg.errors import ModelError
from hipseg.evaluation.predictors.mapping import LabelMapping
from hipseg.evaluation.predictors.predictor import GRID_SIZE, PredictorInfo, Subject, segmentation_of_labels
from hipseg.frame import ImageHW
from hipseg.runtime.grid import Grid
from hipseg.runtime.segmentation import Segmentation

ProbabilitiesCHW = npt.NDArray[np.float32]

_SUM_TOLERANCE = 1e-2
_LOG_FATAL_ONLY = 4


class ForeignModel:
    """A network with one float image in and class probabilities, logits or labels out.

    Args:
        path: of the ONNX file.
        mapping: see `predictors.mapping`.
        num_threads: of one frame.

    Raises:
        ModelError: it cannot be loaded, or has no output of the mapping's name.
    """

    def __init__(self, path: Path, mapping: LabelMapping, *, num_threads: int = 1) -> None:
        self._path, self._mapping = path, mapping
        content = _read(path)
        self._session = _load(content, path, num_threads)
        names = [output.name for output in self._session.get_outputs()]
        self._output = mapping.output.name or names[0]
        if self._output not in names:
            raise ModelError(f"has no output '{self._output}'", where=path, expected=f"one of {', '.join(names)}")
        self._info = PredictorInfo(
            name=mapping.name,
            vocabulary=mapping.vocabulary,
            sha256=hashlib.sha256(content).hexdigest(),
            has_probabilities=mapping.output.kind != "labels",
        )

    @property
    def info(self) -> PredictorInfo:
        """As the mapping names it; a foreign model gives neither landmarks nor a view score."""
        return self._info

    def predict(self, subject: Subject) -> Segmentation:
        """Segments one image.

        Raises:
            ModelError: the model fails, or its answer is not finite, of another shape or number of classes than the
                mapping tells, or "softmax" does not sum to one.
        """
        size = self._input_size(subject.image_HW)
        tensor, used = _fed(subject.image_HW, size, self._mapping)
        raw = np.asarray(self._run(tensor))
        if self._mapping.output.kind == "labels":
            return segmentation_of_labels(self._labels(raw, used, size, subject.image_HW))
        probabilities_CHW = _regrown(self._probabilities(raw), used, size, subject.image_HW)
        return _segmentation(probabilities_CHW)

    def _input_size(self, image_HW: ImageHW) -> tuple[int, int]:
        """Height and width: of the mapping, else of the model, else of the image."""
        if self._mapping.input.size is not None:
            height, width = self._mapping.input.size
            return height, width
        shape = self._session.get_inputs()[0].shape
        sides = shape[2:4] if self._mapping.input.layout == "NCHW" else shape[1:3]
        fixed = len(sides) == 2 and all(isinstance(side, int) and side > 0 for side in sides)
        return (sides[0], sides[1]) if fixed else (image_HW.shape[0], image_HW.shape[1])

    def _run(self, tensor: npt.NDArray[np.float32]) -> Any:
        name = self._session.get_inputs()[0].name
        try:
            return self._session.run([self._output], {name: tensor})[0]
        except Exception as error:  # onnxruntime's exceptions have no common base
            shape, reason = "x".join(map(str, tensor.shape)), (str(error).splitlines() or [""])[0]
            mend = "correct 'input' in the mapping file"
            raise ModelError(f"refuses an input of {shape} ({reason})", where=self._path, mend=mend) from error

    def _probabilities(self, raw: npt.NDArray[Any]) -> ProbabilitiesCHW:
        """The answer under our ids, [C, h, w]."""
        if raw.ndim != 4 or raw.shape[0] != 1:
            raise ModelError(f"output of shape {raw.shape}", where=self._path, expected="four axes, the first of 1")
        theirs_CHW = (raw[0] if self._mapping.output.layout == "NCHW" else np.moveaxis(raw[0], 2, 0)).astype(np.float32)
        ids = self._mapping.ids
        if theirs_CHW.shape[0] != len(ids) or set(ids) != set(range(len(ids))):
            what = f"gives {theirs_CHW.shape[0]} classes"
            expected = f"the {len(ids)} of the mapping file, numbered from 0"
            raise ModelError(what, where=self._path, expected=expected, mend="map every class of the model")
        if not np.isfinite(theirs_CHW.sum()):
            raise ModelError(f"output '{self._output}' is not finite", where=self._path)
        if self._mapping.output.kind == "logits":
            theirs_CHW = _softmax(theirs_CHW)
        self._refuse_no_probabilities(theirs_CHW)
        ours_CHW = np.zeros((NUM_CLASSES, *theirs_CHW.shape[1:]), np.float32)
        for theirs, ours in ids.items():
            ours_CHW[ours] += theirs_CHW[theirs]
        return ours_CHW

    def _refuse_no_probabilities(self, theirs_CHW: ProbabilitiesCHW) -> None:
        total_HW = theirs_CHW.sum(axis=0)
        worst = float(total_HW.flat[np.abs(total_HW - 1).argmax()])
        if abs(worst - 1) > _SUM_TOLERANCE or theirs_CHW.min() < -_SUM_TOLERANCE:
            raise ModelError(
                f"its 'softmax' sums to {worst:.3g} at one pixel",
                where=self._path,
                expected="1",
                mend="say 'output.kind: logits' if it ends before softmax",
            )

    def _labels(
        self, raw: npt.NDArray[Any], used: tuple[int, int], size: tuple[int, int], image_HW: ImageHW
    ) -> npt.NDArray[np.uint8]:
        if raw.size == 0 or raw.squeeze().ndim != 2:
            raise ModelError(f"output of shape {raw.shape}", where=self._path, expected="one label map")
        theirs_HW, ids = raw.squeeze(), self._mapping.ids
        unknown = set(np.unique(theirs_HW).tolist()) - set(ids)
        if unknown:
            raise ModelError(f"gives id {min(unknown)}", where=self._path, expected="ids of the mapping file")
        labels_HW = np.zeros(theirs_HW.shape, np.uint8)
        for theirs, ours in ids.items():
            labels_HW[theirs_HW == theirs] = ours
        return np.asarray(_back(labels_HW, used, size, image_HW, cv2.INTER_NEAREST), np.uint8)


def _fed(
    image_HW: ImageHW, size: tuple[int, int], mapping: LabelMapping
) -> tuple[npt.NDArray[np.float32], tuple[int, int]]:
    """The input tensor, and the height and width of the part of it that the image takes."""
    used = size
    if mapping.input.resize == "pad":
        scale = min(size[0] / image_HW.shape[0], size[1] / image_HW.shape[1])
        used = max(round(image_HW.shape[0] * scale), 1), max(round(image_HW.shape[1] * scale), 1)
    shrinks = used[0] * used[1] < image_HW.size
    resized_HW = cv2.resize(image_HW, used[::-1], interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    values_HW = np.zeros(size, np.float32)
    values_HW[: used[0], : used[1]] = (resized_HW.astype(np.float32) - mapping.input.mean) / mapping.input.std
    axis = 1 if mapping.input.layout == "NCHW" else 3
    return np.repeat(np.expand_dims(values_HW[None], axis), mapping.input.channels, axis=axis), used


def _regrown(
    probabilities_CHW: ProbabilitiesCHW, used: tuple[int, int], size: tuple[int, int], image_HW: ImageHW
) -> ProbabilitiesCHW:
    return np.stack([_back(one_HW, used, size, image_HW, cv2.INTER_LINEAR) for one_HW in probabilities_CHW])


def _back(
    map_HW: npt.NDArray[Any], used: tuple[int, int], size: tuple[int, int], image_HW: ImageHW, interpolation: int
) -> npt.NDArray[Any]:
    """An output map of any resolution at the image's size, the padding of the input cut away."""
    height = max(round(map_HW.shape[0] * used[0] / size[0]), 1)
    width = max(round(map_HW.shape[1] * used[1] / size[1]), 1)
    resized = cv2.resize(map_HW[:height, :width], image_HW.shape[::-1], interpolation=interpolation)
    return np.asarray(resized)


def _segmentation(probabilities_CHW: ProbabilitiesCHW) -> Segmentation:
    """Labels at the image's size, probabilities on the grid that guidance knows."""
    _, height, width = probabilities_CHW.shape
    grid = Grid(height, width, GRID_SIZE)
    matrix = grid.affine()
    on_grid = [
        cv2.warpAffine(one_HW, matrix, (GRID_SIZE, GRID_SIZE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        for one_HW in probabilities_CHW
    ]
    labels_HW = probabilities_CHW.argmax(axis=0).astype(np.uint8)
    return Segmentation(labels_HW, np.stack(on_grid), grid, {}, 1.0)


def _softmax(logits_CHW: ProbabilitiesCHW) -> ProbabilitiesCHW:
    powers_CHW = np.exp(logits_CHW - logits_CHW.max(axis=0))
    return np.asarray(powers_CHW / powers_CHW.sum(axis=0), np.float32)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"cannot be read ({error.strerror})", where=path) from error


def _load(content: bytes, path: Path, num_threads: int) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = num_threads, 1
    options.log_severity_level = _LOG_FATAL_ONLY
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # as above
        reason = (str(error).splitlines() or [""])[0]
        raise ModelError(f"not an ONNX model that can be loaded ({reason})", where=path) from error
