"""Accuracy against cost of every network of the configuration, every released model and any trained run."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hipseg.errors import SourceError
from hipseg.evaluation.bootstrap import Floats, Interval, patient_interval
from hipseg.evaluation.cost.candidates import Candidate, configured, released, trained
from hipseg.evaluation.cost.timing import model_latencies
from hipseg.evaluation.figures import rounded
from hipseg.evaluation.inputs.item import Collection
from hipseg.evaluation.predictors.choice import PredictorChoice
from hipseg.evaluation.results import Results
from hipseg.evaluation.run import EvaluationRequest, evaluate, open_data
from hipseg.frame import ImageHW
from hipseg.training.run_folder import versions

_NUM_IMAGES = 16


@dataclass(frozen=True)
class CostRequest:
    """One run of `hipseg benchmark models`.

    Attributes:
        data, split: what accuracy is measured on; its first images are those that are timed.
        runs: folders or checkpoints of trainings that take part.
        quick: untrained networks are counted and neither exported nor timed.
        num_frames: that each model is timed on.
        num_threads: of each model while timed; None takes the physical cores.
        num_workers: processes of an evaluation.
        command: as it was typed.
    """

    data: Path
    split: str | None = None
    runs: Sequence[Path] = ()
    quick: bool = False
    num_frames: int = 60
    num_threads: int | None = None
    num_workers: int | None = None
    command: str = ""


@dataclass(frozen=True)
class Entry:
    """What is known of one candidate; what was not measured is None.

    Attributes:
        candidate: who.
        latency_ms: p50, p95, p99 and max.
        dice: mean over structures of the means over patients.
        interval: of it, patients resampled.
        num_cases, num_patients: behind it.
    """

    candidate: Candidate
    latency_ms: dict[str, float] = field(default_factory=dict)
    dice: float | None = None
    interval: Interval | None = None
    num_cases: int = 0
    num_patients: int = 0

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        candidate, arithmetic = self.candidate, self.candidate.arithmetic
        return {
            "name": candidate.name,
            "origin": candidate.origin,
            "fault": candidate.fault,
            "num_parameters": None if arithmetic is None else arithmetic.num_parameters,
            "macs": None if arithmetic is None else arithmetic.macs,
            "size_bytes": candidate.size_bytes,
            "latency_ms": self.latency_ms or None,
            "dice": None if self.dice is None else rounded(self.dice),
            "interval": None if self.interval is None else [rounded(bound) for bound in self.interval],
            "num_cases": self.num_cases,
            "num_patients": self.num_patients,
        }


def measure_cost(request: CostRequest) -> tuple[list[Entry], dict[str, Any]]:
    """Counts, exports, times and evaluates.

    Returns:
        An entry a candidate, and where all of it comes from.

    Raises:
        UsageError, SourceError: the data cannot be used.
    """
    collection = open_data(request.data, request.split)
    images = _images(collection, request.data)
    with tempfile.TemporaryDirectory(prefix="hipseg-models-") as temporary:
        candidates = _candidates(request, images[0].shape, Path(temporary))
        paths = {_key(each): each.path for each in candidates if each.path is not None}
        latencies = model_latencies(paths, images, num_frames=request.num_frames, num_threads=request.num_threads)
        entries = [_entry(each, latencies.get(_key(each), {}), request) for each in candidates]
        record = {
            "command": request.command,
            "data": collection.record,
            "image": {"height": images[0].shape[0], "width": images[0].shape[1]},
            "num_frames": request.num_frames,
            "versions": versions(("torch", "onnx", "onnxruntime", "numpy")),
            "entries": [entry.to_dict() for entry in entries],
        }
    return entries, record


def mean_dice(results: Results) -> tuple[float | None, Interval | None]:
    """Mean over structures of the mean over patients, with its interval: one number for a plot, no more."""
    rows = results.measured.merge(results.measures[results.measures["metric"] == "dice"], on="case")
    if rows.empty:
        return None, None
    clips = rows.groupby(["patient", "structure", "clip"], sort=True)["value"].mean()
    table = clips.groupby(level=["patient", "structure"], sort=True).mean().unstack()
    values, known = table.fillna(0.0).to_numpy(np.float64), table.notna().to_numpy(np.float64)

    def over_structures(weights: Floats) -> Floats:
        counts = weights @ known
        means = np.divide(weights @ values, counts, out=np.full_like(counts, np.nan), where=counts > 0)
        drawn = np.isfinite(means)
        return np.asarray(np.where(drawn, means, 0.0).sum(axis=1) / np.maximum(drawn.sum(axis=1), 1))

    value = float(over_structures(np.ones((1, len(values))))[0])
    return value, patient_interval(over_structures, len(values))


def pareto_front(costs: Sequence[float], gains: Sequence[float]) -> list[int]:
    """Positions of those that no other one beats: none is as cheap and better, or cheaper and as good."""
    order = sorted(range(len(costs)), key=lambda k: (costs[k], -gains[k]))
    front: list[int] = []
    for k in order:
        if not front or gains[k] > gains[front[-1]]:
            front.append(k)
    return front


def _candidates(request: CostRequest, shape_HW: tuple[int, ...], folder: Path) -> list[Candidate]:
    return [
        *released(*shape_HW),
        *trained(request.runs, folder),
        *configured(None if request.quick else folder),
    ]


def _entry(candidate: Candidate, latency_ms: dict[str, float], request: CostRequest) -> Entry:
    if candidate.path is None or candidate.origin == "untrained":
        return Entry(candidate, latency_ms)
    results = evaluate(
        EvaluationRequest(
            request.data, PredictorChoice(str(candidate.path)), request.split, num_workers=request.num_workers
        )
    )
    dice, interval = mean_dice(results)
    measured: pd.DataFrame = results.measured
    return Entry(candidate, latency_ms, dice, interval, len(measured), int(measured["patient"].nunique()))


def _images(collection: Collection, data: Path) -> list[ImageHW]:
    items = (item for batch in collection.batches for item in batch.items())
    images = list(islice((item.image_HW for item in items if item.image_HW is not None), _NUM_IMAGES))
    if not images:
        raise SourceError("holds no image that can be read", where=data)
    return images


def _key(candidate: Candidate) -> str:
    return f"{candidate.origin} {candidate.name}"
