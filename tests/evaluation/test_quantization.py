"""Smaller numbers: real onnxruntime makes, runs and judges them; the gate against figures known by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from tiny_model import build_tiny_model

from hipseg.anatomy import CLASS_NAMES, FEMORAL_ARTERY, FEMORAL_HEAD
from hipseg.cli.main import execute
from hipseg.data.manifest import DatasetManifest, DatasetWriter
from hipseg.evaluation.latency.pairing import Ratio, interleaved_times, ratio_of
from hipseg.evaluation.quantization.candidates import Candidate, Worth, choose
from hipseg.evaluation.quantization.gate import judge
from hipseg.evaluation.results import Results
from hipseg.export.network_part import find_network
from hipseg.export.quantize import Kind, quantize
from hipseg.runtime.models import read_model
from hipseg.runtime.session import Session

_PASSES = judge(
    *[
        Results.of_rows(
            [{"case": "a", "clip": "a", "patient": "p", "status": "ok"}],
            [{"case": "a", "structure": "femoral_head", "metric": "dice", "unit": "1", "value": 0.9}],
        )
    ]
    * 2
)


def scene(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Bright bone and dark blood on grey, with a little noise."""
    labels_HW = np.zeros((96, 128), np.uint8)
    labels_HW[60:80, 10:110] = FEMORAL_HEAD
    labels_HW[20:40, 30:60] = FEMORAL_ARTERY
    levels = np.full(labels_HW.shape, 100.0)
    levels[labels_HW == FEMORAL_HEAD], levels[labels_HW == FEMORAL_ARTERY] = 230, 10
    return np.clip(levels + rng.normal(0, 3, levels.shape), 0, 255).astype(np.uint8), labels_HW


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model and a small data set with a training and a validation split."""
    folder, rng = tmp_path_factory.mktemp("house"), np.random.default_rng(0)
    build_tiny_model(folder)
    with DatasetWriter(folder / "data", DatasetManifest("bright", CLASS_NAMES[1:])) as writer:
        for number in range(6):
            image_HW, labels_HW = scene(rng)
            writer.add(
                id=f"c{number}", image_HW=image_HW, labels_HW=labels_HW, patient=f"p{number}",
                split="val" if number % 2 else "train", spacing_mm=(0.2, 0.2),
            )  # fmt: skip
    return folder


def command(house: Path, out: Path, *others: str) -> list[str]:
    data = ["--data", str(house / "data"), "--workers", "1", "--threads", "1", "--frames", "10"]
    return ["quantize", str(house / "tiny.onnx"), "--out", str(out), *data, *others]


@pytest.mark.parametrize("kind", list(Kind))
def test_a_smaller_model_says_the_same_and_keeps_its_contract(kind: Kind, house: Path, tmp_path: Path) -> None:
    model, rng = read_model(house / "tiny.onnx"), np.random.default_rng(1)
    path = tmp_path / "smaller.onnx"
    path.write_bytes(quantize(model, kind, "smaller", [scene(rng)[0] for _ in range(3)]))
    with Session(model.path, num_threads=1) as original, Session(path, num_threads=1) as smaller:
        assert smaller.contract.name == "smaller"
        assert smaller.contract.description == original.contract.description
        assert smaller.contract.grid_size == original.contract.grid_size
        image_HW, _ = scene(rng)
        one, other = original.segment(image_HW), smaller.segment(image_HW)
    assert (one.labels_HW == other.labels_HW).mean() > 0.97
    assert not np.array_equal(one.probabilities_CHW, other.probabilities_CHW) or kind is not Kind.INT8


def test_int8_leaves_the_last_layer_and_all_around_the_network_alone(house: Path) -> None:
    model = read_model(house / "tiny.onnx")
    original = onnx.load_from_string(model.content)
    part = find_network(original, "tiny")
    assert {node.op_type for node in part.nodes} == {"Conv"}
    assert len(part.weighted) == 2
    smaller = onnx.load_from_string(quantize(model, Kind.INT8, "x", [scene(np.random.default_rng(2))[0]]))
    products = [
        sorted(list(node.input) for node in each.graph.node if node.op_type == "MatMul") for each in (smaller, original)
    ]
    assert products[0] == products[1]
    stored = {tensor.name: tensor.data_type for tensor in smaller.graph.initializer}
    last = next(node for node in smaller.graph.node if node.name == part.last[0].name)
    assert stored[last.input[1]] == onnx.TensorProto.FLOAT
    assert onnx.TensorProto.INT8 in stored.values()


def test_the_whole_way_writes_a_model_that_runs_with_its_papers(
    house: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "tiny-small"
    (house / "checkpoint.safetensors").write_bytes(b"weights to train on from")
    assert execute(command(house, out, "--even-if-slower", "--kind", "weights16")) == 0
    assert (out / "checkpoint.safetensors").read_bytes() == b"weights to train on from"
    record = json.loads((out / "quantization.json").read_text())
    (candidate,) = record["candidates"]
    assert candidate["passes"]
    assert candidate["agreement"]["labels"] == 1.0
    assert {loss["figure"] for loss in candidate["losses"]} == {"femoral_head", "femoral_artery"}
    assert "tip_error" in candidate["unmeasured"]
    with Session(out) as session:
        assert session.contract.name == "tiny-small"
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["quantization"]["original"]["sha256"] == read_model(house / "tiny.onnx").sha256
    assert set(manifest["files"]) == {"model.onnx", "card.md", "checkpoint.safetensors"}
    assert "Not a medical device" in (out / "card.md").read_text()
    assert execute(command(house, out)) == 2
    assert "is there already" in capsys.readouterr().err


def test_a_model_without_a_network_is_refused(house: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from grey_model import write_grey_model

    path = write_grey_model(tmp_path)
    assert execute(["quantize", str(path), "--data", str(house / "data"), "--out", str(tmp_path / "out")]) == 4
    assert "no node has weights" in capsys.readouterr().err


def results(dice: float, tip_mm: float, *, reported: int = 10) -> Results:
    """Ten images of five patients with one Dice and one tip error; the tip is told on some of them."""
    cases: list[dict[str, Any]] = []
    measures: list[dict[str, Any]] = []
    for number in range(10):
        name = f"c{number}"
        cases.append({"case": name, "clip": name, "patient": f"p{number // 2}", "status": "ok"})
        values = [
            ("femoral_nerve", "dice", "1", dice),
            ("needle", "tip_present", "1", 1.0),
            ("needle", "tip_reported", "1", float(number < reported)),
            *([("needle", "tip_error", "mm", tip_mm)] if number < reported else []),
        ]
        measures += [dict(zip(("structure", "metric", "unit", "value"), row, strict=True), case=name) for row in values]
    return Results.of_rows(cases, measures)


@pytest.mark.parametrize(
    ("smaller", "exceeded"),
    [
        (results(0.80, 1.0), set()),
        (results(0.791, 1.19), set()),
        (results(0.785, 1.0), {"femoral_nerve"}),
        (results(0.90, 1.21), {"tip_error"}),
        (results(0.80, 0.5, reported=9), {"tip_reported"}),
    ],
)
def test_the_gate_refuses_by_class(smaller: Results, exceeded: set[str]) -> None:
    verdict = judge(results(0.80, 1.0), smaller)
    assert {loss.figure for loss in verdict.exceeded} == exceeded
    assert verdict.passes == (not exceeded)
    assert "femoral_artery" in verdict.unmeasured


def test_nothing_measured_is_no_pass() -> None:
    empty = Results.of_rows([{"case": "a", "clip": "a", "patient": "p", "status": "ok"}], [])
    assert not judge(empty, empty).passes


def candidate(kind: Kind, ratio: tuple[float, float, float], size: int) -> Candidate:
    return Candidate(kind, Path("x"), size, verdict=_PASSES, time_ratio=Ratio(*ratio))


def test_the_fastest_is_kept_else_the_smallest_else_none() -> None:
    int8 = candidate(Kind.INT8, (0.8, 0.75, 0.85), 100)
    same = candidate(Kind.WEIGHTS16, (1.0, 0.98, 1.02), 200)
    slow = candidate(Kind.FP16, (1.5, 1.4, 1.6), 200)
    unclear = candidate(Kind.INT8, (0.9, 0.4, 2.0), 100)
    assert [each.worth for each in (int8, same, slow, unclear)] == list(Worth)
    assert choose([same, slow, int8]) is int8
    assert choose([same, slow, unclear]) is same
    assert choose([slow, unclear]) is None
    assert choose([slow], even_if_slower=True) is slow


def test_ratios_of_known_times() -> None:
    rng = np.random.default_rng(0)
    load = rng.uniform(1, 2, 200)
    found = ratio_of(20 * load * rng.normal(1, 0.02, 200), 10 * load)
    assert found.low <= 2.0 <= found.high
    assert found.high - found.low < 0.2
    inverse = found.inverted()
    assert inverse.low <= 0.5 <= inverse.high


def test_all_see_the_same_frames_as_often() -> None:
    seen: dict[str, list[int]] = {"a": [], "b": []}
    images = [np.full((2, 2), level, np.uint8) for level in range(3)]
    work = {name: lambda image_HW, name=name: seen[name].append(int(image_HW[0, 0])) for name in seen}
    times_ms = interleaved_times(work, images, num_frames=6)
    assert seen["a"] == seen["b"]
    assert {name: len(times) for name, times in times_ms.items()} == {"a": 6, "b": 6}
