"""What a training will cost, measured on a few of its own steps before it begins."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from omegaconf import DictConfig
from torch import Tensor, nn

from hipseg.models.arithmetic import network_arithmetic
from hipseg.training.module import SegmentationTask, single_frames
from hipseg.training.progress import duration
from hipseg.training.trainer import make_trainer
from hipseg.training.trials import prepared

_NUM_STEPS = 4
_MEBIBYTE = 2**20


@dataclass(frozen=True, slots=True)
class Forecast:
    """The cost of a run.

    Attributes:
        num_parameters: of the network.
        macs: multiply-accumulate operations of one image forward, of convolutions and matrix products.
        grid_size, batch_size: of the batch that was measured.
        state_mib: weights, their gradients, the optimizer's state and the moving average, MiB.
        activations_mib: what one batch keeps for the backward pass, MiB.
        seconds_a_step: of an optimizer step with its data, median of those after the first.
        data_seconds_a_step: of these, waiting for data that are decoded as they come; a run decodes them once, before.
        num_steps: of the whole run.
    """

    num_parameters: int
    macs: int
    grid_size: int
    batch_size: int
    state_mib: float
    activations_mib: float
    seconds_a_step: float
    data_seconds_a_step: float
    num_steps: int

    @property
    def minutes(self) -> float:
        """Of the whole run's steps, without its validations."""
        return self.num_steps * self.seconds_a_step / 60

    def lines(self) -> list[str]:
        """For a reader, a line each."""
        waiting = 100 * self.data_seconds_a_step / self.seconds_a_step
        return [
            f"network      {self.num_parameters:,} parameters, {self.macs / 1e9:.2f} GMAC an image of "
            f"{self.grid_size} x {self.grid_size}",
            f"memory       {self.state_mib:.0f} MiB of weights, gradients and optimizer, "
            f"{self.activations_mib:.0f} MiB of activations for {self.batch_size} images",
            f"speed        {self.seconds_a_step:.2f} s a step (batch {self.batch_size}), "
            f"{waiting:.0f} % of it waiting for data",
            f"whole run    {self.num_steps:,} steps, about {duration(60 * self.minutes)} and its validations",
        ]


def forecast(config: DictConfig) -> Forecast:
    """Trains a few steps of a run as it is configured, leaves nothing behind, and says what the whole will cost.

    Args:
        config: composed and checked against `TrainConfig`.

    Raises:
        UsageError, SourceError, ModelError: whatever would have stopped the run at its beginning.
    """
    config, task, data = prepared(config)
    clock = _StepClock()
    with tempfile.TemporaryDirectory() as folder:
        trainer = make_trainer(config, Path(folder), [clock], max_steps=_NUM_STEPS, limit_val_batches=0)
        trainer.fit(task, datamodule=data)
    image_N1SS = single_frames(clock.batch)["image"].cpu()
    batch_size, grid_size = len(clock.batch["image"]), image_N1SS.shape[-1]
    arithmetic = network_arithmetic(task.network.cpu(), grid_size)
    return Forecast(
        num_parameters=arithmetic.num_parameters,
        macs=arithmetic.macs,
        grid_size=grid_size,
        batch_size=batch_size,
        state_mib=_state_bytes(task, trainer, config.trainer.ema_decay > 0) / _MEBIBYTE,
        activations_mib=_activation_mib(trainer, task.network.train(), image_N1SS),
        seconds_a_step=statistics.median(clock.seconds[1:]),
        data_seconds_a_step=statistics.median(clock.waited_seconds[1:]),
        num_steps=config.trainer.max_steps,
    )


def _activation_mib(trainer: Trainer, network: nn.Module, image_N1SS: Tensor) -> float:
    with trainer.precision_plugin.forward_context():
        return activation_bytes(network, image_N1SS) / _MEBIBYTE


def activation_bytes(network: nn.Module, image_N1SS: Tensor) -> int:
    """Memory that a forward pass keeps for the backward pass: every tensor autograd saves, each storage once."""
    own = {parameter.untyped_storage().data_ptr() for parameter in network.parameters()}
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        output = network(image_N1SS)
    del output
    return sum(kept.values())


class _StepClock(Callback):
    """Times optimizer steps, and what they wait for data; keeps the last batch."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.waited_seconds: list[float] = []
        self.batch: Mapping[str, Tensor] = {}
        self._step_ended = self._waited = 0.0
        self._batch_ended = 0.0

    def on_train_start(self, _trainer: Trainer, _module: LightningModule) -> None:
        self._step_ended = self._batch_ended = time.perf_counter()

    def on_train_batch_start(self, _trainer: Trainer, _module: LightningModule, batch: Any, _batch_index: int) -> None:
        self.batch = batch
        self._waited += time.perf_counter() - self._batch_ended

    def on_train_batch_end(
        self, trainer: Trainer, _module: LightningModule, outputs: Any, _batch: Any, _batch_index: int
    ) -> None:
        outputs["loss"].item()  # a GPU has done its work only now
        self._batch_ended = time.perf_counter()
        if trainer.global_step > len(self.seconds):
            self.seconds.append(self._batch_ended - self._step_ended)
            self.waited_seconds.append(self._waited)
            self._step_ended, self._waited = self._batch_ended, 0.0


def _state_bytes(task: SegmentationTask, trainer: Trainer, is_averaged: bool) -> int:
    weights = sum(parameter.nbytes for parameter in task.network.parameters())
    moments = sum(
        value.nbytes
        for state in trainer.optimizers[0].state.values()
        for value in state.values()
        if isinstance(value, Tensor)
    )
    return weights * (3 if is_averaged else 2) + moments
