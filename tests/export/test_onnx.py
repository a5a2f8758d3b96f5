"""The model file: what it says, what it keeps to itself, and networks for which none is written."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
import torch
from exported_model import Exported
from tiny_model import BrightnessNetwork, tiny_contract
from torch import Tensor, nn

from hipseg.errors import ModelError
from hipseg.export.onnx import export_model
from hipseg.export.verify import SHAPES
from hipseg.models.halfres_unet import HalfResUNet
from hipseg.models.outputs import NUM_OUTPUT_CHANNELS
from hipseg.runtime.contract import METADATA_KEY, OUTPUTS, ModelContract
from hipseg.runtime.session import Session


def test_the_file_describes_itself(exported: Exported) -> None:
    model = onnx.load(exported.path)
    onnx.checker.check_model(model, full_check=True)
    texts = {entry.key: entry.value for entry in model.metadata_props}
    assert ModelContract.from_json(texts[METADATA_KEY], where="tiny") == tiny_contract()
    assert "Not a medical device" in model.doc_string


def test_names_and_open_axes_are_those_of_the_contract(exported: Exported) -> None:
    graph = onnx.load(exported.path).graph

    def axes(value: onnx.ValueInfoProto) -> list[str | int]:
        return [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]

    assert [(value.name, axes(value)) for value in graph.input] == [("image", ["N", "H", "W"])]
    assert [value.name for value in graph.output] == list(OUTPUTS)
    assert axes(graph.output[0]) == ["N", "H", "W"]
    assert [axes(value)[0] for value in graph.output] == ["N"] * 4


def test_batch_normalisation_is_folded_into_convolutions(exported: Exported) -> None:
    assert "BatchNormalization" not in {node.op_type for node in onnx.load(exported.path).graph.node}


def test_the_file_tells_nothing_of_the_machine_it_was_made_on(exported: Exported) -> None:
    content = exported.path.read_bytes()
    for place in (Path(__file__).parents[2], Path(torch.__file__).parent, Path.home()):
        if len(str(place)) > 1:
            assert str(place).encode() not in content
    assert b".py" not in content


def test_the_half_resolution_u_net_passes_the_gate(tmp_path: Path) -> None:
    torch.manual_seed(0)
    path = tmp_path / "halfres.onnx"
    parity = export_model(HalfResUNet(widths=(8, 12, 16, 16)), tiny_contract("halfres"), path)
    assert {one.shape for one in parity} >= set(SHAPES)
    assert all(one.label_agreement >= 0.999 for one in parity)
    assert Session(path).contract.name == "halfres"


def test_monais_u_net_passes_the_gate(tmp_path: Path) -> None:
    from monai.networks.nets import UNet

    torch.manual_seed(0)
    network = UNet(2, 1, NUM_OUTPUT_CHANNELS, channels=(8, 16, 32), strides=(2, 2), num_res_units=1)
    parity = export_model(network, tiny_contract("monai"), tmp_path / "monai.onnx")
    assert all(one.is_close for one in parity)


class ChangesOnExport(BrightnessNetwork):
    """A network that is another one while it is exported, as a faulty operation would make it."""

    def forward(self, image_NCHW: Tensor) -> Tensor:
        """Takes the image upside down on export."""
        return super().forward(image_NCHW.flip(2) if torch.compiler.is_exporting() else image_NCHW)


def test_a_model_that_does_not_agree_with_its_network_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "liar.onnx"
    with pytest.raises(ModelError, match=r"disagree on 1x480x640 images: .* of labels equal.*expected at least 99\.9%"):
        export_model(ChangesOnExport(), tiny_contract("liar"), path)
    assert not list(tmp_path.iterdir())


def test_a_network_of_another_shape_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"the network gives \(1, 3, 64, 64\); expected \(1, 18, 64, 64\)"):
        export_model(nn.Conv2d(1, 3, 1), tiny_contract(), tmp_path / "other.onnx")


def test_a_network_that_fails_on_its_grid_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="the network fails on an image of its grid"):
        export_model(nn.Conv2d(3, NUM_OUTPUT_CHANNELS, 1), tiny_contract(), tmp_path / "other.onnx")


class DecidesByContent(BrightnessNetwork):
    """A network whose way depends on the pixels: no graph can hold it."""

    def forward(self, image_NCHW: Tensor) -> Tensor:
        """Doubles bright images."""
        return super().forward(image_NCHW * 2 if image_NCHW.mean() > 0.5 else image_NCHW)


def test_a_network_that_no_graph_can_hold_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="PyTorch cannot export this network") as fault:
        export_model(DecidesByContent(), tiny_contract(), tmp_path / "other.onnx")
    assert "\n" not in str(fault.value)
    assert len(str(fault.value)) < 400
