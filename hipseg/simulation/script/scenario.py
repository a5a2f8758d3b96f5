"""A scenario: one procedure as a script that any patient of its population can play."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hipseg.simulation.needle import GAUGES_MM
from hipseg.simulation.script.actions import AIMS, Action, NeedleAction, limited, one_of

VIEWS = ("longitudinal", "transverse")


@dataclass(frozen=True, kw_only=True)
class NeedlePlan:
    """The needle of a scenario.

    Attributes:
        aim: at what it is aimed first.
        gauge: its thickness, 0 for one drawn from the population.
        angle_deg: to the skin, (low, high); None for the population's.
        error_mm: standard deviation of the operator's aim.
        clear_mm: least distance of its first way from vessels and nerve: patients in whom it is less are not drawn.
    """

    aim: str = one_of(AIMS, "target")
    gauge: int = field(default=0, metadata={"names": (0, *GAUGES_MM)})
    angle_deg: tuple[float, float] | None = None
    error_mm: float = limited(0.0, 5.0, "mm", 0.4)
    clear_mm: float = limited(0.0, 15.0, "mm", 0.0)


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """What happens in a procedure.

    Attributes:
        name: of its file.
        summary: in a sentence.
        view: "longitudinal" or "transverse".
        duration_s: of the clip.
        frame_rate_hz: of the scanner.
        population: changes to the population that is simulated (fields of `SimulationConfig`).
        shows: aims that the picture must show from the start, besides the needle's own.
        needle: None for a scan without a needle.
        actions: in the order of their begin.
    """

    name: str
    summary: str
    view: str = field(metadata={"names": VIEWS})
    duration_s: float = limited(1.0, 60.0, "s")
    frame_rate_hz: float = limited(15.0, 60.0, "frames a second", 20.0)
    population: Mapping[str, Any] = field(default_factory=dict)
    shows: tuple[str, ...] = ()
    needle: NeedlePlan | None = None
    actions: tuple[Action, ...] = ()

    @property
    def num_frames(self) -> int:
        """Ticks of the scanner within the duration, dropped frames among them."""
        return round(self.duration_s * self.frame_rate_hz)

    def of(self, *kinds: type[Action]) -> list[Action]:
        """Its actions of some kinds, in order."""
        return [action for action in self.actions if isinstance(action, kinds)]

    @property
    def needle_actions(self) -> list[Action]:
        """What is done with the needle, in order."""
        return self.of(NeedleAction)
