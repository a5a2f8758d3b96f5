"""What a person sees while a training runs, on a terminal or in a log. All of it goes to stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from hipseg.errors import UsageError, nearest_name
from hipseg.training.module import SegmentationTask

KINDS = ("auto", "bar", "lines", "off")


def progress_callbacks(kind: str) -> list[Callback]:
    """The callback that shows progress.

    Args:
        kind: "auto" (a bar on a terminal, lines elsewhere), "bar", "lines", "off".

    Raises:
        UsageError: another kind.
    """
    if kind not in KINDS:
        raise UsageError(f"unknown kind '{kind}'", where="trainer.progress", mend=nearest_name(kind, KINDS))
    if kind == "off":
        return []
    return [StepBar() if kind == "bar" or (kind == "auto" and sys.stderr.isatty()) else StepLines()]


class StepLines(Callback):
    """A line now and then, and one after each validation.

    Args:
        seconds: between two lines.
    """

    def __init__(self, seconds: float = 10.0) -> None:
        self._seconds = seconds
        self._begun = self._spoken = 0.0
        self._first_step = 0

    def on_train_start(self, trainer: Trainer, _module: LightningModule) -> None:
        """Starts the clock."""
        self._begun = self._spoken = time.monotonic()
        self._first_step = trainer.global_step

    def on_train_batch_end(
        self, trainer: Trainer, _module: LightningModule, outputs: Any, batch: Any, _batch_index: int
    ) -> None:
        """Says where training is, when it has been silent for long enough."""
        now = time.monotonic()
        if now - self._spoken < self._seconds or not trainer.is_global_zero:
            return
        self._spoken = now
        steps_a_second = (trainer.global_step - self._first_step) / (now - self._begun)
        images_a_step = len(batch["image"]) * trainer.accumulate_grad_batches * trainer.world_size
        left_s = (trainer.max_steps - trainer.global_step) / steps_a_second
        print(
            f"step {trainer.global_step}/{trainer.max_steps}, loss {step_loss(trainer, outputs):.3f}, "
            f"{steps_a_second * images_a_step:.0f} images/s, {duration(left_s)} left",
            file=sys.stderr,
            flush=True,
        )

    def on_validation_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Says what validation found."""
        if isinstance(module, SegmentationTask):
            print(f"step {trainer.global_step}, {figures_line(module)}", file=sys.stderr, flush=True)


class StepBar(Callback):
    """One bar over all steps of the run, with the loss, and a line above it after each validation."""

    def __init__(self) -> None:
        self._progress = Progress(
            TextColumn("training"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("loss {task.fields[loss]:.3f}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
        )

    def on_train_start(self, trainer: Trainer, _module: LightningModule) -> None:
        """Shows the bar."""
        self._task = self._progress.add_task("", total=trainer.max_steps, completed=trainer.global_step, loss=0.0)
        self._progress.start()

    def on_train_batch_end(
        self, trainer: Trainer, _module: LightningModule, outputs: Any, _batch: Any, _batch_index: int
    ) -> None:
        """Moves it."""
        self._progress.update(self._task, completed=trainer.global_step, loss=step_loss(trainer, outputs))

    def on_validation_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Says what validation found."""
        if isinstance(module, SegmentationTask):
            self._progress.console.print(f"step {trainer.global_step}, {figures_line(module)}", highlight=False)

    def on_train_end(self, _trainer: Trainer, _module: LightningModule) -> None:
        """Leaves the bar as it is."""
        self._progress.stop()

    def on_exception(self, _trainer: Trainer, _module: LightningModule, _exception: BaseException) -> None:
        """Gives the terminal back."""
        self._progress.stop()


def step_loss(trainer: Trainer, outputs: Mapping[str, Any]) -> float:
    """Of one batch, which Lightning divides by the number of batches it accumulates."""
    return float(outputs["loss"]) * trainer.accumulate_grad_batches


def figures_line(module: SegmentationTask) -> str:
    """The latest validation in one line, n beside each figure."""
    shown = [
        f"{name.removeprefix('dice/').replace('_', ' ')} {figure.value:.3f} (n={figure.num_cases})"
        for name, figure in module.figures.items()
        if figure.num_cases
    ]
    return "validation: " + (", ".join(shown) or "no cases")


def duration(seconds: float) -> str:
    """Rounded for a reader: "40 s", "12 min", "3.5 h"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
