"""Several sessions in one process: does each get its part of the machine?"""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from hipseg.frame import ImageHW
from hipseg.runtime.session import Session

NUM_SESSIONS = 2


def measure_sharing(model: Path, image_HW: ImageHW, *, num_threads: int, duration_s: float) -> dict[str, Any]:
    """Frames a second of one session alone, and of each of `NUM_SESSIONS` at the same time.

    Returns:
        Rates; `fairness` is the slowest session's rate over the fastest's (1 is even), `yield_share` what all of them
        pass together over what one alone does (below 1 is lost to their quarrel).
    """
    sessions = [Session(model, num_threads=num_threads) for _ in range(NUM_SESSIONS)]
    try:
        for session in sessions:
            session.warm_up(*image_HW.shape)
        (alone,) = _rates(sessions[:1], image_HW, duration_s)
        together = _rates(sessions, image_HW, duration_s)
    finally:
        for session in sessions:
            session.close()
    return {
        "alone_fps": round(alone, 2),
        "together_fps": [round(rate, 2) for rate in together],
        "fairness": round(min(together) / max(together), 3) if max(together) else None,
        "yield_share": round(float(np.sum(together)) / alone, 3) if alone else None,
    }


def _rates(sessions: list[Session], image_HW: ImageHW, duration_s: float) -> list[float]:
    counts, end_s = [0] * len(sessions), time.monotonic() + duration_s

    def work(position: int) -> None:
        while time.monotonic() < end_s:
            sessions[position].segment(image_HW)
            counts[position] += 1

    threads = [threading.Thread(target=work, args=(position,)) for position in range(len(sessions))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [count / duration_s for count in counts]
