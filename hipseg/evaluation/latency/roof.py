"""What this machine can do, and which share of it a network uses: matrix product, convolution and network in turn."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from onnx import TensorProto, helper

from hipseg.errors import ModelError
from hipseg.evaluation.cost.arithmetic import onnx_arithmetic
from hipseg.evaluation.latency.pairing import interleaved_times
from hipseg.export.network_part import cut_out, find_network
from hipseg.runtime.session import Session

_PRODUCT_SIDES = (512, 1024)
_CONVOLUTIONS = ((64, 128), (128, 64))
"""Channels (in and out) and side of the image, 3 x 3 filters: what networks of this kind are made of."""
_OPSET = helper.make_opsetid("", 20)
_GIGA_A_MILLI = 1e-6
_FLOPS_A_MAC = 2
_NO_IMAGE = [np.zeros((1, 1), np.uint8)]

Array = npt.NDArray[np.float32]
Run = Callable[[object], object]


def measure_roof(session: Session, height: int, width: int, num_rounds: int) -> dict[str, Any]:
    """Rates in GFLOP/s (two a multiply-accumulate), and the network's share of the highest of each kind.

    Args:
        session: with the model that is measured; the others get as many threads.
        height, width: of its images, pixels.
        num_rounds: each is timed so often; the fastest counts, for a roof is what others don't pull down.

    Raises:
        ModelError: the model's network cannot be cut out.
    """
    network = _network_run(session)
    products = {f"matrix product {side}": _product(side, session.num_threads) for side in _PRODUCT_SIDES}
    products["matrix product 1024, numpy"] = (_numpy_product(1024), 1024**3)
    convolutions = {
        f"convolution {channels} at {side}": _convolution(channels, side, session.num_threads)
        for channels, side in _CONVOLUTIONS
    }
    macs = onnx_arithmetic(session.path, height, width).macs
    everything = {"network": (network, macs), **products, **convolutions}
    times_ms = interleaved_times({name: run for name, (run, _) in everything.items()}, _NO_IMAGE, num_frames=num_rounds)
    rates = {
        name: _FLOPS_A_MAC * work * _GIGA_A_MILLI / float(times_ms[name].min())
        for name, (_, work) in everything.items()
    }
    return {"network_ms": round(float(times_ms["network"].min()), 3), "macs": macs, **_shares(rates, products)}


def _shares(rates: Mapping[str, float], products: Mapping[str, object]) -> dict[str, Any]:
    sgemm = max(rates[name] for name in products)
    convolution = max(rate for name, rate in rates.items() if name.startswith("convolution"))
    return {
        "gflops": {name: round(rate, 2) for name, rate in rates.items()},
        "share_of_sgemm": round(rates["network"] / sgemm, 3),
        "share_of_convolution": round(rates["network"] / convolution, 3),
    }


def _network_run(session: Session) -> Run:
    model = onnx.load(session.path)
    size = session.contract.grid_size
    network = cut_out(model, find_network(model, str(session.path)), size)
    rng = np.random.default_rng(0)
    image = rng.random((1, 1, size, size), dtype=np.float32)
    run = _runner(network, {network.graph.input[0].name: image}, session.num_threads)
    try:
        run(None)
    except Exception as error:  # onnxruntime has no class of its own for its errors
        raise ModelError("onnxruntime does not run its network alone", where=str(session.path)) from error
    return run


def _product(side: int, num_threads: int) -> tuple[Run, int]:
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, (side, side)) for name in "abc"]
    graph = helper.make_graph([helper.make_node("MatMul", ["a", "b"], ["c"])], "product", values[:2], values[2:])
    rng = np.random.default_rng(0)
    inputs = {name: rng.random((side, side), dtype=np.float32) for name in "ab"}
    return _runner(_model(graph), inputs, num_threads), side**3


def _numpy_product(side: int) -> Run:
    rng = np.random.default_rng(0)
    one, other = (rng.random((side, side), dtype=np.float32) for _ in range(2))
    return lambda _: one @ other


def _convolution(channels: int, side: int, num_threads: int) -> tuple[Run, int]:
    shape = (1, channels, side, side)
    rng = np.random.default_rng(0)
    weights = rng.random((channels, channels, 3, 3), dtype=np.float32)
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("x", "y")]
    node = helper.make_node("Conv", ["x", "w"], ["y"], pads=[1, 1, 1, 1])
    graph = helper.make_graph(
        [node], "convolution", values[:1], values[1:], [onnx.numpy_helper.from_array(weights, "w")]
    )
    run = _runner(_model(graph), {"x": rng.random(shape, dtype=np.float32)}, num_threads)
    return run, channels * channels * 9 * side * side


def _model(graph: onnx.GraphProto) -> onnx.ModelProto:
    return helper.make_model(graph, opset_imports=[_OPSET], ir_version=10)


def _runner(model: onnx.ModelProto, inputs: Mapping[str, Array], num_threads: int) -> Run:
    """As hipseg runs its models: so many threads, and none that spins."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = num_threads, 1
    options.log_severity_level = 4  # what fails is told once, by us
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return lambda _: session.run(None, dict(inputs))
