"""Muon steps along matrices whose directions weigh alike, and trains a network."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from hipseg.training.optimizers import Muon, orthogonal
from hipseg.training.run import resumed_config, train


@pytest.mark.parametrize("shape", [(6, 20), (20, 6), (8, 8)])
def test_singular_values_come_near_one_and_directions_stay(shape: tuple[int, int]):
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    found = orthogonal(matrix)
    assert torch.linalg.svdvals(found).sub(0.95).abs().max() < 0.35
    assert torch.nn.functional.cosine_similarity(found.flatten(), (left @ right).flatten(), dim=0) > 0.95


def test_a_first_step_is_as_large_as_adams_for_kernels_and_vectors():
    layer = nn.Conv2d(8, 16, 3)
    before = [parameter.detach().clone() for parameter in layer.parameters()]
    optimizer = Muon([{"params": list(layer.parameters())}], lr=0.01, vector_lr=0.002, weight_decay=0.0)
    layer(torch.randn(2, 8, 9, 9, generator=torch.Generator().manual_seed(0))).square().sum().backward()
    optimizer.step()
    kernel, bias = (now.detach() - then for now, then in zip(layer.parameters(), before, strict=True))
    assert kernel.square().mean().sqrt().item() == pytest.approx(0.2 * 0.01, rel=0.3)
    torch.testing.assert_close(bias.abs(), torch.full_like(bias, 0.002), rtol=1e-3, atol=0)


def test_it_trains_and_goes_on_with_the_same_losses(configure, tmp_path):
    quick = ("optimizer=muon", "scheduler=constant", "scheduler.warmup_steps=0", "trainer.num_pictures=0")
    whole = train(configure(*quick, "trainer.max_steps=4", f"run_dir={tmp_path / 'whole'}")).folder
    folder = train(configure(*quick, f"run_dir={tmp_path / 'run'}")).folder
    train(resumed_config(folder, ["trainer.max_steps=4"]))
    assert (folder / "losses.csv").read_bytes() == (whole / "losses.csv").read_bytes()
