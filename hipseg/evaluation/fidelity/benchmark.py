"""The whole fidelity benchmark: one call, deterministic but for its timings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hipseg.evaluation.fidelity.attention import feature_reliance
from hipseg.evaluation.fidelity.comparison import Row, compare, measure
from hipseg.evaluation.fidelity.patches import Sample, patch_sample, whole_sample
from hipseg.evaluation.fidelity.pictures import Picture, real_pictures, simulated_like, unlabelled_pictures
from hipseg.evaluation.fidelity.speed import measure_memory, measure_speed
from hipseg.evaluation.fidelity.two_sample import CLASSIFIERS, TwoSample, tell_apart
from hipseg.simulation import SimulationConfig

POPULATION = SimulationConfig(
    view="transverse", curvilinear_share=0.0, needle_share=0.0, furniture_share=0.0, look_alike_share=0.0
)
"""What the real groin images are: transverse, linear probes, no needle and none of its look-alikes; screens' marks are
trimmed from both."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What is measured.

    Attributes:
        real: folder of real pictures.
        unlabelled: folder of more of them without labels, None for none.
        quick: fewer patches, no whole-picture network, fewer timed frames.
        seed: of all chance.
        num_workers: processes of the speed measurement.
    """

    real: Path
    unlabelled: Path | None = None
    quick: bool = False
    seed: int = 0
    num_workers: int = 2


@dataclass(frozen=True, slots=True)
class Test:
    """One two-sample test with what it was made on."""

    name: str
    classifier: str
    sample: Sample
    outcome: TwoSample
    reliance: dict[str, float] | None

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        counts = np.bincount(self.sample.is_real_N, minlength=2)
        persons = len(set(self.sample.groups_N[self.sample.is_real_N == 1]))
        return {
            "images": self.name,
            "classifier": self.classifier,
            "num_real": int(counts[1]),
            "num_simulated": int(counts[0]),
            "num_real_groups": persons,
            **self.outcome.to_dict(),
            "reliance": None if self.reliance is None else {key: round(v, 4) for key, v in self.reliance.items()},
        }


@dataclass(frozen=True, slots=True)
class Fidelity:
    """All that was found."""

    settings: Settings
    real: list[Picture]
    simulated: list[Picture]
    rows: list[Row]
    tests: list[Test]
    speed: dict[str, Any]
    memory: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """For JSON; the same settings give the same figures, but for speed and memory."""
        decided = [row for row in self.rows if row.inside is not None]
        return {
            "quick": self.settings.quick,
            "seed": self.settings.seed,
            "num_real": len(self.real),
            "num_real_groups": len({picture.group for picture in self.real}),
            "num_simulated": len(self.simulated),
            "figures_inside": sum(bool(row.inside) for row in decided),
            "figures_compared": len(decided),
            "figures": [row.to_dict() for row in self.rows],
            "two_sample": [test.to_dict() for test in self.tests],
            "speed": self.speed,
            "memory": self.memory,
        }


def measure_fidelity(settings: Settings) -> Fidelity:
    """Measures the simulator against real pictures.

    Raises:
        SourceError: the folder holds no pictures of known scale.
    """
    real = real_pictures(settings.real)
    simulated = list(simulated_like(real, POPULATION, seed=settings.seed))
    rows = compare(measure(real), measure(simulated))
    tests = _tests("labelled", real, simulated, settings)
    if settings.unlabelled is not None:
        more = unlabelled_pictures(settings.unlabelled, real)
        partners = list(simulated_like(more, POPULATION, seed=settings.seed + 1))
        tests += _tests("with unlabelled", real + more, simulated + partners, settings)
    num_frames = 24 if settings.quick else 120
    speed, memory = measure_speed(num_frames, settings.num_workers), measure_memory(num_frames)
    return Fidelity(settings, real, simulated, rows, tests, speed, memory)


def _tests(name: str, real: Sequence[Picture], simulated: Sequence[Picture], settings: Settings) -> list[Test]:
    per_picture = 4 if settings.quick else 10
    patches = patch_sample(real, simulated, np.random.default_rng(settings.seed), per_picture=per_picture)
    samples = {f"patches, {name}": patches, f"whole pictures, {name}": whole_sample(real, simulated)}
    return [
        _test(kind, classifier, sample, settings.seed)
        for kind, sample in samples.items()
        for classifier in CLASSIFIERS
        if not (settings.quick and classifier == "cnn" and kind.startswith("whole"))
    ]


def _test(kind: str, name: str, sample: Sample, seed: int) -> Test:
    outcome = tell_apart(sample, CLASSIFIERS[name], seed=seed)
    reliance = None
    if name == "hand features":
        held = outcome.held_out_N
        table_NF: npt.NDArray[np.float64] = CLASSIFIERS[name].prepare(sample.images_NHW[held])
        reliance = feature_reliance(table_NF, sample.is_real_N[held], outcome.scorer, np.random.default_rng(seed))
    return Test(kind, name, sample, outcome, reliance)
