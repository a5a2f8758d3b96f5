"""Trials before a run: does it start, can it learn, at what rate. None of them leaves anything behind."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningDataModule, LightningModule, Trainer
from lightning.pytorch.tuner.tuning import Tuner
from omegaconf import DictConfig, OmegaConf
from torch.utils.data import DataLoader, Dataset

from hipseg.data.datamodule import HipDataModule
from hipseg.data.sources import DiskSource
from hipseg.data.stream import Batch
from hipseg.training.components import make
from hipseg.training.metrics import ValidationTally
from hipseg.training.module import SegmentationTask, single_frames
from hipseg.training.progress import figures_line, step_loss
from hipseg.training.run import make_task, settle
from hipseg.training.trainer import make_trainer, prepare_process

LEARNED_DICE = 0.8


def dry_run(config: DictConfig) -> str:
    """Trains one step, validates on one batch, and says what came out.

    Args:
        config: composed and checked against `TrainConfig`.

    Returns:
        A line for the user.

    Raises:
        UsageError, SourceError, ModelError: whatever would have stopped the run.
    """
    config, task, data = prepared(config)
    with tempfile.TemporaryDirectory() as folder:
        trainer = make_trainer(config, Path(folder), [losses := _LossRecord()], fast_dev_run=config.trainer.accumulate)
        trainer.fit(task, datamodule=data)
    return f"one step trained, one batch validated: loss {losses.values[-1]:.3f}; {figures_line(task)}"


@dataclass(frozen=True, slots=True)
class Overfit:
    """What a network made of one batch.

    Attributes:
        losses: of each step.
        dice: mean over the batch's structures at the end.
    """

    losses: list[float]
    dice: float

    @property
    def has_learned(self) -> bool:
        """A network, loss and optimizer that work together learn one batch nearly by heart."""
        return self.dice >= LEARNED_DICE

    def __str__(self) -> str:
        verdict = "learns" if self.has_learned else f"does NOT learn (Dice below {LEARNED_DICE:g})"
        return (
            f"{verdict} one batch: loss {self.losses[0]:.3f} to {self.losses[-1]:.3f} in {len(self.losses)} steps, "
            f"mean Dice {self.dice:.3f}"
        )


def overfit(config: DictConfig, *, num_steps: int = 200) -> Overfit:
    """Trains on the run's first batch again and again, at a constant rate.

    A configuration that cannot learn a few images by heart has a fault that no amount of data will mend.

    Args:
        config: composed and checked against `TrainConfig`; its schedule, average and number of steps are set aside.
        num_steps: optimizer steps.

    Raises:
        UsageError, SourceError, ModelError: whatever would have stopped the run.
    """
    config, task, data = prepared(config)
    batch = next(iter(data.train_dataloader()))
    with tempfile.TemporaryDirectory() as folder:
        trainer = make_trainer(
            config,
            Path(folder),
            [losses := _LossRecord()],
            max_steps=num_steps,
            limit_val_batches=0,
            accumulate_grad_batches=1,
        )
        task.hold_rate()
        trainer.fit(task, DataLoader(_Again(batch, num_steps), batch_size=None))
    tally = ValidationTally()
    with torch.inference_mode():
        tally.add(task.cpu().train()(batch["image"]), single_frames(batch))
    return Overfit(losses.values, tally.figures()["score"].value)


def find_rate(config: DictConfig, *, num_steps: int = 100) -> tuple[float | None, list[tuple[float, float]]]:
    """Raises the learning rate step by step from 1e-6 to 1 and looks where the loss falls fastest (Smith 2017).

    Args:
        config: composed and checked against `TrainConfig`.
        num_steps: optimizer steps, each at the next rate.

    Returns:
        The rate of steepest descent, None where the loss never fell, and the curve: rate and smoothed loss.

    Raises:
        UsageError, SourceError, ModelError: whatever would have stopped the run.
    """
    config, task, data = prepared(config)
    with tempfile.TemporaryDirectory() as folder:
        trainer = make_trainer(config, Path(folder), limit_val_batches=0, max_steps=num_steps)
        finder = Tuner(trainer).lr_find(
            task, datamodule=data, min_lr=1e-6, max_lr=1.0, num_training=num_steps, update_attr=False
        )
    assert finder is not None
    curve = list(zip(finder.results["lr"], finder.results["loss"], strict=False))
    return finder.suggestion(), curve


class _Again(Dataset[Batch]):
    """One batch, a number of times."""

    def __init__(self, batch: Batch, times: int) -> None:
        self._batch, self._times = batch, times

    def __len__(self) -> int:
        return self._times

    def __getitem__(self, index: int) -> Batch:
        return self._batch


class _LossRecord(Callback):
    """The loss of every batch."""

    def __init__(self) -> None:
        self.values: list[float] = []

    def on_train_batch_end(
        self, trainer: Trainer, _module: LightningModule, outputs: Any, _batch: Any, _batch_index: int
    ) -> None:
        self.values.append(step_loss(trainer, outputs))


def prepared(config: DictConfig) -> tuple[DictConfig, SegmentationTask, LightningDataModule]:
    """The parts of a trial: its settled configuration, its task and its data, set up for training.

    Images are decoded as they are drawn. A trial needs a few of them; a run's stores begin with decoding all.

    Raises:
        UsageError, SourceError, ModelError: whatever would have stopped the run.
    """
    config = settle(config)
    prepare_process(config)
    task, data = make_task(config), make(_without_stores(config.data), "data")
    data.setup("fit")
    return config, task, data


def _without_stores(node: DictConfig) -> DictConfig:
    """A data module's configuration whose data sets on disk are read case by case."""
    node = node.copy()
    if node.get("_target_") == f"{HipDataModule.__module__}.{HipDataModule.__name__}":
        OmegaConf.update(node, "cache_megabytes", 0, force_add=True)
        for source in node.train.values():
            if str(source.get("_target_")).endswith(f".{DiskSource.__name__}"):
                OmegaConf.update(source, "store", "none", force_add=True)
    return node
