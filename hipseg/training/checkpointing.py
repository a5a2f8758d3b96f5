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

from hipseg.errors import OutputError
from hipseg.io.writing import output_errors
from hipseg.training.accumulation import completes_step
from hipseg.training.checkpoint import CLASSES_KEY, CONFIG_KEY, meant_classes
from hipseg.training.interruption import Interruption, TrainingInterrupted

SCORE = "val/score"


class RunCheckpoints(Checkpoint):
    """Keeps `last.ckpt` (at the start, every few steps, after each validation, on interruption) and `best.ckpt`.

    Each is written beside its place and moved there, so that a kill at any moment leaves a whole file. None is written
    between an epoch's last step and its validation, where resuming would skip the validation, nor between the batches
    of one optimizer step, whose gradients would be lost.

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
        """Adds the run's configuration and what its channels stand for, as plain values."""
        checkpoint[CONFIG_KEY], checkpoint[CLASSES_KEY] = self._config, meant_classes()

    def on_train_start(self, trainer: Trainer, _module: LightningModule) -> None:
        """Writes the first one: a run that cannot write learns so before it has spent any time."""
        if not trainer.strategy.broadcast(self.last.exists()):
            self._save(trainer)
            if trainer.is_global_zero:
                self._demand_room()

    def on_train_batch_end(
        self, trainer: Trainer, _module: LightningModule, _outputs: Any, _batch: Any, batch_index: int
    ) -> None:
        """Writes one when it is time, or when the run is to stop."""
        if trainer.is_last_batch or not completes_step(trainer, batch_index):
            return
        is_to_stop = self._is_to_stop(trainer)
        if is_to_stop or trainer.global_step % self._every_steps == 0:
            self._save(trainer)
        if is_to_stop:
            raise TrainingInterrupted

    def on_train_epoch_end(self, trainer: Trainer, _module: LightningModule) -> None:
        """Writes one after the validation, and keeps it when it is the best."""
        score = trainer.callback_metrics.get(SCORE, torch.tensor(torch.nan)).item()
        improved = score == score and (self.best_score is None or score > self.best_score)
        if improved:
            self.best_score = score
        self._save(trainer)
        if trainer.is_global_zero and (improved or not self.best.exists()):
            self._replace_best()
        if self._is_to_stop(trainer):
            raise TrainingInterrupted

    def _save(self, trainer: Trainer) -> None:
        unfinished = self.last.with_suffix(".unfinished")
        try:
            with output_errors(self.last):
                trainer.save_checkpoint(unfinished)
                if trainer.is_global_zero:
                    unfinished.replace(self.last)
        except OutputError:
            unfinished.unlink(missing_ok=True)
            raise

    def _replace_best(self) -> None:
        unfinished = self.best.with_suffix(".unfinished")
        with output_errors(self.best):
            shutil.copyfile(self.last, unfinished)
            unfinished.replace(self.best)

    def _is_to_stop(self, trainer: Trainer) -> bool:
        """Whether any of the processes was asked to: they stop at the same step."""
        requested = self._interruption.requested
        return trainer.strategy.reduce_boolean_decision(requested, all=False) if trainer.world_size > 1 else requested

    def _demand_room(self) -> None:
        """Two more of the size of the first one: the best, and the next last beside the one it replaces."""
        needed, free = 2 * self.last.stat().st_size, shutil.disk_usage(self.last.parent).free
        if free < needed:
            what = f"{free / 1e6:.0f} MB of disk left, checkpoints need {needed / 1e6:.0f} MB"
            raise OutputError(what, where=self.last.parent, mend="make room, or choose runs_dir=")


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
