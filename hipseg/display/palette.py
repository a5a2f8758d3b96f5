"""Colours of everything that is not anatomy. Alarm colours follow IEC 60601-1-8 and are used for nothing else."""

from __future__ import annotations

from hipseg.anatomy import Rgb
from hipseg.guidance.config import Priority

GROUND: Rgb = (16, 18, 22)
GROUND_RAISED: Rgb = (30, 34, 40)
TEXT: Rgb = (232, 236, 240)
TEXT_QUIET: Rgb = (150, 158, 168)
NEEDLE: Rgb = (255, 255, 255)
CONE: Rgb = (176, 184, 194)
"""Edges of the projected path's doubt."""
TARGET: Rgb = (200, 255, 170)
FLOW: Rgb = (255, 150, 205)
"""Seen by colour Doppler, now or before."""

ALARM: dict[Priority, Rgb] = {
    Priority.high: (225, 30, 40),
    Priority.medium: (255, 214, 10),
    Priority.low: (60, 225, 245),
}
ALARM_TEXT: dict[Priority, Rgb] = {
    Priority.high: (255, 255, 255),
    Priority.medium: (0, 0, 0),
    Priority.low: (0, 0, 0),
}
ALARM_MARK: dict[Priority, str] = {Priority.high: "!!!", Priority.medium: "!!", Priority.low: "!"}
"""Priority without colour, as the standard's marks give it."""

TRACKS: dict[str, tuple[str, str, str]] = {
    "tip_to_target": ("tip to target", "#0072b2", ""),
    "tip_to_vessel": ("tip to vessel", "#d55e00", "7 3"),
    "tip_to_nerve": ("tip to nerve", "#8c6d31", "2 3"),
}
"""Distances over time on a report's page: title, colour (Okabe and Ito 2008) and dashes."""
