"""What session.json says of a run: model, source, scale, speed, alerts, warnings. Nothing of the patient."""

from __future__ import annotations

import dataclasses
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hipseg import DISCLAIMER, __version__
from hipseg.cli.pipeline import GUIDANCE, INFERENCE, OVERLAY, PREPROCESS, FrameWork
from hipseg.guidance.alerts import AlertEvent
from hipseg.io import SourceInfo
from hipseg.runtime.latency import LatencyHistogram
from hipseg.runtime.stream import TOTAL

STAGES = (PREPROCESS, INFERENCE, GUIDANCE, OVERLAY, TOTAL)
SOURCE, RECORD = "source", "record"
"""Reading a frame and writing its results: both go on beside the stages, and are not part of their total."""
RUNNING, COMPLETE, INTERRUPTED, FAILED = "running", "complete", "interrupted", "failed"


@dataclass(frozen=True, slots=True)
class Software:
    """What ran: everything a result depends on besides the frames.

    Attributes:
        model_name, model_version, model_sha256: of the model file.
        provider, threads: of onnxruntime.
        settings: KEY=VALUE assignments and file entries that differ from the defaults.
        load_ms: how long the model took to load.
        outputs: results besides records and alerts.
    """

    model_name: str
    model_version: str
    model_sha256: str
    provider: str
    threads: int
    settings: Mapping[str, Any]
    load_ms: float = 0.0
    outputs: Sequence[str] = ()

    def as_json(self) -> dict[str, Any]:
        """The head of session.json."""
        return {
            "hipseg_version": __version__,
            "disclaimer": DISCLAIMER,
            "model": {"name": self.model_name, "version": self.model_version, "sha256": self.model_sha256},
            "provider": self.provider,
            "threads": self.threads,
            "settings": dict(self.settings),
            "outputs": list(self.outputs),
            "model_load_ms": round(self.load_ms, 1),
        }


@dataclass
class SessionRecord:
    """Counts while frames pass, and tells at the end.

    Attributes:
        software, info: of the run.
        latencies: by stage, of the source and of recording.
        frame_count: frames so far.
        dropped_frames: that came in and were not processed.
        warnings: sentences for the user.
        live: what only a live run has to tell.
    """

    software: Software
    info: SourceInfo
    latencies: Mapping[str, LatencyHistogram]
    frame_count: int = 0
    dropped_frames: int = 0
    warnings: list[str] = field(default_factory=list)
    live: Mapping[str, Any] | None = None
    _alerts: Counter[str] = field(default_factory=Counter)
    _views: Counter[str] = field(default_factory=Counter)
    _begin_s: float = field(default_factory=time.perf_counter)

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

    def count(self, work: FrameWork) -> None:
        """Takes one frame that is done."""
        assert work.guidance is not None
        self.frame_count += 1
        self.count_alerts(work.guidance.events)
        self._views[work.guidance.view.state.value] += 1

    def count_alerts(self, events: Iterable[AlertEvent]) -> None:
        """Takes what became of alerts."""
        self._alerts.update(event.alert.id for event in events if event.event == "raised")

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
            "latency_ms": {stage: self._percentiles(stage) for stage in (SOURCE, *STAGES, RECORD)},
            "fps": None if self.fps is None else round(self.fps, 2),
            "dropped_frames": self.dropped_frames,
            "view_counts": dict(self._views),
            "alert_counts": self.alert_counts,
            "warnings": self.all_warnings,
            **({} if self.live is None else {"live": dict(self.live)}),
        }

    def _percentiles(self, stage: str) -> dict[str, float | None]:
        """Of a stage in milliseconds; None for one that did not run."""
        return self.latencies.get(stage, LatencyHistogram()).summary()
