"""The loss curve and the validation figures of a run as CSV files that a resumed run continues."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from hipseg.training.accumulation import StepLosses, completes_step
from hipseg.training.module import SegmentationTask

LOSSES, METRICS = "losses.csv", "metrics.csv"


class Curves(Callback):
    """Appends to `losses.csv` (a line every few steps) and `metrics.csv` (a line a validated figure).

    Nothing in them depends on the clock: two runs of one seed give identical files. A resumed run drops the lines its
    predecessor wrote after the checkpoint.

    Args:
        folder: of the run.
        every_steps: optimizer steps between two lines of losses.
    """

    def __init__(self, folder: Path, every_steps: int) -> None:
        self._losses, self._metrics, self._every_steps = folder / LOSSES, folder / METRICS, every_steps
        self._step = StepLosses()

    def on_train_start(self, trainer: Trainer, _module: LightningModule) -> None:
        """Cuts off what lies in the future of this run."""
        if trainer.is_global_zero:
            for path in (self._losses, self._metrics):
                _keep_until(path, trainer.global_step)

    def on_train_batch_end(
        self, trainer: Trainer, _module: LightningModule, outputs: Any, _batch: Any, batch_index: int
    ) -> None:
        """Writes a line of losses when it is time."""
        self._step.add(outputs, trainer.accumulate_grad_batches)
        if not completes_step(trainer, batch_index):
            return
        if trainer.global_step % self._every_steps:
            self._step.drop()
            return
        values = self._step.take(trainer)
        if trainer.is_global_zero:
            rate = trainer.optimizers[0].param_groups[0]["lr"]
            _append(self._losses, [{"step": trainer.global_step, **values, "lr": rate}])
            for logger in trainer.loggers:
                logger.log_metrics({f"train/{name}": value for name, value in values.items()}, trainer.global_step)

    def on_validation_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Writes the figures with the number of cases behind each."""
        if trainer.is_global_zero and isinstance(module, SegmentationTask):
            rows = (
                {"step": trainer.global_step, "figure": name, "value": figure.value, "n": figure.num_cases}
                for name, figure in module.figures.items()
            )
            _append(self._metrics, rows)


def read_csv(path: Path) -> list[dict[str, str]]:
    """The lines of a CSV file as dictionaries; none when there is no file."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def _append(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    rows = list(rows)
    if not rows:
        return
    is_new = not path.exists() or path.stat().st_size == 0
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        if is_new:
            writer.writeheader()
        writer.writerows(rows)


def _keep_until(path: Path, step: int) -> None:
    if not path.exists():
        return
    header, *lines = path.read_text().splitlines(keepends=True) or [""]
    kept = [line for line in lines if line.endswith("\n") and int(line.partition(",")[0]) <= step]
    path.write_text(header + "".join(kept))
