"""Checkpoints of a run, written so that a training can be taken up exactly where it stopped, whatever stopped it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from hipseg.training.checkpoint import CONFIG_KEY
from hipseg.training.interruption import Interruption, TrainingInterrupted

SCORE = "val/score"


class RunCheckpoints(Checkpoint):
    """Keeps `last.ckpt` (at the start, every few steps, after each validation, on interruption) and `best.ckpt`.

    Each is written beside its place and moved there, so that a kill at any moment leaves a whole file. None is written
    between an epoch's last step and its validation: resuming there would skip the validation.

    Args:
        folder: of the checkpoints.
        config: of the run, kept in each of them.
        interruption: looked at after each step.
    """

    def __init__(self, folder: Path, config: DictConfig, interruption: Interruption) -> None:
        self.last, self.best = folder / "last.ckpt", folder / "best.ckpt"
        self.best_score: float | None = None
        self._every_steps, self._interruption = config.trainer.checkpoint_every_steps, interruption
        self._config = OmegaConf.to_container(config, resolve=True)

    def state_dict(self) -> dict[str, Any]:
        """The best score so far."""
        return {"best_score": self.best_score}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Goes on comparing with the best score so far."""
        self.best_score = state_dict["best_score"]

    def on_save_checkpoint(self, _trainer: Trainer, _module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Adds the run's configuration, as plain values."""
        checkpoint[CONFIG_KEY] = self._config

    def on_train_start(self, trainer: Trainer, _module: LightningModule) -> None:
        """Writes the first one: a run that cannot write learns so before it has spent any time."""
        if not self.last.exists():
            self._save(trainer)

    def on_train_batch_end(
        self, trainer: Trainer, _module: LightningModule, _outputs: Any, _batch: Any, _batch_index: int
    ) -> None:
        """Writes one when it is time, or when the run is to stop."""
        if trainer.is_last_batch:
            return
        if self._interruption.requested or trainer.global_step % self._every_steps == 0:
            self._save(trainer)
        self._stop_if_asked()

    def on_train_epoch_end(self, trainer: Trainer, _module: LightningModule) -> None:
        """Writes one after the validation, and keeps it when it is the best."""
        score = trainer.callback_metrics.get(SCORE, torch.tensor(torch.nan)).item()
        improved = score == score and (self.best_score is None or score > self.best_score)
        if improved:
            self.best_score = score
        self._save(trainer)
        if trainer.is_global_zero and (improved or not self.best.exists()):
            self._replace_best()
        self._stop_if_asked()

    def _save(self, trainer: Trainer) -> None:
        unfinished = self.last.with_suffix(".unfinished")
        trainer.save_checkpoint(unfinished)
        if trainer.is_global_zero:
            unfinished.replace(self.last)

    def _replace_best(self) -> None:
        unfinished = self.best.with_suffix(".unfinished")
        shutil.copyfile(self.last, unfinished)
        unfinished.replace(self.best)

    def _stop_if_asked(self) -> None:
        if self._interruption.requested:
            raise TrainingInterrupted


class RandomState(Callback):
    """Carries PyTorch's generator over an interruption, for networks that draw (dropout, stochastic depth).

    It is set again when the first batch begins, after the data loader has taken its own seed from it.
    """

    def __init__(self) -> None:
        self._restored: Tensor | None = None

    def state_dict(self) -> dict[str, Any]:
        """The generator's state."""
        return {"torch": torch.get_rng_state()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Keeps the state until the first batch."""
        self._restored = state_dict["torch"]

    def on_train_batch_start(self, _trainer: Trainer, _module: LightningModule, _batch: Any, _batch_index: int) -> None:
        """Sets the state once."""
        if self._restored is not None:
            torch.set_rng_state(self._restored.cpu())
            self._restored = None
