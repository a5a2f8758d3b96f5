"""The schema of a training run. Groups that users extend by `_target_` stay open; everything else is typed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from omegaconf import MISSING


@dataclass
class TrainerConfig:
    """How a run proceeds, whatever it trains.

    Attributes:
        max_steps: optimizer steps of the whole run; the learning-rate schedule spans them.
        steps_per_epoch: steps between two validations (and their log line, picture and best-checkpoint test).
        max_minutes: ends the run early after this wall time, None never. The schedule is not shortened by it.
        accelerator: "auto", "cpu", "gpu", "mps".
        devices: how many of them in each machine; each takes `data.batch_size` images a batch.
        num_nodes: machines, which `torchrun` or SLURM starts.
        strategy: of several devices, by Lightning's names: "auto", "ddp", "fsdp" (weights in parts).
        accumulate: batches whose gradients make one optimizer step, for batches larger than the memory.
        precision: "auto" takes mixed precision where it is faster: bf16 (else fp16) on a GPU, bf16 on a CPU that has it
            in hardware, float32 elsewhere; or any of Lightning's ("32-true", "bf16-mixed", "16-mixed"). Losses, weights
            and figures are float32 in any case.
        num_threads: of PyTorch in each process on a CPU; None shares out the cores they may use.
        gradient_clip: largest gradient norm; 0 does not clip.
        ema_decay: of the weight average that is validated and exported; 0 switches it off.
        checkpoint_every_steps: how much a `kill -9` may cost.
        early_stop_epochs: validations without a better score before the run ends, None never stops early.
        log_every_steps: steps between two points of the loss curve.
        num_pictures: validation samples on each epoch's contact sheet, 0 draws none.
        progress: "auto" draws a bar on a terminal and prints lines elsewhere; "bar", "lines", "off".
    """

    max_steps: int = 20_000
    steps_per_epoch: int = 500
    max_minutes: float | None = None
    accelerator: str = "auto"
    devices: int = 1
    num_nodes: int = 1
    strategy: str = "auto"
    accumulate: int = 1
    precision: str = "auto"
    num_threads: int | None = None
    gradient_clip: float = 1.0
    ema_decay: float = 0.998
    checkpoint_every_steps: int = 100
    early_stop_epochs: int | None = None
    log_every_steps: int = 10
    num_pictures: int = 8
    progress: str = "auto"


@dataclass
class TrainConfig:
    """One training run.

    Attributes:
        data: a LightningDataModule by `_target_`.
        augment: what `data` does to its training samples.
        model: a network by `_target_`, [N, 1, S, S] to [N, NUM_OUTPUT_CHANNELS, S, S].
        loss: by `_target_`, see `training.losses.MultiTaskLoss`.
        optimizer: by `_target_`; called with the network's parameter groups.
        scheduler: by `_target_`; called with the optimizer and the number of steps.
        trainer: how the run proceeds.
        logger: one of Lightning's loggers by `_target_`; called with the run's folder; none where it is empty.
        datasets: folder of the data sets on disk, which presets name by their own names.
        name: of the run; its folder is `runs/<name>/<time>`.
        seed: of everything random.
        runs_dir: where run folders are made.
        run_dir: this run's folder, instead of a new one under `runs_dir`.
        resume: a run folder or checkpoint to go on from, exactly as if it had never stopped.
        init_from: a released model's folder, a run folder, a checkpoint or a `.safetensors` file whose weights are the
            start of a new run. Channels of classes it does not know begin anew.
        init_new: parts of the network that begin anew all the same, "head".
    """

    data: dict[str, Any] = MISSING
    augment: dict[str, Any] = field(default_factory=dict)
    model: dict[str, Any] = MISSING
    loss: dict[str, Any] = MISSING
    optimizer: dict[str, Any] = MISSING
    scheduler: dict[str, Any] = MISSING
    trainer: TrainerConfig = field(default_factory=TrainerConfig)
    logger: dict[str, Any] = field(default_factory=dict)
    datasets: str = "datasets"
    name: str = "train"
    seed: int = 0
    runs_dir: str = "runs"
    run_dir: str | None = None
    resume: str | None = None
    init_from: str | None = None
    init_new: list[str] = field(default_factory=list)
