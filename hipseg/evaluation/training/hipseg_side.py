"""hipseg's own side: its network, its trainer, its loader, and the bare loop that its speed is held against."""

from __future__ import annotations

import math
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from omegaconf import DictConfig
from torch import nn

from hipseg.configuration import compose
from hipseg.evaluation.training.cases import dice_of
from hipseg.evaluation.training.setting import Outcome, Setting, Watch
from hipseg.training.checkpoint import load_network
from hipseg.training.components import make
from hipseg.training.config import TrainConfig
from hipseg.training.forecast import forecast
from hipseg.training.module import SegmentationTask
from hipseg.training.run import make_task, settle, train

MIXED = "bf16-mixed"
_SETTLING_STEPS = 4
"""Prefetched batches and first allocations: steps before speed is measured."""
_NUM_BATCHES_IN_MEMORY = 8
_TIMES_FORETOLD = 3
"""Steps that are configured for each that was foretold: a run must not end before its minutes."""


def configured(setting: Setting, folder: Path, *overrides: str) -> DictConfig:
    """What `hipseg train` is told for this comparison."""
    own = [
        f"data.train.simulated.root={setting.data}",
        f"data.validation=[{setting.data}]",
        "data.test=[]",
        f"data.grid_size={setting.grid_size}",
        f"data.batch_size={setting.batch_size}",
        f"data.num_workers={setting.num_workers}",
        f"trainer.num_threads={setting.num_threads or 'null'}",
        "trainer.progress=off",
        f"seed={setting.seed}",
        f"run_dir={folder}",
    ]
    return compose("train", [*own, *setting.overrides, *overrides], schema=TrainConfig)


def precision_of(setting: Setting, folder: Path) -> str:
    """What hipseg computes in, by Lightning's name, and so does everybody whose loop can be told."""
    return str(settle(configured(setting, folder)).trainer.precision)


def train_hipseg(setting: Setting, folder: Path) -> tuple[Outcome, nn.Module]:
    """A whole run of `hipseg train`, checkpoints, curves, average and pictures among it.

    A few steps before foretell how many make the time between two validations. It ends with its minutes, however many
    steps they were, and its schedule goes by them, as the others' do.
    """
    seconds_a_step = forecast(configured(setting, folder)).seconds_a_step
    steps_an_epoch = max(round(setting.budget_s / seconds_a_step / setting.num_validations), 1)
    steps = [
        f"trainer.max_steps={_TIMES_FORETOLD * steps_an_epoch * setting.num_validations}",
        f"trainer.steps_per_epoch={steps_an_epoch}",
    ]
    watch = Watch(setting.budget_s, setting.num_validations)
    result = train(configured(setting, folder, *steps), callbacks=[_Watching(watch)])
    network, _ = load_network(result.last)
    watch.outcome.num_parameters = sum(parameter.numel() for parameter in network.parameters())
    return watch.outcome, network


class _Watching(Callback):
    """Keeps the watch of a training, and ends it when its time is up."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    def on_train_start(self, _trainer: Trainer, _module: LightningModule) -> None:
        self._watch.run()

    def on_train_batch_end(self, trainer: Trainer, _module: LightningModule, _outputs: Any, batch: Any, _: int) -> None:
        self._watch.trained(len(batch["image"]))
        for place in trainer.lr_scheduler_configs:
            _set_by_progress(place.scheduler, self._watch.progress * trainer.max_steps)
        trainer.should_stop = trainer.should_stop or self._watch.is_over

    def on_validation_start(self, _trainer: Trainer, _module: LightningModule) -> None:
        self._watch.rest()

    def on_validation_end(self, _trainer: Trainer, module: LightningModule) -> None:
        assert isinstance(module, SegmentationTask)
        self._watch.validated(*dice_of(module.figures))
        self._watch.run()


def _set_by_progress(scheduler: Any, steps: float) -> None:
    """Rates as after so many steps; all schedules of hipseg are factors of a step."""
    for group, rate, factor in zip(
        scheduler.optimizer.param_groups, scheduler.base_lrs, scheduler.lr_lambdas, strict=True
    ):
        group["lr"] = rate * factor(round(steps))


def measure_pace(setting: Setting) -> dict[str, list[float]]:
    """Images a second of the trainer and of the bare loop, in turns: what the machine does besides hits both.

    Returns:
        "hipseg" and "bare loop", a number a round.
    """
    rates: dict[str, list[float]] = {"hipseg": [], "bare loop": []}
    with tempfile.TemporaryDirectory(prefix="hipseg-pace-") as folder:
        steps = setting.pace_steps + _SETTLING_STEPS
        config = configured(
            setting,
            Path(folder) / "run",
            f"trainer.max_steps={steps}",
            f"trainer.steps_per_epoch={steps}",
            "data.validation=[]",
        )
        bare = _BareLoop(config)
        for number in range(setting.pace_rounds):
            config.run_dir = str(Path(folder) / f"run_{number}")
            clock = _Pace()
            train(config, callbacks=[clock])
            rates["hipseg"].append(setting.batch_size * setting.pace_steps / clock.seconds)
            bare.run(_SETTLING_STEPS)
            rates["bare loop"].append(setting.batch_size * setting.pace_steps / bare.run(setting.pace_steps))
    return rates


class _Pace(Callback):
    """Seconds of the steps after the first few."""

    seconds = math.nan

    def on_train_batch_end(self, trainer: Trainer, _module: LightningModule, outputs: Any, _batch: Any, _: int) -> None:
        if trainer.global_step in (_SETTLING_STEPS, trainer.max_steps):
            outputs["loss"].item()
            now = time.perf_counter()
            self._began, self.seconds = now, now - getattr(self, "_began", now)


class _BareLoop:
    """What one writes without any framework: batches in memory, forward, loss, backward, step; no clipping, no log."""

    def __init__(self, config: DictConfig) -> None:
        config = settle(config)
        task, data = make_task(config), make(config.data, "data", num_workers=0)
        data.setup("fit")
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._network, self._loss = task.network.to(self._device).train(), task.loss.to(self._device)
        self._optimizer: torch.optim.Optimizer = task.configure_optimizers()["optimizer"]
        self._is_mixed = config.trainer.precision == MIXED
        loader = iter(data.train_dataloader())
        self._batches = [
            {name: value.to(self._device) for name, value in next(loader).items()}
            for _ in range(min(_NUM_BATCHES_IN_MEMORY, config.trainer.max_steps))
        ]

    def run(self, num_steps: int) -> float:
        """Trains. Returns seconds."""
        began = time.perf_counter()
        for step in range(num_steps):
            batch = self._batches[step % len(self._batches)]
            with torch.autocast(self._device.type, torch.bfloat16, enabled=self._is_mixed):
                channels_NCHW = self._network(batch["image"])
            loss = self._loss(channels_NCHW.float(), batch)["loss"]
            self._optimizer.zero_grad()
            loss.backward()
            self._optimizer.step()
        loss.item()
        return time.perf_counter() - began
