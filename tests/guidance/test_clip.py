"""Where a clip begins anew: nothing is carried over, and nothing that stood goes on standing."""

from __future__ import annotations

from typing import Any

import pytest
from drawn_scenes import DrawnScene

from hipseg.frame import Spacing
from hipseg.guidance.clip import ClipFacts, ClipGuidance
from hipseg.guidance.config import GuidanceConfig
from hipseg.guidance.engine import Guidance
from hipseg.guidance.tracking import NeedleState

BARE = DrawnScene().with_(artery=None, vein=None)


def clip() -> ClipGuidance:
    return ClipGuidance(GuidanceConfig(), ClipFacts((0.3, 0.5), still=False))


def advanced(guidance: ClipGuidance, frames: range, **changes: Any) -> list[Guidance]:
    """The needle goes on by half a millimetre a frame; no vessel is in view."""
    found = []
    for k in frames:
        drawn = BARE.with_(tip=(46.0 - 0.4 * k, 20.0 + 0.33 * k))
        seen = {"spacing": drawn.spacing, "region": drawn.region, "source_id": "clip"} | changes
        found.append(guidance.step(drawn.segmentation(), frame=k, time_s=k / 30, **seen))
    return found


@pytest.mark.parametrize("change", [{"source_id": "clip (2)"}, {"spacing": Spacing(0.2, 0.2, "user")}])
def test_another_source_or_scale_begins_anew_and_clears_what_stood(change: dict[str, Any]) -> None:
    guidance = clip()
    before = advanced(guidance, range(12))[-1]
    assert before.needle is not None
    assert before.needle.state is NeedleState.TRACKED
    assert "vessels_not_assessed" in [alert.id for alert in before.alerts]
    after = advanced(guidance, range(12, 13), **change)[0]
    assert after.needle is not None
    assert after.needle.state is NeedleState.ABSENT
    assert after.alerts == ()
    assert [(event.event, event.alert.id) for event in after.events] == [("cleared", one.id) for one in before.alerts]


def test_the_same_source_goes_on() -> None:
    guidance = clip()
    found = advanced(guidance, range(20))
    assert found[-1].needle is not None
    assert found[-1].needle.state is NeedleState.TRACKED
    assert [event.event for one in found for event in one.events if event.alert.id == "vessels_not_assessed"] == [
        "raised"
    ]


def test_a_second_round_is_guided_as_the_first_was() -> None:
    guidance = clip()
    first = advanced(guidance, range(9))[-1]
    second = advanced(guidance, range(9), source_id="clip (2)")[-1]
    assert first.needle is not None
    assert second.needle is not None
    assert second.distances == first.distances
    assert second.needle.velocity_mm_s == pytest.approx(first.needle.velocity_mm_s)
