"""How each of the others segments an image: the network alone is handed over, what lies around it they do themselves.

Around the network all but FAST do what one would write with OpenCV: the image is made square, resized to the grid and
divided by 255, and the class of the highest channel goes back to the image's size. hipseg does more: landmarks,
probabilities and the view, on a grid laid with antialiasing.
"""

from __future__ import annotations

import contextlib
import importlib
import subprocess
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import torch

from hipseg.anatomy import NUM_CLASSES
from hipseg.evaluation.latency.pairing import Work
from hipseg.frame import ImageHW
from hipseg.models.outputs import NUM_OUTPUT_CHANNELS
from hipseg.training.checkpoint import load_weights, read_weights
from hipseg.training.components import make

Array = npt.NDArray[np.float32]
Network = Callable[[Array], Array]

_WORKER = Path(__file__).with_name("fast_worker.py")
_SILENT = 4
"""onnxruntime's level of logging at which it raises its errors and no more prints them as well."""
_PATIENCE_S = 300.0
"""For FAST to come up: its first picture compiles for the device."""


class AbsentError(Exception):
    """A peer that cannot take part; the message is the reason."""


@dataclass(frozen=True)
class Task:
    """What all are given.

    Attributes:
        network: ONNX file of the network alone, [1, 1, S, S].
        grid_size: S.
        num_threads: of each.
        pictures: folder of the frames as PNG files.
        images: the same frames in memory, in order.
        checkpoint: weights for PyTorch, None where the model has none.
        training: the configuration that the network is built from in PyTorch.
        fast_python: of an environment with pyfast.
    """

    network: Path
    grid_size: int
    num_threads: int
    pictures: Path
    images: list[ImageHW]
    checkpoint: Path | None
    training: Mapping[str, Any]
    fast_python: Path | None


def plain_onnxruntime(task: Task, stack: ExitStack) -> Work:
    """onnxruntime as it comes, but for the number of threads."""
    del stack
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = task.num_threads
    options.log_severity_level = _SILENT
    try:
        session = onnxruntime.InferenceSession(str(task.network), options, providers=["CPUExecutionProvider"])
        name = session.get_inputs()[0].name
        work = _around(lambda grid: session.run(None, {name: grid})[0], task.grid_size)
        work(task.images[0])  # networks of 8-bit integers load, and then do not run without what lies around them
    except Exception as error:  # its exceptions have no common base
        raise AbsentError(f"cannot run the network alone ({_first_line(error)})") from error
    return work


def openvino(task: Task, stack: ExitStack) -> Work:
    """OpenVINO, set for latency."""
    del stack
    try:
        library = importlib.import_module("openvino")
    except ImportError as error:
        raise AbsentError(f"{error}; pip install openvino") from error
    settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": task.num_threads}
    try:
        compiled = library.Core().compile_model(str(task.network), "CPU", settings)
    except RuntimeError as error:
        raise AbsentError(f"cannot read the network ({_first_line(error)})") from error
    return _around(lambda grid: np.asarray(compiled(grid)[0]), task.grid_size)


def monai_pytorch(task: Task, stack: ExitStack) -> Work:
    """MONAI's sliding window, of one window, over the network in PyTorch."""
    if task.checkpoint is None or "model" not in task.training:
        raise AbsentError("the model comes without its weights for PyTorch")
    inferers = importlib.import_module("monai.inferers")
    network = make(task.training["model"], "model")
    load_weights(network, read_weights(task.checkpoint), where=task.checkpoint)
    network.eval()
    before = torch.get_num_threads()
    torch.set_num_threads(task.num_threads)
    stack.callback(torch.set_num_threads, before)
    window = inferers.SlidingWindowInferer(roi_size=(task.grid_size, task.grid_size), sw_batch_size=1)

    def run(grid: Array) -> Array:
        with torch.inference_mode():
            found: Array = window(torch.from_numpy(grid), network).numpy()
        return found

    return _around(run, task.grid_size)


class Fast:
    """FAST in a process of its own, which takes one picture after the other.

    Args:
        task: with the Python to run it with.
        stack: ends the process.

    Raises:
        AbsentError: no such Python, or FAST does not come up in it.
    """

    def __init__(self, task: Task, stack: ExitStack) -> None:
        if task.fast_python is None:
            raise AbsentError("no Python with pyfast was named: --fast-python ENVIRONMENT/bin/python")
        command = [str(task.fast_python), str(_WORKER), str(task.network), str(task.pictures)]
        # Into a file: a pipe that nobody empties would hold up the process once it has said much.
        self._log = task.network.with_name("fast.log")
        try:
            with self._log.open("w") as log:
                self._process = subprocess.Popen(
                    command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
                )
        except OSError as error:
            raise AbsentError(f"cannot be run ({error})") from error
        stack.callback(self._end)
        self._positions = {id(image_HW): position for position, image_HW in enumerate(task.images)}
        patience = threading.Timer(_PATIENCE_S, self._process.kill)
        patience.start()
        try:
            self._answer()
            self.from_memory(task.images[0])
            self.from_file(task.images[0])
        finally:
            patience.cancel()

    def from_memory(self, image_HW: ImageHW) -> object:
        """A picture that is in memory, to its label map."""
        return self._ask("memory", image_HW)

    def from_file(self, image_HW: ImageHW) -> object:
        """The same picture from its file."""
        return self._ask("file", image_HW)

    def _ask(self, where: str, image_HW: ImageHW) -> str:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # then there is no answer, but a reason
            self._process.stdin.write(f"{where} {self._positions[id(image_HW)]}\n")
            self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._process.wait()
            said = [each for each in self._log.read_text(errors="replace").splitlines() if each.strip()]
            raise AbsentError(f"FAST gave up ({said[-1] if said else 'without a word'})")
        return line

    def _end(self) -> None:
        self._process.kill()
        self._process.communicate()


def fix_sizes(network: onnx.ModelProto) -> onnx.ModelProto:
    """One image at a time: FAST and OpenVINO plan better for a size they know."""
    for value in (*network.graph.input, *network.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = 1
    return onnx.shape_inference.infer_shapes(_without_names(network))


def _without_names(network: onnx.ModelProto) -> onnx.ModelProto:
    """Output sizes are found anew."""
    for value in network.graph.output:
        for axis in list(value.type.tensor_type.shape.dim)[1:]:
            axis.Clear()
    return network


def _around(network: Network, grid_size: int) -> Work:
    def segment(image_HW: ImageHW) -> object:
        height, width = image_HW.shape
        longer = max(height, width)
        left = (longer - width) // 2
        square_SS = np.zeros((longer, longer), np.uint8)
        square_SS[:height, left : left + width] = image_HW
        grid_SS = cv2.resize(square_SS, (grid_size, grid_size), interpolation=cv2.INTER_AREA)
        channels_CHW = _whole(network(np.asarray(grid_SS, np.float32)[None, None] / np.float32(255))[0])
        labels_HW = channels_CHW[:NUM_CLASSES].argmax(axis=0).astype(np.uint8)
        labels_SS = cv2.resize(labels_HW, (longer, longer), interpolation=cv2.INTER_NEAREST)
        return np.ascontiguousarray(labels_SS[:height, left : left + width])

    return segment


def _whole(channels_CHW: Array) -> Array:
    """Lays out the cells between those of a coarser grid, which come as further channels, as the model file does."""
    fold = round((len(channels_CHW) / NUM_OUTPUT_CHANNELS) ** 0.5)
    _, height, width = channels_CHW.shape
    parts = channels_CHW.reshape(-1, fold, fold, height, width)
    return parts.transpose(0, 3, 1, 4, 2).reshape(-1, height * fold, width * fold)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
