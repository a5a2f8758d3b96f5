"""Accuracy against cost: operations with closed forms, one clock for all, and models that cannot take part."""

from __future__ import annotations

import json
from pathlib import Path

import onnx.parser
import pytest
import torch
from drawn_masks import lens_dice
from drawn_study import RADIUS_PX, drawn_hip, write_study
from grey_model import grey_of, write_grey_model
from torch import nn

from hipseg.cli.main import execute
from hipseg.configuration import config_folder
from hipseg.errors import ModelError
from hipseg.evaluation.cost import candidates
from hipseg.evaluation.cost.arithmetic import onnx_arithmetic
from hipseg.evaluation.cost.benchmark import mean_dice, pareto_front
from hipseg.evaluation.cost.timing import model_latencies
from hipseg.evaluation.results import Results
from hipseg.models.arithmetic import network_arithmetic

_TWO_LAYERS = """
<ir_version: 9, opset_import: ["" : 18]>
two (float[N,H,W] image) => (float[a,b,c,d] out)
<int64[1] axis = {1}>
{
    image_1 = Unsqueeze(image, axis)
    features = Conv<strides = [2, 2], pads = [1, 1, 1, 1]>(image_1, first, bias)
    last = Transpose<perm = [0, 2, 3, 1]>(features)
    turned = Transpose<perm = [1, 0]>(second)
    out = MatMul(last, turned)
}
"""


def two_layers(path: Path) -> Path:
    """A strided convolution and a matrix product, with weights of zeros."""
    model = onnx.parser.parse_model(_TWO_LAYERS)
    for name, shape in (("first", (8, 1, 3, 3)), ("bias", (8,)), ("second", (1, 8))):
        size = int(torch.tensor(shape).prod())
        model.graph.initializer.append(onnx.helper.make_tensor(name, onnx.TensorProto.FLOAT, shape, [0.0] * size))
    onnx.save(model, path)
    return path


def test_operations_of_a_model_file_have_a_closed_form(tmp_path: Path) -> None:
    found = onnx_arithmetic(two_layers(tmp_path / "two.onnx"), 40, 60)
    convolution = 20 * 30 * 8 * 3 * 3
    product = 20 * 30 * 8 * 1
    assert found.macs == convolution + product
    assert found.num_parameters == 8 * 9 + 8


def test_a_model_has_as_many_parameters_in_eight_bits() -> None:
    folder = config_folder().parent / "models" / "hip-accurate"
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["quantization"]["kind"] == "int8"
    found = onnx_arithmetic(folder / "model.onnx", 480, 640)
    # The trained network has a gain and a shift more a channel, which the exported one has folded into its weights.
    assert found.num_parameters == pytest.approx(manifest["num_parameters"], rel=0.01)


def test_operations_of_a_network_have_a_closed_form() -> None:
    network = nn.Sequential(
        nn.Conv2d(1, 8, 3, stride=2, padding=1), nn.ReLU(), nn.ConvTranspose2d(8, 4, 2, stride=2), nn.Conv2d(4, 2, 1)
    )
    found = network_arithmetic(network, 32)
    assert found.macs == 16 * 16 * 8 * 9 + 16 * 16 * 8 * 4 * 4 + 32 * 32 * 4 * 2
    assert found.num_parameters == (8 * 9 + 8) + (8 * 4 * 4 + 4) + (4 * 2 + 2)


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "broken.onnx").write_bytes(b"not a model")
    with pytest.raises(ModelError, match="shapes cannot be inferred"):
        onnx_arithmetic(tmp_path / "broken.onnx", 40, 60)


def test_the_front_holds_those_that_no_other_one_beats() -> None:
    latencies, dices = [10.0, 5.0, 7.0, 5.0, 20.0], [0.8, 0.6, 0.5, 0.7, 0.9]
    assert pareto_front(latencies, dices) == [3, 0, 4]


def test_one_number_is_the_mean_over_structures_of_means_over_patients() -> None:
    cases = [{"case": f"c{k}", "clip": f"c{k}", "patient": "ab"[k > 0], "status": "ok"} for k in range(3)]
    dice = [("c0", "needle", 0.2), ("c1", "needle", 0.6), ("c2", "needle", 0.8), ("c1", "labrum", 0.1)]
    rows = [
        {"case": case, "structure": name, "metric": "dice", "unit": "1", "value": value} for case, name, value in dice
    ]
    value, interval = mean_dice(Results.of_rows(cases, rows))
    assert value == pytest.approx(((0.2 + 0.7) / 2 + 0.1) / 2)
    assert interval is None, "two patients"
    assert mean_dice(Results.of_rows(cases, [])) == (None, None)


def test_models_are_timed_in_turn_on_the_same_images(tmp_path: Path) -> None:
    path = write_grey_model(tmp_path)
    images = [grey_of(drawn_hip(shift)) for shift in (0, 4)]
    found = model_latencies({"a": path, "b": path}, images, num_frames=5, num_threads=1)
    assert set(found) == {"a", "b"}
    assert all(0 < each["p50"] <= each["max"] for each in found.values())


@pytest.fixture
def small_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A shelf with a good and a broken model, and one network to configure; a small study."""
    for name in ("grey", "broken"):
        (tmp_path / "shelf" / name).mkdir(parents=True)
    write_grey_model(tmp_path / "shelf" / "grey").rename(tmp_path / "shelf" / "grey" / "model.onnx")
    (tmp_path / "shelf" / "broken" / "model.onnx").write_bytes(b"not a model")
    (tmp_path / "configs" / "model").mkdir(parents=True)
    own = candidates.config_folder() / "model" / "monai_unet.yaml"
    (tmp_path / "configs" / "model" / "monai_unet.yaml").write_text(own.read_text())
    (tmp_path / "configs" / "model" / "wrong.yaml").write_text("_target_: hipseg.models.nowhere.Net\n")
    monkeypatch.setenv("HIPSEG_MODELS", str(tmp_path / "shelf"))
    monkeypatch.setattr("hipseg.runtime.models._PACKAGE", tmp_path / "nowhere" / "hipseg")
    monkeypatch.setattr(candidates, "config_folder", lambda: tmp_path / "configs")
    write_study(tmp_path / "study", [0, 4, 8], images_a_patient=1)
    return tmp_path


def test_the_benchmark_weighs_everyone_it_finds_and_names_the_others(small_world: Path) -> None:
    out = small_world / "out"
    arguments = [str(small_world / "study"), "--out", str(out), "--quick", "--frames", "3", "--workers", "1"]
    assert execute(["benchmark", "models", *arguments]) == 0
    entries = {each["name"]: each for each in json.loads((out / "models.json").read_text())["entries"]}
    assert set(entries) == {"grey", "broken", "monai_unet", "wrong"}
    artery = sum(lens_dice(RADIUS_PX, shift) for shift in (0, 4, 8)) / 3
    assert entries["grey"]["dice"] == pytest.approx((1 + 1 + artery + artery) / 4, abs=0.01)
    assert entries["grey"]["latency_ms"]["p50"] > 0
    assert entries["monai_unet"]["macs"] > 1e8
    assert entries["monai_unet"]["dice"] is None
    assert "not an ONNX model" in entries["broken"]["fault"]
    assert "cannot be made" in entries["wrong"]["fault"]
    page = (out / "models.html").read_text()
    assert "Not measured" in page
    assert "cannot be made" in page
