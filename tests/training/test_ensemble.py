"""The runs of a sweep as one network: its probabilities are the means of theirs."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from hipseg.errors import ModelError
from hipseg.models.outputs import NUM_OUTPUT_CHANNELS, interpret
from hipseg.training.checkpoint import CLASSES_KEY, CONFIG_KEY, load_network, meant_classes, trained_steps
from hipseg.training.ensemble import Ensemble


class Fixed(nn.Module):
    """Says the same of every image."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.channels = nn.Parameter(3 * torch.randn(1, NUM_OUTPUT_CHANNELS, 8, 8, generator=generator))

    def forward(self, image):
        return self.channels.expand(len(image), -1, -1, -1)


def test_probabilities_are_averaged():
    members, image = [Fixed(seed) for seed in range(3)], torch.zeros(2, 1, 8, 8)
    found = interpret(Ensemble(members, 8)(image))
    each = [interpret(member(image)) for member in members]
    for name, dim in (("class_logits_NCHW", 1), ("heatmap_logits_NKHW", 2)):
        mean, expected = getattr(found, name), [getattr(output, name) for output in each]
        flat = [value.flatten(2).softmax(dim) for value in expected]
        torch.testing.assert_close(mean.flatten(2).softmax(dim), torch.stack(flat).mean(0))
    torch.testing.assert_close(found.view_logits_N, torch.stack([output.view_logits_N for output in each]).mean(0))


def test_one_member_says_what_it_says_alone():
    member, image = Fixed(1), torch.zeros(1, 1, 8, 8)
    alone, found = interpret(member(image)), interpret(Ensemble([member], 8)(image))
    torch.testing.assert_close(found.class_logits_NCHW.softmax(1), alone.class_logits_NCHW.softmax(1))
    torch.testing.assert_close(found.visibility_logits_NK, alone.visibility_logits_NK)


def sweep(folder: Path, grid_sizes: tuple[int, ...]) -> Path:
    """A sweep's folder as `hipseg train --multirun` leaves it, of small networks."""
    model = {"_target_": "hipseg.models.halfres_unet.HalfResUNet", "widths": [4, 4], "num_convs": 1}
    for number, size in enumerate(grid_sizes):
        network, _ = _network(model, number)
        place = folder / str(number) / "checkpoints"
        place.mkdir(parents=True)
        weights = {f"network.{name}": value for name, value in network.state_dict().items()}
        config = {"model": model, "data": {"grid_size": size, "fold": number}}
        content = {"state_dict": weights, CONFIG_KEY: config, CLASSES_KEY: meant_classes(), "global_step": 7}
        torch.save(content, place / "best.ckpt")
    rows = "".join(f"{number},0.5,7,{number}\n" for number in range(len(grid_sizes)))
    (folder / "results.csv").write_text(f"data.fold,score,steps,run\n{rows}")
    return folder


def _network(model: dict, seed: int):
    from omegaconf import OmegaConf

    from hipseg.training.components import make

    torch.manual_seed(seed)
    return make(OmegaConf.create(model), "model"), seed


def test_a_sweeps_folder_is_its_runs_as_one(tmp_path: Path):
    folder = sweep(tmp_path / "sweep", (16, 16))
    network, config = load_network(folder)
    image = torch.rand(1, 1, 16, 16)
    members = [load_network(folder / name)[0](image) for name in ("0", "1")]
    means = torch.stack([interpret(channels).class_logits_NCHW.softmax(1) for channels in members]).mean(0)
    torch.testing.assert_close(interpret(network(image)).class_logits_NCHW.softmax(1), means)
    assert config.data.fold is None
    assert trained_steps(folder) is None
    assert trained_steps(folder / "0") == 7


def test_runs_of_several_grids_are_not_averaged(tmp_path: Path):
    with pytest.raises(ModelError, match=r"runs of grids \[16, 32\]"):
        load_network(sweep(tmp_path / "sweep", (16, 32)))
