"""What `hipseg simulate` makes: its settings, checked as a whole before anything is written."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from omegaconf import MISSING, DictConfig, OmegaConf

from hipseg.errors import UsageError, nearest_name
from hipseg.simulation.config import SimulationConfig
from hipseg.simulation.script.files import load_scenario, scenario_names
from hipseg.simulation.script.scenario import VIEWS, Scenario
from hipseg.simulation.workers import Progress, in_parallel

__all__ = ["Progress", "SimulateConfig", "generator", "in_parallel", "job_of"]

FORMATS = ("dataset", "dicom", "mp4", "png", "sheet")
ALL = "all"
_CASES_IN_A_DATASET, _CASES_OF_CLIPS = 300, 1


@dataclass
class SimulateConfig:
    """One run of `hipseg simulate`.

    Attributes:
        out: folder of the results.
        num_cases: cases of a data set (300 by default), or clips (one for each scenario by default).
        seed: case k depends on the seed and k alone.
        format: "dataset" for labelled frames; "dicom", "mp4" or "png" for clips of procedures; "sheet" for a
            picture of their key frames alone.
        scenario: name or YAML file of a scenario, a list of them, or "all"; cases take them in turn. Without one,
            clips are uneventful procedures, and a data set holds single frames that belong to no procedure.
        num_frames: of each clip, None for the scenario's own length.
        clip_frames: consecutive frames that each case of a data set of procedures holds.
        num_workers: processes; their number does not change the results.
        cluster: address of a dask scheduler whose workers make the cases, or "local"; None for processes.
        overwrite: replace what is in `out`.
        simulation: the population.
    """

    out: str = MISSING
    num_cases: int | None = None
    seed: int = 0
    format: str = "dataset"
    scenario: Any = None
    num_frames: int | None = None
    clip_frames: int = 1
    num_workers: int = 2
    cluster: str | None = None
    overwrite: bool = False
    simulation: SimulationConfig = field(default_factory=SimulationConfig)

    @property
    def case_count(self) -> int:
        """Number of cases: clips, or moments of a data set."""
        if self.num_cases is not None:
            return self.num_cases
        if self.format == "dataset":
            return _CASES_IN_A_DATASET
        return len(self.scenarios) if self.scenario is not None else _CASES_OF_CLIPS

    @cached_property
    def scenarios(self) -> tuple[Scenario, ...]:
        """The scenarios that cases take in turn; none for a data set of single frames.

        Raises:
            UsageError: one that does not exist, contradicts itself, or shows another view than the population's.
        """
        names = _scenario_names(self.scenario, self.simulation.view)
        if self.scenario is None and self.format == "dataset":
            return ()
        scenarios = tuple(load_scenario(name) for name in names)
        for scenario in scenarios:
            if self.simulation.view not in ("both", scenario.view) and self.scenario != ALL:
                what = f"is {scenario.view}, the population's view {self.simulation.view}"
                raise UsageError(what, where=f"scenario {scenario.name}", mend="leave simulation.view at both")
        return scenarios

    def scenario_of(self, case: int) -> Scenario:
        """The scenario of a case of clips."""
        return self.scenarios[case % len(self.scenarios)]

    @property
    def fingerprint(self) -> str:
        """Tells runs that give other bytes apart."""
        scenarios = [asdict(scenario) for scenario in self.scenarios]
        settings = [self.seed, self.format, asdict(self.simulation), scenarios, self.num_frames, self.clip_frames]
        return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]


def _scenario_names(scenario: Any, view: str) -> list[str]:
    if scenario is None:
        return [f"uneventful_{name}" for name in VIEWS if view in ("both", name)]
    if scenario == ALL:
        return scenario_names()
    names = scenario if isinstance(scenario, list) else [scenario]
    if not names or not all(isinstance(name, str) for name in names):
        raise UsageError(f"is {scenario!r:.60}", where="scenario", expected="a name, a list of names, or all")
    return names


def job_of(config: DictConfig) -> SimulateConfig:
    """The checked settings of a composed configuration.

    Raises:
        UsageError: a value that makes no sense, alone or beside another.
    """
    values = OmegaConf.to_container(config, resolve=True)
    assert isinstance(values, dict)
    simulation = SimulationConfig(**values.pop("simulation"))
    job = SimulateConfig(**{str(key): value for key, value in values.items()}, simulation=simulation)
    if job.format not in FORMATS:
        raise UsageError(f"is '{job.format}'", where="format", mend=nearest_name(job.format, FORMATS))
    for name, lowest in (("num_cases", 1), ("num_workers", 1), ("num_frames", 1), ("seed", 0), ("clip_frames", 1)):
        value = getattr(job, name)
        if value is not None and value < lowest:
            raise UsageError(f"is {value}", where=name, expected=f"a whole number from {lowest}")
    if job.clip_frames > 1 and (job.format != "dataset" or job.scenario is None):
        what = f"is {job.clip_frames}, but only data sets of procedures have cases of several frames"
        raise UsageError(what, where="clip_frames", mend="say format=dataset scenario=all, or leave it out")
    if job.format == "dataset" and job.num_frames is not None:
        raise UsageError("has no effect on a data set", where="num_frames", mend="clip_frames is what you may mean")
    assert job.scenarios is not None  # Loads and checks them.
    return job


def generator(seed: int, case: int) -> np.random.Generator:
    """All of a case's chance."""
    return np.random.default_rng((seed, case))
