"""Masks, probabilities and clips that cannot be: unknown, never a crash, never a confident number."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from drawn_scenes import DrawnScene, landmark, segmentation_of

from hipseg import anatomy
from hipseg.errors import UsageError
from hipseg.frame import Spacing
from hipseg.guidance.config import GuidanceConfig, NeedleConfig, ReachConfig, TrackingConfig, validate
from hipseg.guidance.engine import Guidance, GuidanceEngine
from hipseg.guidance.record import frame_record
from hipseg.guidance.tracking import NeedleState
from hipseg.runtime.segmentation import Segmentation

HIP = DrawnScene()


def still(segmentation: Segmentation, spacing: Spacing | None = HIP.spacing) -> Guidance:
    engine = GuidanceEngine(GuidanceConfig(), still=True)
    return engine.step(segmentation, frame=0, time_s=0.0, spacing=spacing, region=HIP.region)


def filled(class_id: int) -> np.ndarray:
    """A hip in which one structure covers everything but the needle."""
    labels = HIP.labels()
    labels[labels != anatomy.NEEDLE] = class_id
    return labels


@pytest.mark.parametrize("class_id", range(1, 11))
@pytest.mark.parametrize("keeps_needle", [False, True])
def test_one_structure_over_the_whole_image(class_id: int, keeps_needle: bool) -> None:
    labels = filled(class_id) if keeps_needle else np.full((480, 640), class_id, np.uint8)
    found = still(segmentation_of(labels))
    assert found.target is None
    known = [
        getattr(found.distances, name) for name in ("tip_to_artery", "tip_to_vein", "tip_to_nerve", "path_to_vessel")
    ]
    assert known == [None] * 4
    assert "vessels_not_assessed" in [alert.id for alert in found.alerts]
    assert found.effusion is None
    frame_record(found)


def test_five_needles_give_no_tip() -> None:
    labels = HIP.with_(tip=None).labels()
    y, x = np.mgrid[:480, :640]
    for k in range(5):
        labels[(np.abs(y - 60 - 0.7 * (x - 60 * k)) < 5) & (x > 60 * k) & (x < 60 * k + 200)] = anatomy.NEEDLE
    found = still(segmentation_of(labels))
    assert found.needle is not None
    assert found.needle.tip_mm is None
    assert found.distances.tip_to_artery is None


def test_a_capsule_below_the_bone_measures_nothing() -> None:
    labels = HIP.with_(capsule=None).labels()
    labels[430:450, 300:600] = anatomy.ANTERIOR_CAPSULE
    found = still(segmentation_of(labels))
    assert found.target is None
    assert found.measurements.neck_capsule_distance_mm is None
    assert found.measurements.recess_width_mm is None
    assert found.suggestion is None


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -3.0, 7.0])
@pytest.mark.parametrize("everywhere", [False, True])
def test_probabilities_that_are_none(value: float, everywhere: bool) -> None:
    segmentation = HIP.segmentation()
    probabilities = segmentation.probabilities_CHW.copy()
    probabilities[... if everywhere else (4, 100, 100)] = value
    found = still(dataclasses.replace(segmentation, probabilities_CHW=probabilities))
    assert found.target is None
    assert found.distances.tip_to_target is None
    assert found.measurements.recess_area_mm2 is None
    frame_record(found)


@pytest.mark.parametrize("bad", [math.nan, math.inf, 1e12, -1e12])
def test_landmarks_that_lie_nowhere(bad: float) -> None:
    landmarks = {name: landmark((bad, bad), HIP.spacing) for name in anatomy.LANDMARKS}
    found = still(HIP.with_(landmarks=landmarks).segmentation())
    assert found.needle is not None
    assert found.needle.tip_mm is None
    frame_record(found)


@pytest.mark.parametrize("size", [(1, 1), (2, 640), (480, 1), (17, 23)])
def test_pictures_of_hardly_any_pixels(size: tuple[int, int]) -> None:
    noise = np.random.default_rng(0).integers(0, 11, size, dtype=np.uint8)
    frame_record(still(segmentation_of(noise)))


@pytest.mark.parametrize("seed", range(4))
def test_noise_for_a_mask_has_no_needle_and_no_target(seed: int) -> None:
    noise = np.random.default_rng(seed).integers(0, 11, (480, 640), dtype=np.uint8)
    found = still(segmentation_of(noise))
    assert found.needle is not None
    assert found.needle.tip_mm is None


def advancing(engine: GuidanceEngine, count: int, begin: int = 0, spacing: Spacing = HIP.spacing) -> Guidance:
    for k in range(begin, begin + count):
        drawn = HIP.with_(tip=(46.0 - 0.4 * k, 20.0 + 0.33 * k), spacing=spacing)
        found = engine.step(drawn.segmentation(), frame=k, time_s=k / 30, spacing=spacing, region=drawn.region)
    return found


def test_a_scale_that_changes_in_mid_clip_begins_anew() -> None:
    engine = GuidanceEngine(GuidanceConfig())
    before = advancing(engine, 9)
    assert before.needle is not None
    assert before.needle.state is NeedleState.TRACKED
    after = engine.step(HIP.segmentation(), frame=9, time_s=0.3, spacing=Spacing(0.2, 0.2, "user"), region=HIP.region)
    assert after.needle is not None
    assert after.needle.state is NeedleState.ABSENT
    assert after.recess.width_change_mm is None


def test_time_that_runs_backwards_begins_anew() -> None:
    engine = GuidanceEngine(GuidanceConfig())
    advancing(engine, 9, begin=30)
    after = engine.step(HIP.segmentation(), frame=0, time_s=0.0, spacing=HIP.spacing, region=HIP.region)
    assert after.needle is not None
    assert after.needle.state is NeedleState.ABSENT


@pytest.mark.parametrize("time_s", [math.nan, math.inf])
def test_a_time_that_is_none_is_survived(time_s: float) -> None:
    engine = GuidanceEngine(GuidanceConfig())
    for time in (0.0, time_s, 0.1):
        found = engine.step(HIP.segmentation(), frame=0, time_s=time, spacing=HIP.spacing, region=HIP.region)
    assert found.needle is not None


def test_a_needle_from_the_wrong_side_is_said_to_be() -> None:
    right = still(HIP.segmentation())
    left = still(HIP.with_(tip=(30.0, 22.0), entry=(6.0, 3.0), artery=(50.0, 8.0)).segmentation())
    assert right.wrong_side is False
    assert left.wrong_side is True


@pytest.mark.parametrize(
    ("config", "says"),
    [
        (GuidanceConfig(reach=ReachConfig(gauge=19)), "18, 20, 21, 22, 23, 25"),
        (GuidanceConfig(reach=ReachConfig(length_mm=-5)), "guidance.reach.length_mm"),
        (GuidanceConfig(reach=ReachConfig(min_angle_deg=70)), "guidance.reach.min_angle_deg"),
        (GuidanceConfig(needle=NeedleConfig(inlier_mm=math.nan)), "guidance.needle.inlier_mm"),
        (GuidanceConfig(tracking=TrackingConfig(coasting_s=9)), "guidance.tracking.coasting_s"),
        (GuidanceConfig(tracking=TrackingConfig(travel_mm="far")), "guidance.tracking.travel_mm"),  # type: ignore[arg-type]
        (GuidanceConfig(tracking=TrackingConfig(gate_mm=True)), "guidance.tracking.gate_mm"),
    ],
)
def test_thresholds_that_make_no_sense_are_refused(config: GuidanceConfig, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        validate(config)
