"""The recess over time: it widens when fluid flows into the joint."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RecessTrend:
    """How the recess has changed of late; every number is None until it is known.

    Attributes:
        width_mm: between deep capsule and cortex about the target, median over the last frames.
        area_mm2: of the recess, likewise.
        width_change_mm, area_change_mm2: against the level before, see `RecessConfig`.
        width_rate_mm_s: slope over the last second.
        sigma_mm, sigma_mm2: standard deviation of the two levels.
    """

    width_mm: float | None = None
    area_mm2: float | None = None
    width_change_mm: float | None = None
    area_change_mm2: float | None = None
    width_rate_mm_s: float | None = None
    sigma_mm: float | None = None
    sigma_mm2: float | None = None
