"""What every network must do, whoever wrote it: the suite runs over each file of configs/model."""

from __future__ import annotations

import copy
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from hipseg.configuration import compose, config_folder
from hipseg.models.convolutions import Foldable, fold
from hipseg.models.outputs import NUM_OUTPUT_CHANNELS
from hipseg.training.components import make
from hipseg.training.config import TrainConfig

MODELS = sorted(file.stem for file in (config_folder() / "model").glob("*.yaml"))
SIZE = 64


def build(model: str, seed: int = 0) -> nn.Module:
    config = compose("train", [f"model={model}"], schema=TrainConfig)
    torch.manual_seed(seed)
    return make(config.model, "model")


@pytest.fixture(scope="module", params=MODELS)
def network(request) -> nn.Module:
    return build(request.param)


@pytest.mark.parametrize(("count", "size"), [(1, SIZE), (2, 2 * SIZE)])
def test_gives_every_channel_at_the_grids_size(network, count: int, size: int):
    assert network.eval()(torch.rand(count, 1, size, size)).shape == (count, NUM_OUTPUT_CHANNELS, size, size)


def test_every_parameter_learns(network):
    trained = copy.deepcopy(network).train()
    trained(torch.rand(2, 1, SIZE, SIZE)).square().mean().backward()
    silent = [name for name, value in trained.named_parameters() if value.grad is None or not value.grad.any()]
    # A bias in front of a batch normalisation has no effect; some of MONAI's blocks have one.
    assert not [name for name in silent if not name.endswith("bias")]


def test_fits_one_image(network):
    trained = copy.deepcopy(network).train()
    image, target = torch.rand(2, 1, SIZE, SIZE), torch.zeros(2, SIZE, SIZE, dtype=torch.int64)
    target[:, 16:40, 8:32] = 5
    optimizer = torch.optim.AdamW(trained.parameters(), lr=1e-2)
    losses = []
    for _ in range(25):
        loss = nn.functional.cross_entropy(trained(image)[:, :11], target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


SHORT_SIGHTED = {"monai_basic_unet_plus_plus": 188}
"""Cells that a network of somebody else's design can see at most, where that is not all: five levels are its limit."""


def test_sees_the_whole_image(network, request):
    """A cell in the middle can be told by any other: the view decides what a structure is."""
    image = torch.rand(1, 1, 256, 256, dtype=torch.float64, requires_grad=True)
    copy.deepcopy(network).double().eval()(image)[0, :, 128, 128].sum().backward()
    reached = image.grad[0, 0].abs() > 0
    expected = SHORT_SIGHTED.get(request.node.callspec.params["network"], 256)
    assert (reached.any(dim=0).sum(), reached.any(dim=1).sum()) == (expected, expected)


def test_folding_changes_nothing_but_the_shape(network):
    """Running statistics are made to matter first: fresh ones hide a wrong folding."""
    trained = copy.deepcopy(network).train()
    for _ in range(3):
        trained(2 * torch.rand(2, 1, SIZE, SIZE) - 0.3)
    image = torch.rand(1, 1, SIZE, SIZE)
    folded = fold(trained)
    torch.testing.assert_close(folded(image), trained.eval()(image), rtol=1e-3, atol=1e-4)
    assert not [module for module in folded.modules() if isinstance(module, Foldable)]


@pytest.mark.parametrize("model", MODELS)
def test_a_seed_makes_the_same_network_and_a_network_the_same_output(model: str):
    image = torch.rand(1, 1, SIZE, SIZE)
    first, same, other = (build(model, seed).eval()(image) for seed in (1, 1, 2))
    assert torch.equal(first, same)
    assert not torch.equal(first, other)


def test_exports_to_onnx_with_the_same_output(network, tmp_path: Path):
    image = torch.rand(1, 1, SIZE, SIZE)
    path = tmp_path / "network.onnx"
    torch.onnx.export(fold(network), (image,), path, dynamo=True, external_data=False, verbose=False)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    exported = session.run(None, {session.get_inputs()[0].name: image.numpy()})[0]
    np.testing.assert_allclose(exported, network(image).detach().numpy(), atol=1e-4)


OWN_NETWORK = """
from torch import nn
from hipseg.models.convolutions import Foldable, fold
from hipseg.models.outputs import NUM_OUTPUT_CHANNELS


class TwoLayers(nn.Sequential):
    def __init__(self, width):
        first = nn.Conv2d(1, width, 3, padding=1)
        super().__init__(first, nn.ReLU(), nn.Conv2d(width, NUM_OUTPUT_CHANNELS, 3, padding=1))
"""


def test_a_network_of_ones_own_is_one_file_and_one_yaml(tmp_path: Path, monkeypatch, toy_training):
    """Nothing of hipseg is touched: the two files lie in a folder of their own, and train and load from there."""
    from hipseg.training.checkpoint import load_network
    from hipseg.training.run import train

    (tmp_path / "my_networks.py").write_text(OWN_NETWORK)
    (tmp_path / "configs" / "model").mkdir(parents=True)
    (tmp_path / "configs" / "model" / "mine.yaml").write_text("_target_: my_networks.TwoLayers\nwidth: 6\n")
    monkeypatch.syspath_prepend(tmp_path)
    result = train(toy_training(f"hydra.searchpath=[file://{tmp_path / 'configs'}]", "model=mine", "model.width=4"))
    network, _ = load_network(result.folder)
    assert type(network) is sys.modules["my_networks"].TwoLayers
    assert network(torch.rand(1, 1, SIZE, SIZE)).shape == (1, NUM_OUTPUT_CHANNELS, SIZE, SIZE)
