"""The needle's tip as the network reports it, frame by frame."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from hipseg.data.records import Case, PointXY
from hipseg.evaluation.measures.measure import Measure, Scale
from hipseg.runtime.segmentation import Landmark

NEEDLE, TIP, ENTRY = "needle", "needle_tip", "needle_entry"
TIP_VISIBLE = 0.5
"""A tip counts as reported from this visibility on."""


def tip_measures(case: Case, tip: Landmark, scale: Scale) -> Iterator[Measure]:
    """Whether the tip was seen where there is one, and how far off; nothing where the reference does not know.

    Args:
        case: with the reference's landmarks.
        tip: of the network, in the pixels of the case's image.
        scale: of these pixels.
    """
    if case.landmarks is None or TIP not in case.landmarks:
        return
    reported = (tip.x_px, tip.y_px) if tip.visibility >= TIP_VISIBLE else None
    yield from reported_tip(case.landmarks[TIP], reported, scale, prefix="")


def reported_tip(
    reference: PointXY | None, reported: PointXY | None, scale: Scale, *, prefix: str
) -> Iterator[Measure]:
    """Presence, report and error of a tip whose true place, or absence, is known."""
    yield Measure(NEEDLE, f"{prefix}tip_present", float(reference is not None))
    yield Measure(NEEDLE, f"{prefix}tip_reported", float(reported is not None))
    if reference is not None and reported is not None:
        yield Measure(NEEDLE, f"{prefix}tip_error", distance(reference, reported, scale), scale.unit)


def distance(one: PointXY, other: PointXY, scale: Scale) -> float:
    """Between two points in pixels, in the unit of the scale."""
    return float(np.hypot(*scale.points(np.subtract(one, other))))
