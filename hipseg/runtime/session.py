"""Running an exported model with onnxruntime: one image in, one segmentation out."""

from __future__ import annotations

import re
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import onnxruntime

from hipseg.errors import ModelError, UsageError, nearest_name
from hipseg.runtime import contract as names
from hipseg.runtime.conformity import EXPECTED, MEND, read_contract
from hipseg.runtime.grid import Grid
from hipseg.runtime.models import DEFAULT_MODEL, read_model
from hipseg.runtime.segmentation import Landmark, Segmentation
from hipseg.runtime.threads import checked_num_threads

PROVIDERS = {"cpu": "CPUExecutionProvider"}

_LOG_FATAL_ONLY = 4


class _Outputs(NamedTuple):
    """In the order of `contract.OUTPUTS`."""

    labels_NHW: npt.NDArray[np.uint8]
    probabilities_NCHW: npt.NDArray[np.float32]
    landmarks_NK4: npt.NDArray[np.float32]
    view_score_N: npt.NDArray[np.float32]


class Session:
    """A loaded model. It may be called from several threads, and several sessions may live in one process.

    Args:
        path_or_name: a name on the shelf, a model file or its folder.
        num_threads: None takes the physical cores, or the cgroup's quota where that is less.
        provider: who computes; "cpu".

    Attributes:
        contract: what the model says about itself.
        path, sha256: of the model file.
        provider, num_threads: in use.

    Raises:
        ModelError: missing, changed since its release, not an ONNX file, or not of the contract.
        UsageError: an unknown provider or number of threads.
    """

    def __init__(
        self, path_or_name: str | Path = DEFAULT_MODEL, *, num_threads: int | None = None, provider: str = "cpu"
    ) -> None:
        self.num_threads, self.provider = checked_num_threads(num_threads), _checked_provider(provider)
        model = read_model(path_or_name)
        self.path, self.sha256 = model.path, model.sha256
        self._session: Any = _load(model.content, str(model.path), self.num_threads, provider)
        self.contract = read_contract(self._session, str(model.path))

    def segment(self, image_HW: npt.NDArray[np.uint8]) -> Segmentation:
        """Segments one image.

        Args:
            image_HW: grey levels 0-255 of the scan region, uint8, any size from 1x1.

        Returns:
            Labels at the image's size, probabilities on the network's grid, landmarks in the image's pixels.

        Raises:
            ModelError: an output is not finite, or not of the size the contract tells. A broken model gives no
                segmentation rather than one that looks like "nothing there".
        """
        if image_HW.dtype != np.uint8 or image_HW.ndim != 2 or not image_HW.size:
            raise ValueError(f"image of {image_HW.dtype} {image_HW.shape}; expected uint8 [H, W], not empty")
        height, width = image_HW.shape
        grid = Grid(height, width, self.contract.grid_size)
        outputs = self._run(np.ascontiguousarray(image_HW)[None])
        self._check(outputs, grid)
        points = zip(self.contract.landmarks, outputs.landmarks_NK4[0].tolist(), strict=True)
        return Segmentation(
            labels_HW=outputs.labels_NHW[0],
            probabilities_CHW=outputs.probabilities_NCHW[0],
            grid=grid,
            landmarks={name: Landmark(*row) for name, row in points},
            view_score=float(outputs.view_score_N[0]),
        )

    def close(self) -> None:
        """Lets go of the model; may be called twice. A closed session segments no more."""
        self._session = None

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _run(self, image_NHW: npt.NDArray[np.uint8]) -> _Outputs:
        assert self._session is not None, "the session is closed"
        try:
            return _Outputs(*self._session.run(list(names.OUTPUTS), {names.INPUT_IMAGE: image_NHW}))
        except Exception as error:  # onnxruntime's exceptions have no common base
            shape = "x".join(map(str, image_NHW.shape))
            raise ModelError(f"failed on an image of {shape} ({_reason(error)})", where=self.path) from error

    def _check(self, outputs: _Outputs, grid: Grid) -> None:
        sizes = {
            names.OUTPUT_LABELS: (outputs.labels_NHW.shape[1:], (grid.height, grid.width)),
            names.OUTPUT_PROBABILITIES: (outputs.probabilities_NCHW.shape[2:], (grid.size, grid.size)),
        }
        for name, (size, expected) in sizes.items():
            if size != expected:
                raise ModelError(f"output '{name}' of size {size}", where=self.path, expected=f"size {expected}")
        for name, values in zip(names.OUTPUTS[1:], outputs[1:], strict=True):
            # A sum is finite only if all of it is, and much cheaper than a look at each.
            if not np.isfinite(values.sum()):
                raise ModelError(f"output '{name}' is not finite", where=self.path, mend="use another model")


def _checked_provider(provider: str) -> str:
    if provider not in PROVIDERS:
        raise UsageError(f"unknown provider '{provider}'", where="provider", mend=nearest_name(provider, PROVIDERS))
    return provider


def _load(content: bytes, where: str, num_threads: int, provider: str) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = num_threads, 1
    # A thread that spins while it waits for the next frame starves decoding, display and other sessions.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = _LOG_FATAL_ONLY
    try:
        return onnxruntime.InferenceSession(content, options, providers=[PROVIDERS[provider]])
    except Exception as error:  # onnxruntime's exceptions have no common base
        what = f"not an ONNX model that can be loaded ({_reason(error)})" if content else "the file is empty"
        raise ModelError(what, where=where, expected=EXPECTED, mend=MEND) from error


def _reason(error: Exception) -> str:
    """What onnxruntime says, without its error codes and the places in its own source code."""
    first = (str(error).splitlines() or [type(error).__name__])[0]
    said = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", first)
    return re.sub(r"^\S*/onnxruntime/\S+ .*?\(\) ", "", said).rstrip(". ")
