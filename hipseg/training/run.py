"""One training, from a checked configuration to a run folder."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping, Timer
from lightning.pytorch.loggers import TensorBoardLogger
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from hipseg.errors import UsageError
from hipseg.runtime.threads import usable_cores
from hipseg.training.averaging import MovingAverage
from hipseg.training.checkpoint import CONFIG_KEY, find_checkpoint, load_weights, read_checkpoint, read_weights
from hipseg.training.checkpointing import SCORE, RandomState, RunCheckpoints
from hipseg.training.components import make
from hipseg.training.config import TrainConfig
from hipseg.training.curves import Curves
from hipseg.training.interruption import Interruption, TrainingInterrupted
from hipseg.training.metrics import Figure
from hipseg.training.module import SegmentationTask
from hipseg.training.pictures import SamplePictures
from hipseg.training.progress import progress_callbacks
from hipseg.training.run_folder import RunFolder
from hipseg.training.summary import write_summary


@dataclass(frozen=True, slots=True)
class RunResult:
    """What a training leaves behind.

    Attributes:
        folder: of the run.
        steps: optimizer steps done, all parts of a resumed run together.
        best_score: of the best validation, None when none was measured.
        figures: of the last validation.
        last, best: checkpoint files.
    """

    folder: Path
    steps: int
    best_score: float | None
    figures: dict[str, Figure]
    last: Path
    best: Path


def train(config: DictConfig) -> RunResult:
    """Trains as configured, or goes on where `config.resume` stopped (see `resumed_config`).

    Args:
        config: composed and checked against `TrainConfig`.

    Raises:
        UsageError: settings that contradict each other, a part that cannot be made, a loss that is not finite.
        OutputError: the run folder cannot be written.
        ModelError: a checkpoint to start from that is missing, broken or of another network.
        KeyboardInterrupt: stopped on request, with a checkpoint to go on from.
    """
    config = settle_steps(config)
    prepare_process(config)
    start = find_checkpoint(config.resume, prefer="last") if config.resume else None
    task, data = make_task(config, start), make(config.data, "data")
    data.setup("fit")  # the trainer does so again, at no cost; here a missing data set leaves no folder behind
    folder = RunFolder(start.parent.parent) if start else RunFolder.create(config)
    interruption = Interruption()
    checkpoints = RunCheckpoints(folder.checkpoints, config, interruption)
    trainer = make_trainer(config, folder, checkpoints)
    print(f"training in {folder.path}", file=sys.stderr, flush=True)
    with interruption.listening():
        try:
            trainer.fit(task, datamodule=data, ckpt_path=start, weights_only=True)
        except (TrainingInterrupted, RuntimeError):
            # A signal to the whole process group ends data workers, which PyTorch reports as a RuntimeError.
            if not interruption.requested:
                raise
            print(f"stopped; go on with: hipseg train resume={folder.path}", file=sys.stderr, flush=True)
            raise KeyboardInterrupt from None
    write_summary(folder)
    return RunResult(
        folder.path, trainer.global_step, checkpoints.best_score, task.figures, checkpoints.last, checkpoints.best
    )


def resumed_config(path: str | Path, overrides: Sequence[str] = ()) -> DictConfig:
    """The configuration of a run that goes on: the run's own, with a few values changed.

    Args:
        path: run folder or checkpoint.
        overrides: "trainer.max_minutes=10" and the like; the network and whole groups cannot change.

    Raises:
        ModelError: no checkpoint there, or a broken one.
        UsageError: an override that does not fit.
    """
    file = find_checkpoint(path, prefer="last")
    own = OmegaConf.merge(OmegaConf.structured(TrainConfig), OmegaConf.create(read_checkpoint(file)[CONFIG_KEY]))
    for override in overrides:
        key, _, _ = override.partition("=")
        if "." not in key or key.startswith(("+", "~", "model.", "hydra.")):
            raise UsageError(
                "cannot change when a run goes on", where=override, mend="begin a new run with init_from=<checkpoint>"
            )
    try:
        OmegaConf.set_struct(own, True)
        config = OmegaConf.merge(own, OmegaConf.from_dotlist(list(overrides)))
    except OmegaConfBaseException as error:
        raise UsageError(str(error).splitlines()[0], where=" ".join(overrides)) from error
    assert isinstance(config, DictConfig)
    config.resume = str(file)
    return config


def settle_steps(config: DictConfig) -> DictConfig:
    """A copy whose run is a whole number of epochs: a short run is one epoch.

    Raises:
        UsageError: the number of steps is not positive, or no multiple of the epoch's.
    """
    config = config.copy()
    steps, epoch = config.trainer.max_steps, config.trainer.steps_per_epoch
    if min(steps, epoch, config.trainer.checkpoint_every_steps, config.trainer.log_every_steps) < 1:
        raise UsageError("a number of steps below 1", where="trainer", expected="positive whole numbers")
    config.trainer.steps_per_epoch = min(steps, epoch)
    if steps % config.trainer.steps_per_epoch:
        raise UsageError(
            f"trainer.max_steps={steps} is no multiple of trainer.steps_per_epoch={epoch}",
            mend=f"trainer.max_steps={max(round(steps / epoch), 1) * epoch}",
        )
    return config


def prepare_process(config: DictConfig) -> None:
    """Seeds everything, sets the threads, and quiets what others print about themselves."""
    os.environ.setdefault("MONAI_LOG_LEVEL", "ERROR")
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    # Validation sets are small and decoded before; workers for them would cost more than they give.
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
    warnings.filterwarnings("ignore", message=".*smaller than the logging interval.*")
    warnings.filterwarnings("ignore", message=".*LeafSpec.*")
    lightning.seed_everything(config.seed, verbose=False)
    if config.trainer.accelerator in ("auto", "cpu") and not torch.cuda.is_available():
        torch.set_num_threads(config.trainer.num_threads or usable_cores())


def make_task(config: DictConfig, resumed_from: Path | None = None) -> SegmentationTask:
    """The network with its loss, optimizer and schedule, its start weights loaded where some are named.

    Args:
        config: as for `train`.
        resumed_from: a checkpoint that must fit this network; its weights are loaded later, by the trainer.
    """
    network = make(config.model, "model").to(memory_format=torch.channels_last)
    if resumed_from is not None:
        load_weights(network, read_checkpoint(resumed_from)["state_dict"], where=resumed_from)
    elif config.init_from:
        load_weights(network, read_weights(config.init_from), where=config.init_from)
    return SegmentationTask(
        network,
        make(config.loss, "loss"),
        lambda parameters: make(config.optimizer, "optimizer", params=parameters),
        lambda optimizer: make(config.scheduler, "scheduler", optimizer=optimizer, num_steps=config.trainer.max_steps),
    )


def make_trainer(config: DictConfig, folder: RunFolder, checkpoints: RunCheckpoints) -> lightning.Trainer:
    """Lightning's trainer with everything a run writes."""
    settings = config.trainer
    return lightning.Trainer(
        accelerator=settings.accelerator,
        devices=settings.devices,
        precision=choose_precision(settings.precision),
        max_steps=settings.max_steps,
        max_epochs=-1,
        gradient_clip_val=settings.gradient_clip,
        callbacks=[*_callbacks(config, folder), checkpoints],
        logger=TensorBoardLogger(folder.path, name="", version="tensorboard"),
        log_every_n_steps=settings.log_every_steps,
        deterministic="warn" if torch.cuda.is_available() else None,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )


def choose_precision(wanted: str) -> Any:
    """ "auto" is mixed precision where the device computes faster with it, float32 on a CPU."""
    if wanted != "auto":
        return wanted
    if not torch.cuda.is_available():
        return "32-true"
    return "bf16-mixed" if torch.cuda.is_bf16_supported() else "16-mixed"


def _callbacks(config: DictConfig, folder: RunFolder) -> list[Callback]:
    settings = config.trainer
    callbacks: list[Callback] = [MovingAverage(settings.ema_decay)] if settings.ema_decay else []
    callbacks += [RandomState(), Curves(folder.path, settings.log_every_steps)]
    callbacks += progress_callbacks(settings.progress)
    if settings.num_pictures:
        callbacks.append(SamplePictures(folder.pictures, settings.num_pictures))
    if settings.early_stop_epochs:
        callbacks.append(EarlyStopping(SCORE, mode="max", patience=settings.early_stop_epochs, check_finite=False))
    if settings.max_minutes:
        callbacks.append(Timer({"seconds": round(settings.max_minutes * 60)}, verbose=False))
    return callbacks
