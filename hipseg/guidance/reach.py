"""Where to enter the skin, at what angle, and whether the chosen needle gets to the target."""

from __future__ import annotations

from dataclasses import dataclass

from hipseg.guidance.geometry import Points


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A way to the target, in the plane of the image.

    Attributes:
        entry_mm: [2] on the skin, mostly beside the image; None when no way is clear.
        angle_deg: to the skin; None likewise.
        length_mm: needle needed from skin to target; None likewise.
        margin_mm: least distance of the way from vessels, nerve, labrum and flow; None when none is in view.
        unseen_mm: how much of the way lies outside the picture, where nothing is known.
        reachable: the chosen needle is long enough; None when no length was chosen.
        refused: why no way is suggested, in words; None when one is.
        blocked_by: names of the structures that close the ways.
    """

    entry_mm: Points | None = None
    angle_deg: float | None = None
    length_mm: float | None = None
    margin_mm: float | None = None
    unseen_mm: float | None = None
    reachable: bool | None = None
    refused: str | None = None
    blocked_by: tuple[str, ...] = ()
