"""A live source at its own pace: how old is the picture that is shown, and does it grow older?"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from hipseg.evaluation.latency.chain import NETWORK, Chain
from hipseg.evaluation.latency.pairing import spread_of
from hipseg.evaluation.latency.recording import recording_options
from hipseg.evaluation.latency.trend import trend_of
from hipseg.io import open_source
from hipseg.runtime.live.feed import LiveFeed, LiveFrame
from hipseg.runtime.live.limits import LiveLimits
from hipseg.runtime.live.watch import Watch
from hipseg.runtime.live.worker import LiveWorker
from hipseg.runtime.session import Session
from hipseg.runtime.stream import Stage, Stream

_MILLI = 1e3
_WARM_UP_S = 1.0


def measure_live(
    session: Session,
    recording: Path,
    chain: Chain,
    *,
    rate_hz: float,
    duration_s: float,
    network_ms: float | None = None,
) -> dict[str, Any]:
    """Plays a recording through the live half of the stream.

    Args:
        session: loaded.
        recording: played again and again.
        chain: the stages.
        rate_hz: of the source.
        duration_s: to measure, after a second that does not count.
        network_ms: the network is made to take at least so long, by waiting; None leaves it as it is.

    Returns:
        Frames that came in, were shown and were dropped; ages in milliseconds from capture to the overlay in memory,
        their growth, and how many times the network's median the 95th percentile is.
    """
    source = open_source(f"replay:{recording}", recording_options(rate_hz=rate_hz, loop=True))
    limits = LiveLimits()
    watch = Watch(limits)
    stages = [_slowed(stage, network_ms) for stage in chain.stages(session, source.info)]
    session.warm_up(source.info.height, source.info.width)
    stream = Stream(stages, on_stage=watch.stage_begun)
    shown: list[tuple[float, float]] = []

    def work(live: LiveFrame) -> None:
        stream.step(chain.work_of(live.frame))
        now_s = time.monotonic()
        shown.append((now_s, _MILLI * (now_s - live.taken_s)))

    feed = LiveFeed(source, None, limits, watch)
    with LiveWorker(feed.slot, work, watch) as worker, feed:
        time.sleep(_WARM_UP_S + duration_s)
    if worker.fault is not None:
        raise worker.fault
    network = stream.latencies[NETWORK].percentile(50) or 0.0
    return {"rate_hz": rate_hz, "frames_in": feed.num_frames, "frames_shown": len(shown), "dropped": feed.slot.dropped,
            **_ages(np.array(shown), network)}  # fmt: skip


def _ages(shown_N2: np.ndarray[Any, np.dtype[np.float64]], network_ms: float) -> dict[str, Any]:
    """Of moments and ages."""
    if len(shown_N2) == 0:
        return {"age_ms": None}
    counted_N2 = shown_N2[shown_N2[:, 0] >= shown_N2[0, 0] + _WARM_UP_S]
    times_s, ages_ms = counted_N2[:, 0], counted_N2[:, 1]
    if len(times_s) < 2:
        return {"age_ms": None}
    distances_ms, spread, growth = _MILLI * np.diff(times_s), spread_of(ages_ms), trend_of(times_s, ages_ms)
    return {
        "fps": round(_MILLI / float(distances_ms.mean()), 2),
        "jitter_ms": round(float(distances_ms.std()), 3),
        "age_ms": spread,
        "network_p50_ms": round(network_ms, 3),
        "age_p95_in_network_times": round(spread["p95"] / network_ms, 2) if network_ms else None,
        "age_growth_ms": None if growth is None else growth.to_dict(),
    }


def _slowed(stage: Stage[Any], network_ms: float | None) -> Stage[Any]:
    """The network, waiting until it has taken as long as a slower one; other stages as they are."""
    if network_ms is None or stage.name != NETWORK:
        return stage

    def run(work: Any) -> Any:
        end_s = time.perf_counter() + network_ms / _MILLI
        done = stage.run(work)
        time.sleep(max(0.0, end_s - time.perf_counter()))
        return done

    return Stage(stage.name, run)
