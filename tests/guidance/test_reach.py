"""Suggested ways to the target: trigonometry, what closes them, and whether the needle is long enough."""

from __future__ import annotations

import math

import numpy as np
import pytest
from drawn_scenes import DrawnScene

from hipseg.guidance.config import ReachConfig, Side, StructureConfig, TargetConfig
from hipseg.guidance.flow import FlowRegion
from hipseg.guidance.geometry import ScanPlane
from hipseg.guidance.reach import Suggestion, suggest_way
from hipseg.guidance.structures import Scene
from hipseg.guidance.target import Target, find_target

HIP = DrawnScene(tip=None)


def observe(drawn: DrawnScene, targets: TargetConfig | None = None) -> tuple[Scene, Target]:
    segmentation = drawn.segmentation()
    scene = Scene(segmentation, ScanPlane.of(segmentation.grid, drawn.spacing, drawn.region), StructureConfig())
    target = find_target(scene, {}, targets or TargetConfig())
    assert target is not None
    return scene, target


def suggested(drawn: DrawnScene = HIP, **changes: object) -> Suggestion:
    return suggest_way(*observe(drawn), ReachConfig(**changes))  # type: ignore[arg-type]


def test_the_way_ends_at_the_target_and_enters_beside_the_probe() -> None:
    scene, target = observe(HIP)
    way = suggest_way(scene, target, ReachConfig())
    assert way.refused is None
    assert way.entry_mm is not None
    assert way.angle_deg == 45
    depth = target.point_mm[1]
    assert way.length_mm == pytest.approx(depth * math.sqrt(2))
    assert way.entry_mm == pytest.approx([target.point_mm[0] + depth, 0])
    assert way.entry_mm[0] > scene.plane.size_mm[0]
    assert way.reachable is True


def test_a_flat_needle_reaches_as_far_as_trigonometry_says() -> None:
    """A 90 mm needle gets 45 mm deep at 30 deg and 64 mm at 45 deg (clinical.md, section 1)."""
    for angle, depth in ((30, 45), (45, 64)):
        assert 90 * math.sin(math.radians(angle)) == pytest.approx(depth, abs=0.5)
    flat = suggested(min_angle_deg=25, max_angle_deg=25, preferred_angle_deg=25)
    assert flat.length_mm == pytest.approx(32.5 / math.sin(math.radians(25)), abs=0.7)


def test_a_needle_too_short_is_said_to_be_with_the_length_that_is_needed() -> None:
    way = suggested(length_mm=30)
    assert way.reachable is False
    assert way.entry_mm is None
    assert way.refused is not None
    assert "the chosen one has 30 mm" in way.refused
    assert suggested(length_mm=None).reachable is None


@pytest.mark.parametrize(
    ("drawn", "name"),
    [
        (HIP.with_(artery=(52.0, 24.0), artery_radius=9.0), "femoral_artery"),
        (HIP.with_(artery=None, vein=(52.0, 24.0), artery_radius=9.0), "femoral_vein"),
    ],
)
def test_ways_through_a_vessel_are_refused_and_the_vessel_is_named(drawn: DrawnScene, name: str) -> None:
    way = suggest_way(*observe(drawn, TargetConfig(side=Side.right)), ReachConfig())
    assert way.entry_mm is None
    assert name in way.blocked_by
    assert way.refused is not None


def test_another_angle_goes_round_a_nerve() -> None:
    scene, target = observe(HIP.with_(nerve=(58.0, 13.0)))
    way = suggest_way(scene, target, ReachConfig())
    assert way.refused is None
    assert way.angle_deg != 45
    assert way.margin_mm is not None
    assert way.margin_mm >= 4


def test_flow_closes_a_way_although_the_network_sees_nothing() -> None:
    scene, target = observe(HIP)
    angles = np.linspace(0, 2 * np.pi, 40)
    wide = FlowRegion(np.stack([54 + 9 * np.cos(angles), 20 + 12 * np.sin(angles)], axis=1), 300, 40.0, 0.7, 0.0)
    assert suggest_way(scene, target, ReachConfig(), (wide,)).blocked_by == ("flow",)


def test_the_side_can_be_set() -> None:
    for side, right in ((Side.left, False), (Side.right, True), (Side.auto, True)):
        scene, target = observe(HIP.with_(artery=None), TargetConfig(side=side))
        assert (target.side == 1) is right
        way = suggest_way(scene, target, ReachConfig())
        assert way.entry_mm is None or bool(way.entry_mm[0] > target.point_mm[0]) is right
    assert way.entry_mm is not None


def test_a_way_over_the_head_goes_through_bone_from_the_wrong_side() -> None:
    scene, target = observe(HIP.with_(artery=None), TargetConfig(side=Side.left))
    way = suggest_way(scene, target, ReachConfig(min_angle_deg=5, preferred_angle_deg=20))
    assert way.refused is None or "bone" in way.blocked_by
