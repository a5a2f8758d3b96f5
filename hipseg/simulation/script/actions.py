"""What can happen in a procedure: one dataclass an action, its name in a scenario file in `ACTIONS`.

Every number has the range that nature, hands or machines allow; a scenario outside it is refused when it is read. To
add an action: a dataclass here, a row in `ACTIONS`, and a line where timeline.py plays it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hipseg.simulation.config import Limits

LONGEST_S = 120.0
AIMS = ("target", "short_of_capsule", "neck", "artery", "vein", "branch", "nerve", "labrum", "muscle")
"""What a needle may be aimed at; plan.py finds them in a patient."""


def limited(low: float, high: float, unit: str, default: float | None = None) -> Any:
    """A field with a physical range; without a default the scenario has to give it."""
    metadata = {"limits": Limits(low, high, unit)}
    return field(metadata=metadata) if default is None else field(default=default, metadata=metadata)


def one_of(names: tuple[str, ...], default: str) -> Any:
    """A field that holds one of some names."""
    return field(default=default, metadata={"names": names})


@dataclass(frozen=True, kw_only=True)
class Action:
    """Something that begins at `at_s` and takes `for_s` seconds."""

    at_s: float = limited(0.0, LONGEST_S, "s from the clip's start")
    for_s: float = limited(0.0, LONGEST_S, "s", 0.0)

    @property
    def end_s(self) -> float:
        """When it is over."""
        return self.at_s + self.for_s


@dataclass(frozen=True, kw_only=True)
class Doppler(Action):
    """Colour Doppler over the vessels ("vessels"), the joint ("joint"), or all that is shown ("all")."""

    over: str = one_of(("vessels", "joint", "all"), "vessels")


@dataclass(frozen=True, kw_only=True)
class MoveProbe(Action):
    """The probe goes to another place and stays there; with `returns` it comes back within `for_s` (a sweep)."""

    along_mm: float = limited(-40.0, 40.0, "mm along the picture", 0.0)
    across_mm: float = limited(-40.0, 40.0, "mm across the picture", 0.0)
    tilt_deg: float = limited(-30.0, 30.0, "degrees of fanning", 0.0)
    rotate_deg: float = limited(-40.0, 40.0, "degrees about the probe's axis", 0.0)
    rock_deg: float = limited(-20.0, 20.0, "degrees in the picture", 0.0)
    returns: bool = False


@dataclass(frozen=True, kw_only=True)
class Press(Action):
    """The probe is pressed into the skin and let go: veins collapse. `pressure` 1 empties a femoral vein."""

    pressure: float = limited(0.0, 1.0, "of the pressure that empties a vein", 1.0)


@dataclass(frozen=True, kw_only=True)
class Tremble(Action):
    """The hand shakes more than usual."""

    amplitude_mm: float = limited(0.0, 3.0, "mm", 1.0)


@dataclass(frozen=True, kw_only=True)
class NeedleAction(Action):
    """Something done with a needle that is in the patient."""


@dataclass(frozen=True, kw_only=True)
class Insert(NeedleAction):
    """The needle passes the skin and comes into the picture."""

    for_s: float = limited(0.2, LONGEST_S, "s", 1.0)


@dataclass(frozen=True, kw_only=True)
class Advance(NeedleAction):
    """The tip goes to a place on its path: `to_mm` beyond the aim, negative before it. Bone stops it."""

    for_s: float = limited(0.2, LONGEST_S, "s")
    to_mm: float = limited(-60.0, 25.0, "mm beyond the aim", 0.0)


@dataclass(frozen=True, kw_only=True)
class Retract(NeedleAction):
    """The tip is drawn back along its path."""

    for_s: float = limited(0.1, LONGEST_S, "s")
    by_mm: float = limited(0.1, 80.0, "mm")


@dataclass(frozen=True, kw_only=True)
class Redirect(NeedleAction):
    """The needle turns about its entry, toward another aim."""

    for_s: float = limited(0.2, LONGEST_S, "s")
    aim: str = one_of(AIMS, "target")


@dataclass(frozen=True, kw_only=True)
class Veer(NeedleAction):
    """The tip leaves the image plane, by `offset_mm` at the end; a negative offset leaves it on the other side."""

    for_s: float = limited(0.2, LONGEST_S, "s")
    offset_mm: float = limited(-15.0, 15.0, "mm out of the plane")


@dataclass(frozen=True, kw_only=True)
class Inject(NeedleAction):
    """Fluid leaves the tip: into the joint if the tip is in its recess, else into the tissue plane around it."""

    for_s: float = limited(0.5, LONGEST_S, "s")
    volume_ml: float = limited(0.1, 30.0, "ml")


@dataclass(frozen=True, kw_only=True)
class ChangeTubing(NeedleAction):
    """A syringe or tube is changed at the hub: the needle shakes, and slips back by `slips_mm`."""

    for_s: float = limited(0.5, LONGEST_S, "s")
    slips_mm: float = limited(0.0, 30.0, "mm", 0.0)


@dataclass(frozen=True, kw_only=True)
class Withdraw(NeedleAction):
    """The needle is taken out."""

    for_s: float = limited(0.2, LONGEST_S, "s")


@dataclass(frozen=True, kw_only=True)
class Freeze(Action):
    """The scanner shows the same picture again and again while the procedure goes on."""


@dataclass(frozen=True, kw_only=True)
class DropFrames(Action):
    """Frames do not arrive: of `keep_one_in` frames one is kept, or none at all with 0."""

    keep_one_in: int = field(default=0, metadata={"limits": Limits(0, 60, "frames; 0 keeps none")})


@dataclass(frozen=True, kw_only=True)
class LoseContact(Action):
    """The probe lifts off the skin over a share of its face, from the picture's right side."""

    share: float = limited(0.05, 1.0, "of the probe's face", 1.0)


@dataclass(frozen=True, kw_only=True)
class ChangeGain(Action):
    """Someone turns the gain; it stays so."""

    by_db: float = limited(-30.0, 30.0, "dB")


ACTIONS: dict[str, type[Action]] = {
    "doppler": Doppler,
    "move_probe": MoveProbe,
    "press": Press,
    "tremble": Tremble,
    "insert": Insert,
    "advance": Advance,
    "retract": Retract,
    "redirect": Redirect,
    "veer": Veer,
    "inject": Inject,
    "change_tubing": ChangeTubing,
    "withdraw": Withdraw,
    "freeze": Freeze,
    "drop_frames": DropFrames,
    "lose_contact": LoseContact,
    "change_gain": ChangeGain,
}
NAMES: dict[type[Action], str] = {kind: name for name, kind in ACTIONS.items()}
