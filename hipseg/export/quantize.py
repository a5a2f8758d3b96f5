"""Smaller numbers for a released model: 8-bit integers, or half precision, in its network alone.

Laying the image on the grid, landmarks, labels and the contract stay as they are. Whether the result may be used is
judged by `evaluation.quantization`, on images.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import Enum
from pathlib import Path
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
import onnx
from onnx import numpy_helper
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.transformers.float16 import convert_float_to_float16

from hipseg.errors import ModelError
from hipseg.export.network_part import NetworkPart, cut_out, find_network, put_in
from hipseg.runtime.contract import INPUT_IMAGE, METADATA_KEY, ModelContract
from hipseg.runtime.models import ModelFile

ImageHW = npt.NDArray[np.uint8]

_STORED = "_stored_as_half"


class Kind(Enum):
    """How the numbers of a network are made smaller.

    INT8: weights and activations in 8 bits, one scale a channel for weights, ranges of activations from images.
    FP16: weights and activations in half precision; for providers that compute so (GPUs).
    WEIGHTS16: weights are stored in half precision and computed with in single: half the file, no other arithmetic.
    """

    INT8 = "int8"
    FP16 = "fp16"
    WEIGHTS16 = "weights16"


def quantize(model: ModelFile, kind: Kind, name: str, images: Iterable[ImageHW] = ()) -> bytes:
    """A model file with smaller numbers.

    Args:
        model: as `runtime.models.read_model` gives it.
        kind: how.
        name: of the new model, for its contract; all else in the contract stays.
        images: scan regions that INT8 takes the ranges of activations from; others need none.

    Raises:
        ModelError: not a model of the contract, it holds no network, or one that cannot be made smaller so: one that
            remembers is stored in half precision, no more.
    """
    where = str(model.path)
    with _faults_of(where):
        original = onnx.load_from_string(model.content)
    part = find_network(original, where)
    if kind is not Kind.WEIGHTS16 and _contract_of(original).state:
        # Errors of the arithmetic would add up in the state from frame to frame, and ranges would need whole clips.
        what = f"a network that remembers is not computed in {kind.value}"
        raise ModelError(what, where=where, mend=f"take {Kind.WEIGHTS16.value}: its arithmetic is the original's")
    with _faults_of(where):
        smaller = _MAKERS[kind](original, part, images)
    return _with_contract(smaller, original, name)


def _to_int8(original: onnx.ModelProto, part: NetworkPart, images: Iterable[ImageHW]) -> onnx.ModelProto:
    """All of the network but the layer that gives the channels: its outputs are logits, whose tails tell."""
    last = {node.name for node in part.last}
    with tempfile.TemporaryDirectory(prefix="hipseg-int8-") as temporary, _quiet():
        out = Path(temporary) / "int8.onnx"
        quantize_static(
            original,
            str(out),
            _Images(images),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
            nodes_to_quantize=[node.name for node in part.nodes if node.name not in last],
            # Moving averages of the ranges: one odd image does not set them for all others.
            extra_options={"CalibMovingAverage": True},
        )
        return onnx.load(out)


def _to_fp16(original: onnx.ModelProto, part: NetworkPart, images: Iterable[ImageHW]) -> onnx.ModelProto:
    """Cut out for it: the tool would round the coordinates around the network too."""
    del images
    network = cut_out(original, part, _contract_of(original).grid_size)
    return put_in(original, part, convert_float_to_float16(network, keep_io_types=True))


def _to_weights16(original: onnx.ModelProto, part: NetworkPart, images: Iterable[ImageHW]) -> onnx.ModelProto:
    """Stored in half, widened by a Cast that onnxruntime computes once, while it loads."""
    del images
    copy = onnx.ModelProto()
    copy.CopyFrom(original)
    weights = {name for node in part.weighted for name in node.input[1:]}
    casts = []
    for tensor in copy.graph.initializer:
        if tensor.name in weights and tensor.data_type == onnx.TensorProto.FLOAT:
            name, values = tensor.name, numpy_helper.to_array(tensor)
            if np.abs(values).max(initial=0) > np.finfo(np.float16).max:
                raise ValueError(f"weights '{name}' are too large for half precision")
            tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), name + _STORED))
            casts.append(onnx.helper.make_node("Cast", [name + _STORED], [name], f"widen_{name}", to=1))
    nodes = [*casts, *copy.graph.node]
    del copy.graph.node[:]
    copy.graph.node.extend(nodes)
    return copy


_MAKERS: Mapping[Kind, Callable[[onnx.ModelProto, NetworkPart, Iterable[ImageHW]], onnx.ModelProto]] = MappingProxyType(
    {Kind.INT8: _to_int8, Kind.FP16: _to_fp16, Kind.WEIGHTS16: _to_weights16}
)


class _Images(CalibrationDataReader):  # type: ignore[misc]
    """Images one by one, as onnxruntime's calibration asks for them."""

    def __init__(self, images: Iterable[ImageHW]) -> None:
        self._left = iter(images)

    def get_next(self) -> dict[str, npt.NDArray[np.uint8]] | None:
        """The next image as the model's input; None at the end."""
        image_HW = next(self._left, None)
        return None if image_HW is None else {INPUT_IMAGE: np.ascontiguousarray(image_HW)[None]}


def _contract_of(model: onnx.ModelProto) -> ModelContract:
    entries = {entry.key: entry.value for entry in model.metadata_props}
    if METADATA_KEY not in entries:
        raise ModelError(f"no metadata '{METADATA_KEY}'", expected="a model written by 'hipseg export'")
    return ModelContract.from_json(entries[METADATA_KEY], where="the model")


def _with_contract(smaller: onnx.ModelProto, original: onnx.ModelProto, name: str) -> bytes:
    """The contract of the original under another name."""
    contract = dataclasses.replace(_contract_of(original), name=name)
    del smaller.metadata_props[:]
    onnx.helper.set_model_props(smaller, {METADATA_KEY: contract.to_json()})
    smaller.doc_string = original.doc_string
    content: bytes = smaller.SerializeToString(deterministic=True)
    return content


@contextlib.contextmanager
def _faults_of(where: str) -> Iterator[None]:
    """The exceptions of onnx and of onnxruntime's tools have no common base."""
    try:
        yield
    except ModelError:
        raise
    except Exception as error:
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise ModelError(f"its network cannot be made smaller ({first})", where=where) from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """onnxruntime's tool logs advice about models that are not ours to change."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        root.setLevel(level)
