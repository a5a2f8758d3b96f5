"""What session.json says of a run: model, source, scale, speed, alerts, warnings. Nothing of the patient."""

from __future__ import annotations

import dataclasses
import time
from array import array
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hipseg import DISCLAIMER, __version__
from hipseg.guidance.engine import Guidance
from hipseg.io import SourceInfo

STAGES = ("preprocess", "inference", "guidance", "overlay", "total")
COMPLETE, INTERRUPTED, FAILED = "complete", "interrupted", "failed"


@dataclass(frozen=True, slots=True)
class Software:
    """What ran: everything a result depends on besides the frames.

    Attributes:
        model_name, model_version, model_sha256: of the model file.
        provider, threads: of onnxruntime.
        settings: KEY=VALUE assignments and file entries that differ from the defaults.
    """

    model_name: str
    model_version: str
    model_sha256: str
    provider: str
    threads: int
    settings: Mapping[str, Any]

    def as_json(self) -> dict[str, Any]:
        """The head of session.json."""
        return {
            "hipseg_version": __version__,
            "disclaimer": DISCLAIMER,
            "model": {"name": self.model_name, "version": self.model_version, "sha256": self.model_sha256},
            "provider": self.provider,
            "threads": self.threads,
            "settings": dict(self.settings),
        }


@dataclass
class SessionRecord:
    """Counts while frames pass, and tells at the end.

    Attributes:
        software, info: of the run.
        warnings: sentences for the user.
    """

    software: Software
    info: SourceInfo
    warnings: list[str] = field(default_factory=list)
    _latencies_ms: dict[str, array[float]] = field(default_factory=lambda: {stage: array("d") for stage in STAGES})
    _alerts: Counter[str] = field(default_factory=Counter)
    _views: Counter[str] = field(default_factory=Counter)
    _begin_s: float = field(default_factory=time.perf_counter)

    @property
    def frame_count(self) -> int:
        """Frames so far."""
        return len(self._latencies_ms["total"])

    @property
    def alert_counts(self) -> dict[str, int]:
        """How often each alert was raised."""
        return dict(sorted(self._alerts.items()))

    @property
    def all_warnings(self) -> list[str]:
        """Of the source and of the run."""
        return [*self.info.warnings, *self.warnings]

    @property
    def fps(self) -> float | None:
        """Frames a second of the whole run, decoding and writing included; None before the first frame."""
        elapsed_s = time.perf_counter() - self._begin_s
        return self.frame_count / elapsed_s if self.frame_count and elapsed_s > 0 else None

    def count(self, guidance: Guidance, latency_ms: Mapping[str, float | None]) -> None:
        """Takes one frame; a stage that did not run has no latency."""
        for stage in STAGES:
            if (latency := latency_ms[stage]) is not None:
                self._latencies_ms[stage].append(latency)
        self._alerts.update(event.alert.id for event in guidance.events if event.event == "raised")
        self._views[guidance.view.state.value] += 1

    def as_json(self, state: str, error: str | None = None) -> dict[str, Any]:
        """The content of session.json."""
        info, region, spacing = self.info, self.info.region, self.info.spacing
        return {
            **self.software.as_json(),
            "state": state,
            "error": error,
            "source": info.source_id,
            "source_kind": info.kind,
            "frame_count": self.frame_count,
            "frame_rate_hz": info.frame_rate_hz,
            "size": {"height": info.height, "width": info.width},
            "region": dataclasses.asdict(region),
            "spacing_mm": [spacing.row_mm, spacing.column_mm] if spacing else None,
            "spacing_origin": spacing.origin if spacing else None,
            "latency_ms": {stage: _percentiles(values) for stage, values in self._latencies_ms.items()},
            "fps": None if self.fps is None else round(self.fps, 2),
            "dropped_frames": 0,
            "view_counts": dict(self._views),
            "alert_counts": self.alert_counts,
            "warnings": self.all_warnings,
        }


def _percentiles(values: array[float]) -> dict[str, float | None]:
    if not values:
        return {"p50": None, "p95": None, "p99": None}
    p50, p95, p99 = np.percentile(values, (50, 95, 99))
    return {"p50": round(float(p50), 3), "p95": round(float(p95), 3), "p99": round(float(p99), 3)}
