"""What is shown of a frame: settings under `display.`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class OverlayLayout(Enum):
    """How much is drawn, and how.

    standard: outlines with names, needle, target, all numbers.
    quiet: needle, target and vessels only, and the two distances that matter.
    outline: outlines and needle without names, cones or suggestions.
    heat_map: how sure the model is of each structure, as shades instead of outlines.
    side_by_side: the bare image beside the standard picture.
    """

    standard = "standard"
    quiet = "quiet"
    outline = "outline"
    heat_map = "heat_map"
    side_by_side = "side_by_side"


@dataclass
class DisplayConfig:
    """Everything under `display.`."""

    layout: OverlayLayout = OverlayLayout.standard
