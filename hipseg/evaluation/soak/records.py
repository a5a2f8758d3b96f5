"""What a live run wrote, checked line by line."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from hipseg.evaluation.latency.pairing import spread_of
from hipseg.evaluation.latency.trend import trend_of
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
    lines, broken = _read(out / names.FRAMES)
    numbers = [line["frame"] for line in lines]
    live = session["live"]
    accounted = len(lines) + session["dropped_frames"] + live["failed_frames"]
    times_s = np.array([line["time_s"] for line in lines])
    ages_ms = np.array([line["live"]["age_ms"] for line in lines])
    totals_ms = np.array([line["latency_ms"]["total"] for line in lines])
    settled = int(len(lines) * _WARM_UP_SHARE)
    return {
        "state": session["state"],
        "lines": len(lines),
        "broken_lines": broken,
        "out_of_order": sum(later <= earlier for earlier, later in itertools.pairwise(numbers)),
        "frames_in": live["frames_in"],
        # One frame may be under way when the run is stopped.
        "unaccounted_frames": max(abs(live["frames_in"] - accounted) - 1, 0),
        "shown_though_old": sum(
            line["live"]["guidance_shown"] and line["live"]["age_ms"] > stale_after_ms for line in lines
        ),
        "dropped": session["dropped_frames"],
        "losses": live["losses"],
        "reopened": live["reopened"],
        "conditions": live["conditions"],
        "alerts": _alerts(out / names.ALERTS),
        "age_ms": spread_of(ages_ms) if len(lines) else None,
        "latency_ms": spread_of(totals_ms) if len(lines) else None,
        "age_growth_ms": _growth(times_s[settled:], ages_ms[settled:]),
        "latency_growth_ms": _growth(times_s[settled:], totals_ms[settled:]),
    }


def _growth(times_s: np.ndarray[Any, Any], values: np.ndarray[Any, Any]) -> dict[str, Any] | None:
    trend = trend_of(times_s, values)
    return None if trend is None else trend.to_dict()


def _read(path: Path) -> tuple[list[dict[str, Any]], int]:
    """Whole lines, and how many are not."""
    found, broken = [], 0
    for line in _lines(path):
        try:
            found.append(json.loads(line))
        except ValueError:
            broken += 1
    return found, broken


def _lines(path: Path) -> Iterator[str]:
    """Every line; one without its end is torn."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield line if line.endswith("\n") else "torn"


def _alerts(path: Path) -> dict[str, dict[str, int]]:
    events: dict[str, Counter[str]] = {}
    for line in _read(path)[0]:
        events.setdefault(line["id"], Counter())[line["event"]] += 1
    return {name: dict(counts) for name, counts in sorted(events.items())}
