"""What `hipseg simulate` makes: its settings, and how its cases are spread over processes."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

import cv2
import numpy as np
from omegaconf import MISSING, DictConfig, OmegaConf

from hipseg.errors import HipsegError, UsageError, nearest_name
from hipseg.simulation.config import SimulationConfig

FORMATS = ("dataset", "dicom", "mp4", "png")
_CASES_IN_A_DATASET, _CASES_OF_CLIPS = 300, 1

Result = TypeVar("Result")


@dataclass
class SimulateConfig:
    """One run of `hipseg simulate`.

    Attributes:
        out: folder of the results.
        num_cases: frames of a data set (300 by default), or clips (1 by default).
        seed: case k depends on the seed and k alone.
        format: "dataset" for single labelled frames; "dicom", "mp4" or "png" for clips of procedures.
        num_frames: of each clip, None for the population's own.
        num_workers: processes; their number does not change the results.
        overwrite: replace what is in `out`.
        simulation: the population.
    """

    out: str = MISSING
    num_cases: int | None = None
    seed: int = 0
    format: str = "dataset"
    num_frames: int | None = None
    num_workers: int = 2
    overwrite: bool = False
    simulation: SimulationConfig = field(default_factory=SimulationConfig)

    @property
    def case_count(self) -> int:
        """Number of frames or clips."""
        if self.num_cases is not None:
            return self.num_cases
        return _CASES_IN_A_DATASET if self.format == "dataset" else _CASES_OF_CLIPS

    @property
    def population(self) -> SimulationConfig:
        """The population, with the clip length asked for."""
        return self.simulation if self.num_frames is None else self.simulation.replace(num_frames=self.num_frames)

    @property
    def fingerprint(self) -> str:
        """Tells runs that give other bytes apart."""
        content = json.dumps([self.seed, self.format, asdict(self.population)], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:16]


def job_of(config: DictConfig) -> SimulateConfig:
    """The checked settings of a composed configuration.

    Raises:
        UsageError: a value that makes no sense.
    """
    values = OmegaConf.to_container(config, resolve=True)
    assert isinstance(values, dict)
    simulation = SimulationConfig(**values.pop("simulation"))
    job = SimulateConfig(**{str(key): value for key, value in values.items()}, simulation=simulation)
    if job.format not in FORMATS:
        raise UsageError(f"is '{job.format}'", where="format", mend=nearest_name(job.format, FORMATS))
    for name, lowest in (("num_cases", 1), ("num_workers", 1), ("num_frames", 1), ("seed", 0)):
        value = getattr(job, name)
        if value is not None and value < lowest:
            raise UsageError(f"is {value}", where=name, expected=f"a whole number from {lowest}")
    return job


def generator(seed: int, case: int) -> np.random.Generator:
    """All of a case's chance."""
    return np.random.default_rng((seed, case))


def in_parallel(task: Callable[[int], Result], cases: Sequence[int], num_workers: int) -> Iterator[Result]:
    """Runs a task for each case, over processes, and yields the results in order.

    Args:
        task: importable, of a case's number.
        cases: the numbers.
        num_workers: processes; 1 stays in this one.

    Raises:
        HipsegError: a worker was killed, by lack of memory for instance.
    """
    if num_workers == 1 or len(cases) < 2:
        yield from map(task, cases)
        return
    import joblib
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    parallel = joblib.Parallel(n_jobs=min(num_workers, len(cases)), return_as="generator", batch_size=1)
    try:
        yield from parallel(joblib.delayed(_alone)(task, case) for case in cases)
    except TerminatedWorkerError as error:
        mend = "run the same command again, it goes on where it stopped; fewer num_workers need less memory"
        raise HipsegError("a worker process was killed", mend=mend) from error


def _alone(task: Callable[[int], Any], case: int) -> Any:
    """Runs a task with one thread: the processes share the cores among themselves."""
    cv2.setNumThreads(1)
    return task(case)


class Progress:
    """Tells on stderr how far a run has come: a line in place on a terminal, a line each tenth elsewhere."""

    def __init__(self, total: int, what: str) -> None:
        self._total, self._what, self._done, self._told = total, what, 0, -1

    def advance(self) -> None:
        """One more is done."""
        self._done += 1
        terminal = sys.stderr.isatty()
        tenth = 10 * self._done // self._total
        if terminal or tenth > self._told:
            end = "\n" if not terminal or self._done == self._total else ""
            lead = "\r" if terminal else ""
            print(f"{lead}{self._done} of {self._total} {self._what}", end=end, file=sys.stderr, flush=True)
        self._told = tenth
