"""Running an exported model with onnxruntime: one image in, one segmentation out."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import onnxruntime

from hipseg.errors import ModelError, UsageError
from hipseg.runtime import contract as names
from hipseg.runtime.conformity import EXPECTED, MEND, read_contract
from hipseg.runtime.grid import Grid
from hipseg.runtime.models import DEFAULT_MODEL, ModelFile, read_model
from hipseg.runtime.providers import AUTO, CPU, PROVIDERS, candidates, check_in_use
from hipseg.runtime.segmentation import Landmark, Segmentation
from hipseg.runtime.threads import checked_num_threads

_LOG_FATAL_ONLY = 4
_MILLI = 1e3
_NUM_WARM_UP = 2
"""The first run plans the memory for a size, the second one is the first that is as fast as all others."""


State = Mapping[str, npt.NDArray[np.float32]]
"""What a model that remembers hands on from frame to frame, by the names of its contract, each [1, C, H, W]."""

FIRST_FRAME: State = MappingProxyType({})
"""Nothing is remembered: the state of every model before its first frame, and always of one without memory."""


class _Outputs(NamedTuple):
    """In the order of `contract.OUTPUTS`, then the state after the frame."""

    labels_NHW: npt.NDArray[np.uint8]
    probabilities_NCHW: npt.NDArray[np.float32]
    landmarks_NK4: npt.NDArray[np.float32]
    view_score_N: npt.NDArray[np.float32]
    state: State


class Session:
    """A loaded model. It may be called from several threads, and several sessions may live in one process.

    Args:
        path_or_name: a name on the shelf, a model file or its folder.
        num_threads: None takes the physical cores, or the cgroup's quota where that is less.
        provider: who computes, a name of `providers.PROVIDERS`, or "auto" for the best one that starts here.

    Attributes:
        contract: what the model says about itself.
        path, sha256: of the model file.
        provider, num_threads: in use.
        load_ms: how long reading, checking and planning the model took.

    Raises:
        ModelError: missing, changed since its release, not an ONNX file, or not of the contract.
        UsageError: an unknown or missing provider, or a number of threads that makes no sense.
    """

    def __init__(
        self, path_or_name: str | Path = DEFAULT_MODEL, *, num_threads: int | None = None, provider: str = CPU
    ) -> None:
        self.num_threads = checked_num_threads(num_threads)
        names_to_try = candidates(provider)
        begin_s = time.perf_counter()
        model = read_model(path_or_name)
        self.path, self.sha256 = model.path, model.sha256
        self.provider, session = _start(model, self.num_threads, names_to_try, is_choice=provider == AUTO)
        self._session: Any = session
        self.contract = read_contract(self._session, str(model.path))
        self._zeros = {name: np.zeros((1, *shape), np.float32) for name, shape in self.contract.state.items()}
        self.load_ms = _MILLI * (time.perf_counter() - begin_s)

    def warm_up(self, height: int, width: int) -> float:
        """Runs the model on empty images of a size, so that the first real frame of it is as fast as the others.

        Returns:
            Milliseconds that the first run took: the cold start, besides `load_ms`.
        """
        image_HW = np.zeros((height, width), np.uint8)
        begin_s = time.perf_counter()
        self._run(image_HW[None])
        first_ms = _MILLI * (time.perf_counter() - begin_s)
        for _ in range(_NUM_WARM_UP - 1):
            self._run(image_HW[None])
        return first_ms

    def segment(self, image_HW: npt.NDArray[np.uint8]) -> Segmentation:
        """Segments one image, which a model that remembers takes for the first frame of a clip; see `step`."""
        return self.step(image_HW)[0]

    def step(self, image_HW: npt.NDArray[np.uint8], state: State = FIRST_FRAME) -> tuple[Segmentation, State]:
        """Segments one frame of a clip. `runtime.recall.Recall` does so for the frames of a stream.

        Args:
            image_HW: grey levels 0-255 of the scan region, uint8, any size from 1x1.
            state: after the frame before, as this method gave it.

        Returns:
            Labels at the image's size, probabilities on the network's grid, landmarks in the image's pixels; and the
            state after this frame.

        Raises:
            ModelError: an output is not finite, or not of the size the contract tells. A broken model gives no
                segmentation rather than one that looks like "nothing there".
        """
        if image_HW.dtype != np.uint8 or image_HW.ndim != 2 or not image_HW.size:
            raise ValueError(f"image of {image_HW.dtype} {image_HW.shape}; expected uint8 [H, W], not empty")
        height, width = image_HW.shape
        grid = _grid(height, width, self.contract.grid_size)
        outputs = self._run(np.ascontiguousarray(image_HW)[None], state)
        self._check(outputs, grid)
        points = zip(self.contract.landmarks, outputs.landmarks_NK4[0].tolist(), strict=True)
        segmentation = Segmentation(
            labels_HW=outputs.labels_NHW[0],
            probabilities_CHW=outputs.probabilities_NCHW[0],
            grid=grid,
            landmarks={name: Landmark(*row) for name, row in points},
            view_score=float(outputs.view_score_N[0]),
        )
        return segmentation, outputs.state

    def close(self) -> None:
        """Lets go of the model; may be called twice. A closed session segments no more."""
        self._session = None

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _run(self, image_NHW: npt.NDArray[np.uint8], state: State = FIRST_FRAME) -> _Outputs:
        assert self._session is not None, "the session is closed"
        inputs = {names.INPUT_IMAGE: image_NHW, **self._zeros, **state}
        try:
            labels, probabilities, landmarks, view, *after = self._session.run(list(self.contract.outputs), inputs)
        except Exception as error:  # onnxruntime's exceptions have no common base
            shape = "x".join(map(str, image_NHW.shape))
            raise ModelError(f"failed on an image of {shape} ({_reason(error)})", where=self.path) from error
        return _Outputs(labels, probabilities, landmarks, view, dict(zip(self.contract.state, after, strict=True)))

    def _check(self, outputs: _Outputs, grid: Grid) -> None:
        sizes = {
            names.OUTPUT_LABELS: (outputs.labels_NHW.shape[1:], (grid.height, grid.width)),
            names.OUTPUT_PROBABILITIES: (outputs.probabilities_NCHW.shape[2:], (grid.size, grid.size)),
        }
        for name, (size, expected) in sizes.items():
            if size != expected:
                raise ModelError(f"output '{name}' of size {size}", where=self.path, expected=f"size {expected}")
        numbers = [outputs.probabilities_NCHW, outputs.landmarks_NK4, outputs.view_score_N, *outputs.state.values()]
        for name, values in zip(self.contract.outputs[1:], numbers, strict=True):
            # A sum is finite only if all of it is, and much cheaper than a look at each.
            if not np.isfinite(values.sum()):
                raise ModelError(f"output '{name}' is not finite", where=self.path, mend="use another model")


@lru_cache(maxsize=32)
def _grid(height: int, width: int, size: int) -> Grid:
    """The grid for images of a size, planned once."""
    return Grid(height, width, size)


def _start(model: ModelFile, num_threads: int, providers: list[str], *, is_choice: bool) -> tuple[str, Any]:
    """The first of several providers that starts. The last one, which is the only one unless there is a choice, must.

    Raises:
        ModelError: the model cannot be loaded.
        UsageError: the one provider that was asked for does not start.
    """
    *preferred, last = providers
    for provider in preferred if is_choice else []:
        try:
            return provider, _load(model, num_threads, provider)
        except (ModelError, UsageError):
            continue
    return last, _load(model, num_threads, last)


def _load(model: ModelFile, num_threads: int, provider: str) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = num_threads, 1
    # A thread that spins while it waits for the next frame starves decoding, display and other sessions.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = _LOG_FATAL_ONLY
    try:
        session = onnxruntime.InferenceSession(model.content, options, providers=[PROVIDERS[provider]])
    except Exception as error:  # onnxruntime's exceptions have no common base
        what = f"not an ONNX model that can be loaded ({_reason(error)})" if model.content else "the file is empty"
        raise ModelError(what, where=model.path, expected=EXPECTED, mend=MEND) from error
    check_in_use(session, provider)
    return session


def _reason(error: Exception) -> str:
    """What onnxruntime says, without its error codes and the places in its own source code."""
    first = (str(error).splitlines() or [type(error).__name__])[0]
    said = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", first)
    return re.sub(r"^\S*/onnxruntime/\S+ .*?\(\) ", "", said).rstrip(". ")
