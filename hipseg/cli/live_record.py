"""What session.json tells of a live run besides: ages, states and their lengths, losses."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from hipseg.runtime.latency import LatencyHistogram
from hipseg.runtime.live.watchdog import Condition, Finding


class LiveRecord:
    """Counts while a live run goes on. Ages come from the thread of the stages, conditions from the main one.

    Attributes:
        ages: of every frame when its overlay was ready: from capture to overlay.
        first_run_ms: of the model on an empty image: the cold start, besides loading it.
    """

    def __init__(self) -> None:
        self.ages = LatencyHistogram()
        self.first_run_ms: float | None = None
        self._counts: Counter[Condition] = Counter()
        self._lengths_s: defaultdict[Condition, float] = defaultdict(float)
        self._standing: frozenset[Condition] = frozenset()
        self._last_s: float | None = None

    def note(self, findings: Iterable[Finding], now_s: float) -> None:
        """Takes what stands at a moment."""
        for condition in self._standing if self._last_s is not None else ():
            self._lengths_s[condition] += now_s - (self._last_s or now_s)
        standing = frozenset(finding.condition for finding in findings)
        self._counts.update(standing - self._standing)
        self._standing, self._last_s = standing, now_s

    def as_json(self, counts: Mapping[str, int], source_counts: Mapping[str, int]) -> dict[str, Any]:
        """The entry "live" of session.json.

        Args:
            counts: of the feed, the stages and the recorder.
            source_counts: what the source passed over.
        """
        return {
            "age_ms": self.ages.summary(),
            "first_run_ms": None if self.first_run_ms is None else round(self.first_run_ms, 1),
            "conditions": {
                condition.value: {"count": count, "seconds": round(self._lengths_s[condition], 2)}
                for condition, count in sorted(self._counts.items(), key=lambda item: item[0].value)
            },
            **counts,
            "source_counts": dict(sorted(source_counts.items())),
        }
