"""Which nodes of a model file are the network, between laying the image on the grid and reading its channels."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import onnx

from hipseg.errors import ModelError

WEIGHTED = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})
"""Operations that multiply by weights; only those with a constant as second input are part of a network."""

_INSERTED = "inserted."


@dataclass(frozen=True, slots=True)
class NetworkPart:
    """The nodes from the first to the last one that holds weights, in the order of the graph.

    Attributes:
        nodes: all of them.
        weighted: those that hold weights.
        inputs, outputs: names of the values that go in (the image on the grid) and come out (the channels).
    """

    nodes: tuple[onnx.NodeProto, ...]
    weighted: tuple[onnx.NodeProto, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    @property
    def last(self) -> tuple[onnx.NodeProto, ...]:
        """The weighted nodes whose values come out: the channels themselves."""
        return tuple(node for node in self.weighted if set(node.output) & set(self.outputs))


def find_network(model: onnx.ModelProto, where: str) -> NetworkPart:
    """Finds the network of a model.

    Args:
        model: loaded.
        where: the model file, for messages.

    Raises:
        ModelError: no node holds weights.
    """
    graph = model.graph
    constants = {tensor.name for tensor in graph.initializer}
    weighted = [node for node in graph.node if _holds_weights(node, constants)]
    if not weighted:
        raise ModelError("holds no network: no node has weights", where=where, expected="convolutions or products")
    behind = _reached(graph.node, weighted)
    ahead = _reaching(graph.node, weighted)
    nodes = [node for node in graph.node if _key(node) in behind & ahead]
    made = {name for node in nodes for name in node.output}
    taken = {name for node in nodes for name in node.input if name}
    used_elsewhere = {name for node in graph.node if _key(node) not in behind & ahead for name in node.input}
    used_elsewhere |= {value.name for value in graph.output}
    return NetworkPart(
        nodes=tuple(nodes),
        weighted=tuple(weighted),
        inputs=tuple(sorted(taken - made - constants)),
        outputs=tuple(name for node in nodes for name in node.output if name in used_elsewhere),
    )


def cut_out(model: onnx.ModelProto, part: NetworkPart, grid_size: int) -> onnx.ModelProto:
    """The network alone, as a model of its own that takes [N, 1, S, S].

    Args:
        model: that `part` was found in.
        part: with one input and one output.
        grid_size: S.

    Raises:
        ModelError: the network has other inputs or outputs than one each.
    """
    if len(part.inputs) != 1 or len(part.outputs) != 1:
        found = f"a network of {len(part.inputs)} inputs and {len(part.outputs)} outputs"
        raise ModelError(found, expected="one input and one output")
    used = {name for node in part.nodes for name in node.input}
    real = onnx.TensorProto.FLOAT
    graph = onnx.helper.make_graph(
        part.nodes,
        "network",
        [onnx.helper.make_tensor_value_info(part.inputs[0], real, ("N", 1, grid_size, grid_size))],
        [onnx.helper.make_tensor_value_info(part.outputs[0], real, ("N", "C", "h", "w"))],
        [tensor for tensor in model.graph.initializer if tensor.name in used],
    )
    return onnx.helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)


def put_in(model: onnx.ModelProto, part: NetworkPart, network: onnx.ModelProto) -> onnx.ModelProto:
    """A copy of a model with another network, of the same inputs and outputs, in the place of its own.

    Args:
        model: that `part` was found in.
        part: to be replaced.
        network: as `cut_out` gives it, changed within.
    """
    replaced = {_key(node) for node in part.nodes}
    own = {tensor.name for tensor in network.graph.initializer}
    inserted = [_renamed(node, own) for node in network.graph.node]
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    del copy.graph.node[:]
    for node in model.graph.node:
        if _key(node) not in replaced:
            copy.graph.node.append(node)
        elif inserted:
            copy.graph.node.extend(inserted)
            inserted = []
    inside = {name for node in part.nodes for name in node.output}
    described = [value for value in model.graph.value_info if value.name not in inside]
    del copy.graph.value_info[:]
    copy.graph.value_info.extend(described)
    _replace_constants(copy.graph, model.graph, network.graph)
    return copy


def _replace_constants(graph: onnx.GraphProto, old: onnx.GraphProto, new: onnx.GraphProto) -> None:
    """Keeps those of the old graph that are still used, and adds those of the new network."""
    needed = {name for node in graph.node for name in node.input}
    del graph.initializer[:]
    graph.initializer.extend(tensor for tensor in old.initializer if tensor.name in needed)
    for tensor in new.initializer:
        graph.initializer.append(tensor)
        graph.initializer[-1].name = _INSERTED + tensor.name


def _renamed(node: onnx.NodeProto, constants: set[str]) -> onnx.NodeProto:
    """A node whose constants don't meet those of the model that it goes into."""
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    for position, name in enumerate(copy.input):
        if name in constants:
            copy.input[position] = _INSERTED + name
    return copy


def _holds_weights(node: onnx.NodeProto, constants: set[str]) -> bool:
    return node.op_type in WEIGHTED and len(node.input) > 1 and node.input[1] in constants


def _reached(nodes: Iterable[onnx.NodeProto], starts: Iterable[onnx.NodeProto]) -> set[str]:
    """The nodes that depend on one of several, and those themselves; `nodes` are in the order of computation."""
    found = {_key(node) for node in starts}
    values: set[str] = set()
    for node in nodes:
        if _key(node) in found or values & set(node.input):
            found.add(_key(node))
            values |= set(node.output)
    return found


def _reaching(nodes: Iterable[onnx.NodeProto], ends: Iterable[onnx.NodeProto]) -> set[str]:
    """The nodes that one of several depends on, and those themselves."""
    found = {_key(node) for node in ends}
    wanted: set[str] = set()
    for node in reversed(list(nodes)):
        if _key(node) in found or wanted & set(node.output):
            found.add(_key(node))
            wanted |= set(node.input)
    return found


def _key(node: onnx.NodeProto) -> str:
    """Every node has an output, and no two have the same."""
    return str(node.output[0])
