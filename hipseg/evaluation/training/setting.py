"""What every contestant is given, and what comes back from each."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Setting:
    """The same for all.

    Attributes:
        data: folder of a data set, its "train" cases trained on and its "val" cases validated on.
        minutes: of training for each, validations left out.
        target_dice: the time to reach it is told.
        grid_size: side of the network's grid, cells.
        batch_size: images a step.
        seed: of weights and samples.
        num_validations: evenly spread over the minutes.
        num_threads: of PyTorch; None takes the physical cores.
        num_workers: processes that prepare batches.
        most_cases: training and validation cases that are used, the first ones; None uses all.
        overrides: of `hipseg train`, for hipseg only: its network, augmentation, loss, rate.
        exported: whether latency of the exported models is measured too.
        pace_steps, pace_rounds: of each in the comparison of speed with the bare loop.
        nnunet_python: of an environment with nnU-Net.
    """

    data: str
    minutes: float = 10.0
    target_dice: float = 0.5
    grid_size: int = 256
    batch_size: int = 16
    seed: int = 0
    num_validations: int = 6
    num_threads: int | None = None
    num_workers: int = 1
    most_cases: int | None = None
    overrides: tuple[str, ...] = ()
    exported: bool = True
    pace_steps: int = 40
    pace_rounds: int = 3
    nnunet_python: str | None = None

    @property
    def budget_s(self) -> float:
        """Seconds of training."""
        return 60 * self.minutes


@dataclass
class Outcome:
    """What one contestant made of its minutes.

    Attributes:
        num_parameters: of its network.
        num_images: trained on.
        seconds: of training, validations left out.
        curve: seconds and mean Dice of each validation.
        dice: of the last validation by structure.
        peak_mib: most memory its process held, data included, MiB.
        note: what a reader must know.
    """

    num_parameters: int = 0
    num_images: int = 0
    seconds: float = 0.0
    curve: list[tuple[float, float]] = field(default_factory=list)
    dice: dict[str, float] = field(default_factory=dict)
    peak_mib: float = 0.0
    note: str = ""

    @property
    def images_per_s(self) -> float | None:
        """Of the whole training; None without one."""
        return self.num_images / self.seconds if self.seconds else None

    @property
    def final_dice(self) -> float | None:
        """Of the last validation."""
        return self.curve[-1][1] if self.curve else None

    def seconds_to(self, dice: float) -> float | None:
        """Training time until a validation was as good; None where none was."""
        return next((seconds for seconds, reached in self.curve if reached >= dice), None)

    def to_dict(self, target_dice: float) -> dict[str, Any]:
        """For JSON."""
        return {
            "num_parameters": self.num_parameters,
            "num_images": self.num_images,
            "seconds": round(self.seconds, 2),
            "images_per_s": _rounded(self.images_per_s, 2),
            "peak_mib": round(self.peak_mib),
            "final_dice": _rounded(self.final_dice, 4),
            "seconds_to_target": _rounded(self.seconds_to(target_dice), 1),
            "dice": {name: round(value, 4) for name, value in self.dice.items()},
            "curve": [[round(seconds, 1), round(dice, 4)] for seconds, dice in self.curve],
            "note": self.note,
        }


class Watch:
    """Time spent on training, which validations do not count to.

    Args:
        budget_s: of training.
        num_validations: evenly spread over it, the last at its end.
    """

    def __init__(self, budget_s: float, num_validations: int) -> None:
        self.outcome = Outcome()
        self._budget_s, self._every_s = budget_s, budget_s / num_validations
        self._since: float | None = None

    def run(self) -> None:
        """Training begins, or goes on."""
        self._since = time.perf_counter()

    def rest(self) -> None:
        """Training pauses."""
        self.outcome.seconds, self._since = self.seconds, None

    def trained(self, num_images: int) -> None:
        """A step was taken."""
        self.outcome.num_images += num_images

    def validated(self, dice: dict[str, float], score: float) -> None:
        """A validation ended."""
        self.outcome.dice = dice
        self.outcome.curve.append((self.seconds, score))

    @property
    def seconds(self) -> float:
        """Of training so far."""
        running = 0.0 if self._since is None else time.perf_counter() - self._since
        return self.outcome.seconds + running

    @property
    def progress(self) -> float:
        """Part of the budget that is spent, at most 1."""
        return min(self.seconds / self._budget_s, 1.0)

    @property
    def is_due(self) -> bool:
        """Whether the next validation's time has come."""
        return self.seconds >= self._every_s * (len(self.outcome.curve) + 1)

    @property
    def is_over(self) -> bool:
        """Whether the budget is spent."""
        return self.seconds >= self._budget_s


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
