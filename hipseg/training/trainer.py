"""Lightning's trainer as a run's settings want it, and the process it runs in."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import Logger
from omegaconf import DictConfig

from hipseg.runtime.threads import usable_cores
from hipseg.training.sharding import make_strategy


def prepare_process(config: DictConfig) -> None:
    """Seeds everything, sets the threads, and quiets what others print about themselves."""
    os.environ.setdefault("MONAI_LOG_LEVEL", "ERROR")
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    # Validation sets are small and decoded before; workers for them would cost more than they give.
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
    warnings.filterwarnings("ignore", message=".*smaller than the logging interval.*")
    warnings.filterwarnings("ignore", message=".*LeafSpec.*")
    warnings.filterwarnings("ignore", message=".*sync_dist=True.*")
    lightning.seed_everything(config.seed, verbose=False)
    if config.trainer.accelerator in ("auto", "cpu") and not torch.cuda.is_available():
        torch.set_num_threads(config.trainer.num_threads or max(usable_cores() // config.trainer.devices, 1))


def make_trainer(
    config: DictConfig,
    folder: Path,
    callbacks: Sequence[Callback] = (),
    logger: Logger | Sequence[Logger] | bool = False,
    **changes: Any,
) -> lightning.Trainer:
    """A trainer of this run.

    Args:
        config: of the run.
        folder: where Lightning may write.
        callbacks: all of them; Lightning adds none of its own.
        logger: of the losses and figures, False for none.
        changes: of Lightning's settings, for trials that are no whole run.
    """
    settings = config.trainer
    chosen: dict[str, Any] = {
        "accelerator": settings.accelerator,
        "devices": settings.devices,
        "num_nodes": settings.num_nodes,
        "strategy": make_strategy(settings),
        "accumulate_grad_batches": settings.accumulate,
        # Each process takes its own part of the stream, and validates on all cases: no figure is a mean of means.
        "use_distributed_sampler": False,
        "sync_batchnorm": torch.cuda.is_available() and settings.devices * settings.num_nodes > 1,
        "precision": settings.precision,
        "max_steps": settings.max_steps,
        "max_epochs": -1,
        "gradient_clip_val": settings.gradient_clip or None,
        "callbacks": list(callbacks),
        "logger": logger,
        "log_every_n_steps": settings.log_every_steps,
        "deterministic": "warn" if torch.cuda.is_available() else None,
        "default_root_dir": folder,
        "enable_checkpointing": any(isinstance(callback, lightning.callbacks.Checkpoint) for callback in callbacks),
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "num_sanity_val_steps": 0,
    }
    return lightning.Trainer(**chosen | changes)
