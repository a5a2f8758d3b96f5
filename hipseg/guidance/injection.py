"""Where the injectate goes: the recess widens when it is in the joint; fluid elsewhere without that is astray.

Also when the needle is placed and whether it has left the joint since: the one miss of a 30-hip accuracy trial was a
needle withdrawn while tubing was attached (Smith 2009).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np

from hipseg import anatomy
from hipseg.guidance.clearances import clearance_mm
from hipseg.guidance.geometry import Points
from hipseg.guidance.injection_config import InjectionConfig
from hipseg.guidance.recess import RecessTrend
from hipseg.guidance.structures import Scene
from hipseg.guidance.tracking import NeedleState, TrackedNeedle

_JOINT = (anatomy.JOINT_RECESS, anatomy.ANTERIOR_CAPSULE, *anatomy.BONES, anatomy.LABRUM)
"""A needle that touches one of them has not left the joint."""
_LEFT_MM = 0.5
_RESTING_MM_S = 6.0
"""A needle that moves faster drags tissue along, and with it dark and bright."""


class Spread(Enum):
    """Where injectate is seen to go."""

    NONE = "none"
    INTRA_ARTICULAR = "intra_articular"
    EXTRA_ARTICULAR = "extra_articular"


@dataclass(frozen=True, slots=True)
class Injection:
    """What is known of the injection in a frame.

    Attributes:
        placed: the tip has come to rest in the joint, and the needle has not been drawn out since.
        outside_joint_mm: from the tip to what bounds the joint, negative inside; None when not known.
        spread: where fluid goes, kept while the needle stays; None when it can't be told.
        fluid_mm2: area beside the tip that has turned dark; None when not known.
    """

    placed: bool = False
    outside_joint_mm: float | None = None
    spread: Spread | None = None
    fluid_mm2: float | None = None


class InjectionWatch:
    """Follows one needle through placement and injection; one `step` a frame."""

    def __init__(self, config: InjectionConfig) -> None:
        self._config = config
        self._forget()

    def step(
        self, scene: Scene | None, needle: TrackedNeedle, trend: RecessTrend, fluid_mm2: float | None, time_s: float
    ) -> Injection:
        """Takes a frame.

        Args:
            scene: None while guidance is withdrawn.
            needle: of the frame.
            trend: of the recess.
            fluid_mm2: as `FluidWatch.step` gives it.
            time_s: of the frame.
        """
        if needle.state is NeedleState.ABSENT:
            self._forget()
            return Injection(spread=Spread.NONE)
        if scene is None or not scene.plane.scale_known:
            return Injection(self._placed, spread=self._verdict)
        to_recess_mm, outside_mm = _tip_in_joint(scene, needle)
        self._follow_placement(to_recess_mm, time_s)
        self._judge(needle, outside_mm, trend, fluid_mm2, time_s)
        known = self._verdict or (Spread.NONE if _can_tell(trend) and fluid_mm2 is not None else None)
        return Injection(self._placed, outside_mm, known, fluid_mm2)

    def _forget(self) -> None:
        self._in_joint_since_s: float | None = None
        self._fluid_since_s: float | None = None
        self._placed = False
        self._verdict: Spread | None = None
        self._judged_at_mm: Points | None = None

    def _follow_placement(self, to_recess_mm: float | None, time_s: float) -> None:
        """A tip that is not seen for a moment stays where it was."""
        if to_recess_mm is None:
            return
        self._in_joint_since_s = _since(self._in_joint_since_s, to_recess_mm <= self._config.placed_mm, time_s)
        self._placed |= _lasted(self._in_joint_since_s, self._config.placed_s, time_s)

    def _judge(
        self,
        needle: TrackedNeedle,
        outside_mm: float | None,
        trend: RecessTrend,
        fluid_mm2: float | None,
        time_s: float,
    ) -> None:
        has_left = outside_mm is not None and outside_mm >= _LEFT_MM
        widens = self._widens(trend)
        seen = fluid_mm2 is not None and fluid_mm2 >= self._config.fluid_mm2 and not widens
        self._fluid_since_s = _since(self._fluid_since_s, seen and _rests(needle), time_s)
        if self._has_moved_on(needle) or (has_left and self._verdict is Spread.INTRA_ARTICULAR):
            self._verdict = None
        if widens and not has_left and self._placed:
            self._conclude(Spread.INTRA_ARTICULAR, needle)
        elif _can_tell(trend) and _lasted(self._fluid_since_s, self._config.fluid_s, time_s):
            self._conclude(Spread.EXTRA_ARTICULAR, needle)

    def _conclude(self, verdict: Spread, needle: TrackedNeedle) -> None:
        self._verdict = verdict
        if needle.tip_mm is not None:
            self._judged_at_mm = needle.tip_mm

    def _has_moved_on(self, needle: TrackedNeedle) -> bool:
        if needle.tip_mm is None or self._judged_at_mm is None:
            return False
        return float(np.hypot(*(needle.tip_mm - self._judged_at_mm))) > self._config.fluid_near_mm

    def _widens(self, trend: RecessTrend) -> bool:
        config = self._config
        wider = _exceeds(trend.width_change_mm, config.widens_mm, trend.sigma_mm)
        return wider or _exceeds(trend.area_change_mm2, config.widens_mm2, trend.sigma_mm2)


def _tip_in_joint(scene: Scene, needle: TrackedNeedle) -> tuple[float | None, float | None]:
    """From the tip to the recess, and to anything that bounds the joint; negative inside."""
    if needle.tip_mm is None:
        return None, None
    tip = needle.tip_mm[None]
    return clearance_mm(scene, tip, (anatomy.JOINT_RECESS,)), clearance_mm(scene, tip, _JOINT)


def _can_tell(trend: RecessTrend) -> bool:
    return trend.width_change_mm is not None or trend.area_change_mm2 is not None


def _exceeds(change: float | None, least: float, sigma: float | None) -> bool:
    return change is not None and change > max(least, 2 * (sigma or 0.0))


def _rests(needle: TrackedNeedle) -> bool:
    return needle.velocity_mm_s is None or float(np.hypot(*needle.velocity_mm_s)) < _RESTING_MM_S


def _since(began_s: float | None, holds: bool, time_s: float) -> float | None:
    """When a condition that holds now began to; None while it does not."""
    if not holds:
        return None
    return time_s if began_s is None or began_s > time_s else began_s


def _lasted(began_s: float | None, for_s: float, time_s: float) -> bool:
    return began_s is not None and time_s - began_s >= for_s - 1e-6
