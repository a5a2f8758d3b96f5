"""One training, from a checked configuration to a run folder."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from lightning.pytorch import LightningDataModule
from lightning.pytorch.callbacks import Callback, EarlyStopping, Timer
from lightning.pytorch.utilities import rank_zero_only
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from hipseg.errors import UsageError
from hipseg.io import write_json
from hipseg.training.averaging import MovingAverage
from hipseg.training.checkpoint import CONFIG_KEY, find_checkpoint, load_weights, read_checkpoint
from hipseg.training.checkpointing import SCORE, RandomState, RunCheckpoints
from hipseg.training.components import make
from hipseg.training.config import TrainConfig
from hipseg.training.continuity import differences
from hipseg.training.curves import Curves
from hipseg.training.data_record import data_record
from hipseg.training.interruption import Interruption, TrainingInterrupted
from hipseg.training.loggers import close_logger, make_logger
from hipseg.training.metrics import Figure
from hipseg.training.module import SegmentationTask
from hipseg.training.pictures import SamplePictures
from hipseg.training.precision import choose_precision
from hipseg.training.preflight import check_machine, notes_on
from hipseg.training.progress import progress_callbacks
from hipseg.training.run_folder import RunFolder
from hipseg.training.sharding import SHARDED, ShardedTask
from hipseg.training.start import start_from
from hipseg.training.summary import write_summary
from hipseg.training.trainer import make_trainer, prepare_process


@dataclass(frozen=True, slots=True)
class RunResult:
    """What a training leaves behind.

    Attributes:
        folder: of the run.
        steps: optimizer steps done, all parts of a resumed run together.
        best_score: of the best validation, None when none was measured.
        figures: of the last validation.
        last, best: checkpoint files.
        is_first_process: False in the others of a training in several processes, which write nothing.
    """

    folder: Path
    steps: int
    best_score: float | None
    figures: dict[str, Figure]
    last: Path
    best: Path
    is_first_process: bool = True


def train(config: DictConfig, callbacks: Sequence[Callback] = ()) -> RunResult:
    """Trains as configured, or goes on where `config.resume` stopped (see `resumed_config`).

    Args:
        config: composed and checked against `TrainConfig`.
        callbacks: of the caller, besides the run's own.

    Raises:
        UsageError: settings that contradict each other, a part that cannot be made, a loss that is not finite.
        OutputError: the run folder cannot be written.
        ModelError: a checkpoint to start from that is missing, broken or of another network.
        KeyboardInterrupt: stopped on request, with a checkpoint to go on from.
    """
    config = settle(config)
    prepare_process(config)
    start = find_checkpoint(config.resume, prefer="last") if config.resume else None
    task, data = make_task(config, start), make(config.data, "data")
    data.setup("fit")  # the trainer does so again, at no cost; here a missing data set leaves no folder behind
    notes = list(notes_on(config, data))
    folder = _folder_of(config, start, data)
    task.broken_batch = folder.path / "broken_batch.pt"
    interruption = Interruption()
    checkpoints = RunCheckpoints(folder.checkpoints, config, interruption)
    logger = make_logger(config, folder.path, goes_on=start is not None)
    trainer = make_trainer(config, folder.path, [*_callbacks(config, folder), *callbacks, checkpoints], logger)
    _say(*notes, *(differences(folder, data) if start else ()), f"training in {folder.path}")
    with interruption.listening():
        try:
            trainer.fit(task, datamodule=data, ckpt_path=start, weights_only=True)
        except (TrainingInterrupted, RuntimeError):
            # A signal to the whole process group ends data workers, which PyTorch reports as a RuntimeError.
            if not interruption.requested:
                raise
            _say(f"stopped; go on with: hipseg train resume={folder.path}")
            raise KeyboardInterrupt from None
        finally:
            close_logger(logger)
    if trainer.is_global_zero:
        write_summary(folder)
    return RunResult(
        folder=folder.path,
        steps=trainer.global_step,
        best_score=checkpoints.best_score,
        figures=task.figures,
        last=checkpoints.last,
        best=checkpoints.best,
        is_first_process=trainer.is_global_zero,
    )


def _folder_of(config: DictConfig, start: Path | None, data: LightningDataModule) -> RunFolder:
    """The run's folder, which the first of several processes makes and alone writes to."""
    if start is not None:
        return RunFolder(start.parent.parent)
    if not _is_first_process():
        return RunFolder(Path(config.run_dir or config.runs_dir))
    folder = RunFolder.create(config)
    write_json(folder.data, data_record(data))
    return folder


def _say(*lines: str) -> None:
    if _is_first_process():
        print(*lines, sep="\n", file=sys.stderr, flush=True)


def _is_first_process() -> bool:
    """Of those that train together, which torchrun, SLURM or Lightning number in the environment."""
    return int(getattr(rank_zero_only, "rank", 0)) == 0


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
    if (config.trainer.strategy == SHARDED) != (own.trainer.strategy == SHARDED):
        # Lightning numbers the optimizer's state by the network's order in one and by the optimizer's in the other.
        mend = f"trainer.strategy={own.trainer.strategy}, or begin a new run with init_from=<checkpoint>"
        raise UsageError(
            "weights in parts cannot become whole ones, or the reverse", where="trainer.strategy", mend=mend
        )
    config.resume = str(file)
    return config


def settle(config: DictConfig) -> DictConfig:
    """A copy in which nothing is left open that a resumed run, perhaps on another machine, would choose otherwise.

    Its run is a whole number of epochs (a short run is one epoch), its precision the one that suits this machine.

    Raises:
        UsageError: the number of steps is not positive, or no multiple of the epoch's; see also `check_machine`.
    """
    config = config.copy()
    steps, epoch = config.trainer.max_steps, config.trainer.steps_per_epoch
    counts = ("checkpoint_every_steps", "log_every_steps", "accumulate", "devices", "num_nodes")
    if min(steps, epoch, *(config.trainer[name] for name in counts)) < 1:
        raise UsageError("a number of steps or devices below 1", where="trainer", expected="positive whole numbers")
    config.trainer.precision = choose_precision(config.trainer)
    check_machine(config.trainer)
    config.trainer.steps_per_epoch = min(steps, epoch)
    if steps % config.trainer.steps_per_epoch:
        raise UsageError(
            f"trainer.max_steps={steps} is no multiple of trainer.steps_per_epoch={epoch}",
            mend=f"trainer.max_steps={max(round(steps / epoch), 1) * epoch}",
        )
    return config


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
        _say(*start_from(network, config.init_from, config.init_new))
    _try_grid(network, config.data.get("grid_size"))
    task = ShardedTask if config.trainer.strategy == SHARDED else SegmentationTask
    return task(
        network,
        make(config.loss, "loss"),
        lambda parameters: make(config.optimizer, "optimizer", params=parameters),
        lambda optimizer: make(config.scheduler, "scheduler", optimizer=optimizer, num_steps=config.trainer.max_steps),
    )


def _try_grid(network: torch.nn.Module, grid_size: int | None) -> None:
    """Sends one empty image through: a network that halves the grid too often for it says so before data are read."""
    if grid_size is None:
        return
    try:
        with torch.inference_mode():
            network.eval()(torch.zeros(1, 1, grid_size, grid_size))
    except (RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise UsageError(
            f"the network takes no grid of {grid_size} x {grid_size} ({reason})",
            where="data.grid_size",
            mend="a multiple of 64, or a network of fewer levels",
        ) from error
    finally:
        network.train()


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
