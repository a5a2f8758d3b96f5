"""What is looked at before a training spends any time: the machine, the settings, the data."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from lightning.pytorch import LightningDataModule
from lightning.pytorch.strategies import StrategyRegistry
from omegaconf import DictConfig

from hipseg.anatomy import BACKGROUND, CLASS_NAMES, IGNORED
from hipseg.data.datamodule import HipDataModule
from hipseg.data.sources import CaseReader, DiskSource
from hipseg.errors import UsageError, nearest_name
from hipseg.runtime.threads import usable_cores
from hipseg.training.sharding import SHARDED

_MOST_CASES_LOOKED_AT = 100


def check_machine(settings: DictConfig) -> None:
    """Checks that what the trainer is asked to use is there.

    Args:
        settings: as `TrainerConfig`.

    Raises:
        UsageError: fewer GPUs than asked, an unknown strategy, or settings that the strategy cannot honour.
    """
    others = (name for name in StrategyRegistry.available_strategies() if not name.startswith(SHARDED))
    known = ("auto", SHARDED, *others)
    if settings.strategy not in known:
        mend = nearest_name(settings.strategy, known)
        raise UsageError(f"unknown strategy '{settings.strategy}'", where="trainer.strategy", mend=mend)
    num_gpus = torch.cuda.device_count()
    wants_gpu = settings.accelerator in ("gpu", "cuda") or (settings.accelerator == "auto" and num_gpus > 0)
    if wants_gpu and settings.devices > num_gpus:
        mend = f"trainer.devices={num_gpus}" if num_gpus else "trainer.accelerator=cpu"
        raise UsageError(f"{settings.devices} GPUs asked for, {num_gpus} here", where="trainer.devices", mend=mend)
    if settings.strategy == SHARDED:
        _check_sharding(settings)


def _check_sharding(settings: DictConfig) -> None:
    where = f"trainer.strategy={settings.strategy}"
    if settings.ema_decay:
        raise UsageError("sharded weights are not averaged", where=where, mend="trainer.ema_decay=0")
    if settings.precision == "16-mixed":
        mend = "trainer.precision=bf16-mixed or 32-true"
        raise UsageError("sharded training cannot compute in float16", where=where, mend=mend)


def notes_on(config: DictConfig, data: LightningDataModule) -> Iterator[str]:
    """What a user should know before the run begins, a sentence each; none of it stops the run.

    Args:
        config: of the run.
        data: set up for training.

    Raises:
        UsageError: the run is to stop by its validation score and has no validation data.
    """
    num_threads = (config.trainer.num_threads or 1) * config.trainer.devices
    if not torch.cuda.is_available() and num_threads > usable_cores():
        yield f"{num_threads} threads on {usable_cores()} cores: slower than {usable_cores()} would be"
    if not isinstance(data, HipDataModule):
        return
    if (num_workers := config.data.get("num_workers", 0) * config.trainer.devices) > usable_cores():
        yield f"{num_workers} data workers on {usable_cores()} cores: data.num_workers={usable_cores()} is enough"
    if not any(len(reader) for reader in data.readers.get("val", [])):
        if config.trainer.early_stop_epochs:
            raise UsageError("no validation data to stop early by", mend="data.validation=[FOLDER], or no early stop")
        yield "no validation data: no scores, and best.ckpt is the last checkpoint"
    sources = [source for name, source in data.sources.items() if data.weights[name] > 0]
    disks = [source.reader for source in sources if isinstance(source, DiskSource)]
    if len(disks) == len(sources) and (absent := absent_classes(disks)):
        yield f"no training image shows {', '.join(absent)}: the network will not learn it"


def absent_classes(readers: list[CaseReader], *, most_cases: int = _MOST_CASES_LOOKED_AT) -> list[str]:
    """Classes in none of the masks, of which up to `most_cases` of each data set are looked at, evenly spread."""
    seen_C = np.zeros(len(CLASS_NAMES), bool)
    for reader in readers:
        for index in np.unique(np.linspace(0, len(reader) - 1, most_cases).round().astype(int)):
            sample = reader.sample(int(index))
            drawn = np.setdiff1d(np.unique(sample.labels_HW), (BACKGROUND, IGNORED))
            seen_C |= sample.membership_CC[drawn].any(axis=0)
            if seen_C[BACKGROUND + 1 :].all():
                return []
    return [name for name, is_seen in zip(CLASS_NAMES, seen_C, strict=True) if not is_seen and name != "background"]
