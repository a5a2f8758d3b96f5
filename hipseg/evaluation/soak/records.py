"""What a live run wrote, checked line by line."""

from __future__ import annotations

import contextlib
import itertools
import json
from array import array
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from hipseg.evaluation.latency.pairing import spread_of
from hipseg.evaluation.latency.trend import course_of, trend_of
from hipseg.io import session_folder as names

_WARM_UP_SHARE = 0.1


def check_records(out: Path, stale_after_ms: float) -> dict[str, Any]:
    """Reads the records of a live run.

    Args:
        out: its folder.
        stale_after_ms: age from which guidance may not have been shown.

    Returns:
        Counts of lines, of broken ones, of frames that nothing accounts for, of frames older than the limit with
        guidance; ages and latencies with their growth; alerts by name with how often they were raised and cleared.
    """
    session = json.loads((out / names.SESSION).read_text())
    columns = _Columns(stale_after_ms)
    broken = sum(not columns.take(line) for line in _lines(out / names.FRAMES))
    live, num_lines = session.get("live", {}), len(columns.numbers)
    # One frame may be under way when the run is stopped.
    accounted = num_lines + session["dropped_frames"] + live.get("failed_frames", 0)
    return {
        "state": session["state"],
        "lines": num_lines,
        "broken_lines": broken,
        "out_of_order": sum(later <= earlier for earlier, later in itertools.pairwise(columns.numbers)),
        "frames_in": live.get("frames_in"),
        "unaccounted_frames": max(abs(live["frames_in"] - accounted) - 1, 0) if live else None,
        "shown_though_old": columns.num_shown_though_old,
        "dropped": session["dropped_frames"],
        "losses": live.get("losses"),
        "reopened": live.get("reopened"),
        "conditions": live.get("conditions", {}),
        "alerts": _alerts(out / names.ALERTS),
        **columns.figures(),
    }


class _Columns:
    """What is wanted of a run's lines, of which there may be very many."""

    def __init__(self, stale_after_ms: float) -> None:
        self._stale_after_ms = stale_after_ms
        self.numbers, self._times_s = array("q"), array("d")
        self._ages_ms, self._totals_ms = array("d"), array("d")
        self.num_shown_though_old = 0

    def take(self, text: str) -> bool:
        """Takes a line; False where it is broken."""
        try:
            line = json.loads(text)
            live, total_ms, number, time_s = line["live"], line["latency_ms"]["total"], line["frame"], line["time_s"]
        except (ValueError, KeyError, TypeError):
            return False
        self.numbers.append(number)
        self._times_s.append(time_s)
        self._ages_ms.append(live["age_ms"])
        self._totals_ms.append(total_ms)
        self.num_shown_though_old += live["guidance_shown"] and live["age_ms"] > self._stale_after_ms
        return True

    def figures(self) -> dict[str, Any]:
        """Ages and latencies with their growth, once the run has settled."""
        times_s, ages_ms, totals_ms = (np.array(each) for each in (self._times_s, self._ages_ms, self._totals_ms))
        settled = int(len(times_s) * _WARM_UP_SHARE)
        return {
            "age_ms": spread_of(ages_ms) if len(times_s) else None,
            "latency_ms": spread_of(totals_ms) if len(times_s) else None,
            "age_growth_ms": _growth(times_s[settled:], ages_ms[settled:]),
            "latency_growth_ms": _growth(times_s[settled:], totals_ms[settled:]),
            "age_course": course_of(times_s, ages_ms),
        }


def _growth(times_s: np.ndarray[Any, Any], values: np.ndarray[Any, Any]) -> dict[str, Any] | None:
    trend = trend_of(times_s, values)
    return None if trend is None else trend.to_dict()


def _lines(path: Path) -> Iterator[str]:
    """Every line; one without its end is torn."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield line if line.endswith("\n") else "torn"


def _alerts(path: Path) -> dict[str, dict[str, int]]:
    events: dict[str, Counter[str]] = {}
    for text in _lines(path):
        with contextlib.suppress(ValueError):
            line = json.loads(text)
            events.setdefault(line["id"], Counter())[line["event"]] += 1
    return {name: dict(counts) for name, counts in sorted(events.items())}
