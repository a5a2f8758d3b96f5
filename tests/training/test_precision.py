"""Mixed precision is taken where it is faster, never reaches the loss, and trains and resumes as float32 does."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf
from torch import nn

from hipseg.anatomy import NUM_CLASSES
from hipseg.configuration import config_folder
from hipseg.models.outputs import NUM_OUTPUT_CHANNELS
from hipseg.training import precision
from hipseg.training.components import make
from hipseg.training.config import TrainerConfig
from hipseg.training.curves import read_csv
from hipseg.training.run import resumed_config, train

BF16 = "trainer.precision=bf16-mixed"
NETWORKS = sorted(file.stem for file in (config_folder() / "model").glob("*.yaml"))


@pytest.mark.parametrize(
    ("native", "chosen"),
    [(("avx512_bf16",), "bf16-mixed"), (("amx_bf16", "amx_tile"), "bf16-mixed"), (("avx2",), "32-true")],
)
def test_a_cpu_that_multiplies_bf16_does(monkeypatch, native: tuple[str, ...], chosen: str):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: dict.fromkeys(native, True))
    settings = OmegaConf.structured(TrainerConfig(accelerator="cpu"))
    assert precision.choose_precision(settings) == chosen
    settings.precision = "32-true"
    assert precision.choose_precision(settings) == "32-true"


def test_a_run_keeps_the_precision_it_began_with(configure):
    """Another machine, where "auto" means something else, goes on with what this one chose."""
    folder = train(configure("trainer.precision=auto")).folder
    assert resumed_config(folder).trainer.precision in ("bf16-mixed", "16-mixed", "32-true")


class Watching(nn.Module):
    """A loss that remembers what it was given, and in what precision it computed."""

    seen: tuple[torch.dtype, torch.dtype] | None = None

    def forward(self, channels, _batch):
        product = torch.einsum("nchw,nchw->n", channels, channels)
        type(self).seen = channels.dtype, product.dtype
        return {"loss": product.mean()}


def test_losses_are_computed_in_float32(configure, monkeypatch):
    monkeypatch.setattr("hipseg.training.losses.MultiTaskLoss", lambda **_: Watching())
    train(configure(BF16))
    assert Watching.seen == (torch.float32, torch.float32)


def test_bf16_learns_what_float32_learns(configure):
    steps = ["trainer.max_steps=60", "trainer.steps_per_epoch=60", "data.batch_size=4", "optimizer.lr=0.01"]
    quiet = ["augment=none", "trainer.num_pictures=0", "data.negatives=0"]
    last = {}
    for name in ("32-true", "bf16-mixed"):
        rows = read_csv(
            train(configure(*steps, *quiet, f"trainer.precision={name}", f"name={name}")).folder / "losses.csv"
        )
        last[name] = sum(float(row["loss"]) for row in rows[-10:]) / 10
        assert last[name] < 0.5 * float(rows[0]["loss"])
    assert last["bf16-mixed"] == pytest.approx(last["32-true"], rel=0.15)


def test_a_stopped_bf16_run_goes_on_with_the_same_losses(configure, tmp_path: Path):
    settings = [BF16, "trainer.steps_per_epoch=4", "scheduler=constant", "scheduler.warmup_steps=1"]
    whole, part = (
        train(configure(*settings, f"trainer.max_steps={steps}", f"run_dir={tmp_path / str(steps)}")).folder
        for steps in (8, 4)
    )
    train(resumed_config(part, ["trainer.max_steps=8"]))
    assert (part / "losses.csv").read_bytes() == (whole / "losses.csv").read_bytes()


def test_gradients_are_clipped_with_a_fused_optimizer(configure):
    """Lightning alone refuses this pair under mixed precision."""
    assert train(configure(BF16, "optimizer.fused=true", "trainer.gradient_clip=0.5")).steps == 2


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_has_gradients_in_bf16(name: str):
    network = make(OmegaConf.load(config_folder() / "model" / f"{name}.yaml"), name)
    with torch.autocast("cpu", torch.bfloat16):
        channels = network(torch.rand(2, 1, 64, 64))
    assert channels.shape[1] == NUM_OUTPUT_CHANNELS > NUM_CLASSES
    channels.float().square().mean().backward()
    assert all(
        parameter.grad is None or (parameter.grad.dtype == torch.float32 and parameter.grad.isfinite().all())
        for parameter in network.parameters()
    )
