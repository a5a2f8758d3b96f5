"""What a person sees while a training runs, on a terminal or in a log."""

from __future__ import annotations

import sys
import time
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import RichProgressBar

from hipseg.errors import UsageError, nearest_name
from hipseg.training.module import SegmentationTask

KINDS = ("auto", "bar", "lines", "off")


def progress_callbacks(kind: str) -> list[Callback]:
    """The callbacks that show progress on stderr.

    Args:
        kind: "auto" (a bar on a terminal, lines elsewhere), "bar", "lines", "off".

    Raises:
        UsageError: another kind.
    """
    if kind not in KINDS:
        raise UsageError(f"unknown kind '{kind}'", where="trainer.progress", mend=nearest_name(kind, KINDS))
    if kind == "off":
        return []
    if kind == "bar" or (kind == "auto" and sys.stderr.isatty()):
        return [RichProgressBar(console_kwargs={"stderr": True}), ProgressLines(seconds=float("inf"))]
    return [ProgressLines()]


class ProgressLines(Callback):
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
        if now - self._spoken < self._seconds:
            return
        self._spoken = now
        rate = (trainer.global_step - self._first_step) / (now - self._begun)
        left_s = (trainer.max_steps - trainer.global_step) / rate
        _say(
            f"step {trainer.global_step}/{trainer.max_steps}, loss {outputs['loss'].item():.3f}, "
            f"{rate * len(batch['image']):.0f} images/s, {_duration(left_s)} left"
        )

    def on_validation_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Says what validation found."""
        if not isinstance(module, SegmentationTask) or not module.figures:
            return
        shown = [
            f"{name.removeprefix('dice/').replace('_', ' ')} {figure.value:.3f} (n={figure.num_cases})"
            for name, figure in module.figures.items()
            if figure.num_cases
        ]
        _say(f"step {trainer.global_step}, validation: " + ", ".join(shown))


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
