"""Every number that tells a live picture that can be trusted from one that cannot."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


def _limit(default: float, low: float, high: float) -> Any:
    """A number that must lie in [low, high]; configuration checks it."""
    return field(default=default, metadata={"range": (low, high)})


@dataclass
class LiveLimits:
    """The settings under `guidance.live`. Proposals of this project unless a source is named.

    Attributes:
        stale_after_ms: guidance on an image older than this is withdrawn (clinical.md, section 3).
        frozen_after_ms: an image that has not changed for this long is frozen, however often it is sent.
        frozen_level: grey levels by which a pixel may differ and still count as the same: compression noise.
        frozen_share: share of the pixels of the scan region that may differ in a frozen image.
        low_rate_hz: fewer processed frames a second than this is a low frame rate (clinical.md, section 3).
        low_rate_clear_hz: from here on it is cured.
        low_rate_after_s: how long the rate must stay on one side.
        cured_after_frames: sound frames in a row before guidance is shown again.
        stage_limit_ms: a stage that takes longer on one frame hangs.
        clock_tolerance_s: the source's clock and ours may disagree by this much between two frames.
        silent_after_s: a source that sends nothing for this long is given up and opened again.
        retry_first_s, retry_longest_s: pause before opening a lost source again, doubled each time up to the longest.
        give_up_after_s: a source or a stage that does not come back for this long ends the run.
        memory_low_percent: of the machine's (or container's) memory; less that is free is a shortage.
    """

    stale_after_ms: float = _limit(200, 20, 10_000)
    frozen_after_ms: float = _limit(400, 20, 60_000)
    frozen_level: float = _limit(3, 0, 255)
    frozen_share: float = _limit(0.00001, 0, 1)
    low_rate_hz: float = _limit(15, 0, 1000)
    low_rate_clear_hz: float = _limit(16, 0, 1000)
    low_rate_after_s: float = _limit(2, 0.1, 60)
    cured_after_frames: int = _limit(3, 1, 100)
    stage_limit_ms: float = _limit(1000, 50, 60_000)
    clock_tolerance_s: float = _limit(1.0, 0.05, 60)
    silent_after_s: float = _limit(5, 0.2, 600)
    retry_first_s: float = _limit(0.25, 0.01, 60)
    retry_longest_s: float = _limit(4, 0.01, 600)
    give_up_after_s: float = _limit(30, 0, 86_400)
    memory_low_percent: float = _limit(5, 0, 50)
