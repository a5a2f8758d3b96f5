"""Do 95 % intervals hold the truth 95 times in 100? Studies with a known truth, invented by the thousand.

Each study has patients that differ from each other and frames of one patient that resemble each other, unequally many
a patient. Intervals that resample patients are compared with intervals of the same kind that take every frame for an
independent observation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from hipseg.evaluation import bootstrap
from hipseg.evaluation.bootstrap import Floats, Interval, Ints

FRAMES_A_PATIENT = 20
PATIENT_SD, FRAME_SD = 0.8, 0.6
"""Of Dice on the logit scale: a correlation of 0.64 between frames of one patient."""
_CENTRE = 1.7
_FOUND_ABOVE = 0.7


@dataclass(frozen=True, slots=True)
class Coverage:
    """How often intervals held the truth.

    Attributes:
        figure: "mean", "share" or "median".
        unit: what was resampled, "patient" or "frame".
        num_patients, num_studies: of each study; how many studies.
        held: share of the studies whose interval held the truth.
        width: mean width of the intervals.
    """

    figure: str
    unit: str
    num_patients: int
    num_studies: int
    held: float
    width: float


@dataclass(frozen=True, slots=True)
class Study:
    """Invented results: a Dice a frame, and whose frame it is."""

    values: Floats
    patients: Ints


def invent_study(num_patients: int, rng: np.random.Generator) -> Study:
    """A study of `FRAMES_A_PATIENT` frames a patient on average, at least one of each."""
    extra = rng.multinomial(num_patients * (FRAMES_A_PATIENT - 1), rng.dirichlet(np.full(num_patients, 2.0)))
    patients = np.repeat(np.arange(num_patients), extra + 1)
    logits = _CENTRE + PATIENT_SD * rng.normal(size=num_patients)[patients] + FRAME_SD * rng.normal(size=len(patients))
    return Study(_logistic(logits), patients)


def true_figures() -> dict[str, float]:
    """The figures of all patients there could be."""
    spread = float(np.hypot(PATIENT_SD, FRAME_SD))
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    values = _logistic(_CENTRE + spread * nodes)
    threshold = np.log(_FOUND_ABOVE / (1 - _FOUND_ABOVE))
    return {
        "mean": float(weights @ values / weights.sum()),
        "share": float(stats.norm.sf((threshold - _CENTRE) / spread)),
        "median": float(_logistic(np.array(_CENTRE))),
    }


def measure_coverage(figure: str, unit: str, *, num_patients: int, num_studies: int = 1000, seed: int = 0) -> Coverage:
    """Invents studies and counts whose intervals hold the truth.

    Args:
        figure, unit: as in `Coverage`.
        num_patients, num_studies: how large and how many.
        seed: the same studies for every figure and unit.
    """
    rng = np.random.default_rng((seed, num_patients))
    truth = true_figures()[figure]
    interval_of = _INTERVALS[figure]
    intervals = np.array(
        [interval_of(_by_unit(invent_study(num_patients, rng), unit)) for _ in range(num_studies)], np.float64
    )
    held = (intervals[:, 0] <= truth) & (truth <= intervals[:, 1])
    return Coverage(
        figure, unit, num_patients, num_studies, float(held.mean()), float(np.diff(intervals, axis=1).mean())
    )


def coverage_table(*, num_studies: int = 1000, seed: int = 0, patients: Sequence[int] = (5, 10, 20, 40)) -> list[Any]:
    """The mean over several sizes of study, the other figures at one size; rows of `Coverage` as dictionaries."""
    settings = [("mean", number) for number in patients] + [("share", 20), ("median", 20)]
    return [
        asdict(measure_coverage(figure, unit, num_patients=number, num_studies=num_studies, seed=seed))
        for figure, number in settings
        for unit in ("patient", "frame")
    ]


def _by_unit(study: Study, unit: str) -> Study:
    """Frames taken for patients where frames are to be resampled."""
    return study if unit == "patient" else Study(study.values, np.arange(len(study.values)))


def _mean(study: Study) -> Interval | None:
    counts = np.bincount(study.patients)
    return bootstrap.mean_interval(np.bincount(study.patients, study.values) / counts)


def _share(study: Study) -> Interval | None:
    hits = np.bincount(study.patients, study.values > _FOUND_ABOVE).astype(np.float64)
    return bootstrap.share_interval(hits, np.bincount(study.patients).astype(np.float64))


def _median(study: Study) -> Interval | None:
    return bootstrap.quantile_interval(study.values, study.patients, 0.5)


_INTERVALS: dict[str, Callable[[Study], Interval | None]] = {"mean": _mean, "share": _share, "median": _median}


def _logistic(logits: npt.NDArray[np.float64]) -> Floats:
    return np.asarray(1 / (1 + np.exp(-logits)), np.float64)
