"""Parameters and multiply-accumulate operations of ONNX files."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

import onnx

from hipseg.errors import ModelError
from hipseg.models.arithmetic import Arithmetic

Shape = tuple[int, ...]

_WEIGHTED = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul", "BatchNormalization", "InstanceNormalization",
                       "LayerNormalization", "GroupNormalization", "PRelu"})  # fmt: skip

_STORED = frozenset({"DequantizeLinear", "Cast"})
"""What makes a weight of its 8-bit or half-precision form."""
_NUMBERS = frozenset({onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.INT8, onnx.TensorProto.INT32})


def onnx_arithmetic(path: Path, height: int, width: int) -> Arithmetic:
    """Of a model file on one image, by shape inference; nothing is run.

    Products of a size that depends on the image in a way that shape inference does not follow (laying the image on
    the grid) are not counted: they are a few per cent.

    Raises:
        ModelError: not an ONNX file, or shapes that contradict each other.
    """
    try:
        model = onnx.load(path)
        image, *state = model.graph.input
        _fix_input(image, (1, height, width))
        for value in state:
            value.type.tensor_type.shape.dim[0].dim_value = 1
        model = onnx.shape_inference.infer_shapes(model, data_prop=True)
    except Exception as error:  # onnx and protobuf raise exceptions without a common base
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise ModelError(f"its shapes cannot be inferred ({first})", where=path) from error
    shapes = _shapes(model.graph)
    macs = sum(_MACS[node.op_type](node, shapes) for node in model.graph.node if node.op_type in _MACS)
    return Arithmetic(sum(_parameter_counts(model.graph)), macs)


def _fix_input(value: onnx.ValueInfoProto, shape: Shape) -> None:
    for axis, size in zip(value.type.tensor_type.shape.dim, shape, strict=True):
        axis.dim_value = size


def _shapes(graph: onnx.GraphProto) -> dict[str, Shape]:
    """Of every value whose size is a number on each axis."""
    shapes = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    for value in (*graph.value_info, *graph.input, *graph.output):
        axes = value.type.tensor_type.shape.dim
        if all(axis.HasField("dim_value") for axis in axes):
            shapes[value.name] = tuple(axis.dim_value for axis in axes)
    return shapes


def _parameter_counts(graph: onnx.GraphProto) -> Iterator[int]:
    """Of constants that weigh something, however they are stored; indices, scales and coordinates do not count."""
    weighing = {name for node in graph.node if node.op_type in _WEIGHTED for name in node.input}
    stored = {node.input[0] for node in graph.node if node.op_type in _STORED and node.output[0] in weighing}
    for tensor in graph.initializer:
        if tensor.name in weighing | stored and tensor.data_type in _NUMBERS:
            yield math.prod(tensor.dims)


def _convolution(node: onnx.NodeProto, shapes: Mapping[str, Shape]) -> int:
    """Every output pixel takes one product a weight of its filter."""
    output, weight = shapes.get(node.output[0]), shapes.get(node.input[1])
    return math.prod(output) * math.prod(weight[1:]) if output and weight else 0


def _transposed_convolution(node: onnx.NodeProto, shapes: Mapping[str, Shape]) -> int:
    """Every input pixel gives one product a weight of its filter."""
    source, weight = shapes.get(node.input[0]), shapes.get(node.input[1])
    return math.prod(source) * math.prod(weight[1:]) if source and weight else 0


def _matrix_product(node: onnx.NodeProto, shapes: Mapping[str, Shape]) -> int:
    output, left = shapes.get(node.output[0]), shapes.get(node.input[0])
    if not output or not left:
        return 0
    transposed = any(attribute.name == "transA" and attribute.i for attribute in node.attribute)
    return math.prod(output) * (left[0] if transposed else left[-1])


_MACS: Mapping[str, Callable[[onnx.NodeProto, Mapping[str, Shape]], int]] = MappingProxyType(
    {
        "Conv": _convolution,
        "ConvTranspose": _transposed_convolution,
        "MatMul": _matrix_product,
        "Gemm": _matrix_product,
    }
)
