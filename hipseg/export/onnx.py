"""Writes a network as one ONNX file that carries its contract, and only when onnxruntime agrees with PyTorch."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import nn

from hipseg import DISCLAIMER
from hipseg.errors import ModelError
from hipseg.export.graph import ExportGraph
from hipseg.export.verify import Parity, check_parity
from hipseg.io.writing import write_atomically
from hipseg.models.convolutions import fold
from hipseg.models.outputs import NUM_OUTPUT_CHANNELS
from hipseg.models.recurrent import state_shapes
from hipseg.runtime.contract import INPUT_IMAGE, METADATA_KEY, ModelContract

EXAMPLE_SHAPE = (2, 301, 403)
"""No two axes equal and none special, so that the tracer takes none of them for a constant."""


def export_model(network: nn.Module, contract: ModelContract, path: str | Path) -> list[Parity]:
    """Writes the model file of contracts.md section 3.

    Args:
        network: as `models.outputs` describes; exported in evaluation mode and folded (`models.convolutions.fold`).
        contract: goes into the file's metadata, with the state of a network that has one.
        path: of the file, replaced when it exists.

    Returns:
        How well onnxruntime agrees with PyTorch, by image size.

    Raises:
        ModelError: the network cannot be exported, or the two do not agree; nothing is written.
        OutputError: the file cannot be written.
    """
    network = fold(network)
    contract = dataclasses.replace(contract, state=state_shapes(network, contract.grid_size))
    graph = ExportGraph(network, contract.grid_size).eval()
    _check_network(network, contract)
    content = _serialise(_convert(graph, contract), contract)
    parity = check_parity(graph, content, contract.name)
    write_atomically(Path(path), content)
    return parity


def _check_network(network: nn.Module, contract: ModelContract) -> None:
    """Finds a misfit before the exporter does, whose messages run to pages."""
    size = contract.grid_size
    wanted = (1, NUM_OUTPUT_CHANNELS, size, size)
    try:
        with torch.inference_mode():
            got = tuple(network(torch.zeros(1, 1, size, size)).shape)
    except RuntimeError as error:
        what = f"the network fails on an image of its grid ({str(error).splitlines()[0]})"
        raise ModelError(what, where=contract.name, expected=f"output {wanted}") from error
    if got != wanted:
        raise ModelError(f"the network gives {got}", where=contract.name, expected=f"{wanted}")


def _convert(graph: ExportGraph, contract: ModelContract) -> onnx.ModelProto:
    any_size = torch.export.Dim.AUTO
    dynamic_shapes: list[Any] = [dict.fromkeys(range(3), any_size)]
    if contract.state:
        dynamic_shapes.append(({0: any_size},) * len(contract.state))
    state = tuple(torch.zeros(EXAMPLE_SHAPE[0], *shape) for shape in contract.state.values())
    try:
        with _quiet():
            program = torch.onnx.export(
                graph,
                (torch.zeros(EXAMPLE_SHAPE, dtype=torch.uint8), *state),
                dynamo=True,
                external_data=False,
                dynamic_shapes=dynamic_shapes,
                input_names=[INPUT_IMAGE, *contract.state],
                output_names=list(contract.outputs),
                verbose=False,
            )
    except torch.onnx.errors.OnnxExporterError as error:
        cause = error.__cause__ or error
        raise ModelError(
            f"PyTorch cannot export this network ({str(cause).strip().splitlines()[0]})",
            where=contract.name,
            expected="operations that torch.onnx knows, on sizes that stay open",
        ) from error
    assert program is not None
    model = program.model_proto
    _strip_origins(model)
    _name_axes(model)
    return model


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The exporter reports its progress on stdout, which belongs to results, and warns of packages not needed here."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _strip_origins(model: onnx.ModelProto) -> None:
    """Removes the stack traces that the exporter leaves at every node: they name folders of the exporting machine."""
    graph = model.graph
    for part in (graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        part.doc_string = ""
        del part.metadata_props[:]


def _name_axes(model: onnx.ModelProto) -> None:
    """N, H, W instead of the tracer's symbols: people read them."""
    names = dict(zip((axis.dim_param for axis in _axes(model.graph.input[0])), "NHW", strict=True))
    for value in (*model.graph.input, *model.graph.output, *model.graph.value_info):
        for axis in _axes(value):
            if axis.dim_param in names:
                axis.dim_param = names[axis.dim_param]


def _axes(value: onnx.ValueInfoProto) -> list[onnx.TensorShapeProto.Dimension]:
    return list(value.type.tensor_type.shape.dim)


def _serialise(model: onnx.ModelProto, contract: ModelContract) -> bytes:
    model.doc_string = " ".join(filter(None, (contract.description, DISCLAIMER)))
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, {METADATA_KEY: contract.to_json()})
    content: bytes = model.SerializeToString()
    return content
