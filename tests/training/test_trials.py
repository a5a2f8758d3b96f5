"""Trials say what a run costs and whether it starts, and leave nothing behind."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from hipseg.cli.main import execute
from hipseg.data.pixel_store import open_store
from hipseg.errors import SourceError
from hipseg.training.forecast import activation_bytes, forecast
from hipseg.training.trials import dry_run, find_rate, overfit


def test_a_forecast_counts_what_the_network_does(configure, tmp_path: Path):
    found = forecast(configure("trainer.max_steps=300", "trainer.steps_per_epoch=100"))
    assert (found.batch_size, found.grid_size, found.num_steps) == (2, 64, 300)
    assert found.num_parameters > 1000
    assert found.seconds_a_step > found.data_seconds_a_step > 0
    assert found.minutes == pytest.approx(300 * found.seconds_a_step / 60)
    # AdamW keeps two moments beside weight, gradient and average: five numbers of four bytes a parameter.
    assert found.state_mib * 2**20 == pytest.approx(20 * found.num_parameters, rel=0.02)
    assert not (tmp_path / "runs").exists()


def test_a_trial_decodes_no_more_than_it_needs(configure, monkeypatch):
    """A run's stores decode the whole data set first, minutes for thousands of cases."""
    opened = []

    def noting(*args, store: str, num_bytes: int, **others):
        opened.append((store, num_bytes))
        return open_store(*args, store=store, num_bytes=num_bytes, **others)

    monkeypatch.setattr("hipseg.data.sources.open_store", noting)
    forecast(configure())
    assert [store for store, num_bytes in opened if num_bytes] == ["none"]


def test_activations_are_what_autograd_keeps():
    """Two convolutions without bias keep their inputs; ReLU keeps its output, which the second takes: one storage."""
    network = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 2, 1))
    image_bytes = 4 * 2 * 1 * 16 * 16
    assert activation_bytes(network, torch.zeros(2, 1, 16, 16)) == image_bytes + 8 * image_bytes


def test_a_dry_run_trains_and_validates_one_batch(configure, tmp_path: Path):
    line = dry_run(configure())
    assert "loss" in line
    assert "score" in line
    assert not (tmp_path / "runs").exists()


def test_a_dry_run_finds_missing_data(configure):
    with pytest.raises(SourceError, match="nowhere"):
        dry_run(configure("data.train.simulated.root=nowhere"))


def test_a_sound_configuration_learns_one_batch_by_heart(configure):
    found = overfit(configure("augment=none", "optimizer.lr=0.01", "data.negatives=0"), num_steps=60)
    assert len(found.losses) == 60
    assert found.losses[-1] < 0.5 * found.losses[0]
    assert found.dice > 0.5


def test_a_rate_of_nothing_is_found_out(configure):
    found = overfit(configure("optimizer.lr=1e-12"), num_steps=3)
    assert not found.has_learned
    assert "does NOT learn" in str(found)


def test_the_rate_finder_climbs_through_the_rates(configure, tmp_path: Path):
    rate, curve = find_rate(configure("augment=none"), num_steps=30)
    rates = [point[0] for point in curve]
    assert rates == sorted(rates)
    assert rates[0] < 1e-5
    assert rate is None or 1e-6 <= rate <= 1
    assert not (tmp_path / "runs").exists()


def test_the_command_prints_configuration_and_cost(small_overrides, capsys):
    assert execute(["train", *small_overrides, "--info"]) == 0
    out = capsys.readouterr().out
    assert "hipseg.models.halfres_unet.HalfResUNet" in out
    assert "whole run" in out


def test_one_trial_at_a_time(capsys):
    assert execute(["train", "--info", "--dry-run"]) == 2
    assert "exclude each other" in capsys.readouterr().err
