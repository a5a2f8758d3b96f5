"""Target and measures of joints drawn with known dimensions."""

from __future__ import annotations

import numpy as np
import pytest
from drawn_scenes import DrawnScene, landmark

from hipseg import anatomy
from hipseg.frame import Spacing
from hipseg.guidance.clearances import measure_distances, miss_mm, path_distances
from hipseg.guidance.config import Approach, CapsuleFace, MeasurementConfig, StructureConfig, TargetConfig
from hipseg.guidance.geometry import Line, ScanPlane
from hipseg.guidance.measurements import Measurements, measure_joint
from hipseg.guidance.path import path_ahead
from hipseg.guidance.structures import Scene
from hipseg.guidance.target import Target, find_target

HIP = DrawnScene(tip=None)
SPACINGS = [Spacing(0.1, 0.1, "user"), Spacing(0.1, 0.14, "user"), Spacing(0.13, 0.1, "user")]


def observe(drawn: DrawnScene, config: TargetConfig | None = None) -> tuple[Scene, Target | None]:
    segmentation = drawn.segmentation()
    scene = Scene(segmentation, ScanPlane.of(segmentation.grid, drawn.spacing, drawn.region), StructureConfig())
    return scene, find_target(scene, segmentation.landmarks, config or TargetConfig())


@pytest.mark.parametrize("spacing", SPACINGS, ids=str)
def test_the_target_lies_midway_in_the_recess_at_the_junction(spacing: Spacing) -> None:
    _, target = observe(HIP.with_(spacing=spacing, width=700))
    assert target is not None
    assert target.approach is Approach.longitudinal
    x, y = HIP.junction
    assert target.foot_mm == pytest.approx((x, y), abs=0.3)
    assert target.point_mm == pytest.approx((x, y - 1.5), abs=0.35)


def test_a_sure_junction_landmark_goes_before_the_masks() -> None:
    elsewhere = {"head_neck_junction": landmark((44.0, 34.5), HIP.spacing)}
    unsure = {"head_neck_junction": landmark((44.0, 34.5), HIP.spacing, sigma_px=80)}
    for landmarks, x in ((elsewhere, 44.0), (unsure, HIP.junction[0])):
        _, target = observe(HIP.with_(landmarks=landmarks))
        assert target is not None
        assert target.foot_mm[0] == pytest.approx(x, abs=0.3)


@pytest.mark.parametrize("slope_deg", [0.0, 10.0, 18.0])
@pytest.mark.parametrize("vessels_right", [False, True])
def test_across_the_head_the_target_lies_away_from_the_vessels(slope_deg: float, vessels_right: bool) -> None:
    across = HIP.with_(head=(30.0, 46.0), neck_until=0.0, artery=(56.0 if vessels_right else 4.0, 12.0))
    _, target = observe(across, TargetConfig(transverse_slope_deg=slope_deg))
    assert target is not None
    assert target.approach is Approach.transverse
    sine, cosine = np.sin(np.radians(slope_deg)), np.cos(np.radians(slope_deg))
    foot = 30.0 + 20.0 * sine * (-1 if vessels_right else 1), 46.0 - 20.0 * cosine
    assert target.foot_mm == pytest.approx(foot, abs=0.3)
    assert target.point_mm == pytest.approx((foot[0], foot[1] - 1.5), abs=0.35)


def test_a_head_seen_only_in_part_gives_no_target_beyond_it() -> None:
    labels = HIP.with_(head=(30.0, 46.0), neck_until=0.0, artery=(4.0, 12.0)).labels()
    labels[:, 320:][labels[:, 320:] == anatomy.FEMORAL_HEAD] = 0
    assert observe(_Painted(labels))[1] is None


@pytest.mark.parametrize(
    ("drawn", "approach"),
    [
        (HIP.with_(artery=None), Approach.longitudinal),
        (HIP.with_(artery_radius=1.5), Approach.longitudinal),
        (HIP, Approach.longitudinal),
        (HIP.with_(neck_until=42.0), Approach.transverse),
        (HIP.with_(neck_until=42.0, artery_radius=1.5), Approach.longitudinal),
    ],
    ids=["neck", "neck and a branch", "much neck and the artery", "the artery and a little neck", "a little neck"],
)
def test_the_approach_is_found_from_what_is_seen(drawn: DrawnScene, approach: Approach) -> None:
    _, target = observe(drawn, TargetConfig(transverse_slope_deg=0))
    assert target is not None
    assert target.approach is approach


@pytest.mark.parametrize(
    "blind",
    [HIP.with_(capsule=None), HIP.with_(head=None), HIP.with_(neck_until=0.0, artery=None)],
    ids=["no capsule", "no bone", "a head alone, approach unknown"],
)
def test_no_target_where_it_cannot_be_measured(blind: DrawnScene) -> None:
    assert observe(blind)[1] is None


def test_a_capsule_below_the_bone_bounds_no_recess() -> None:
    labels = HIP.with_(capsule=None).labels()
    labels[430:450, 300:600] = anatomy.ANTERIOR_CAPSULE
    assert observe(_Painted(labels))[1] is None


class _Painted(DrawnScene):
    """A scene of finished labels."""

    def __init__(self, labels_HW: np.ndarray) -> None:
        super().__init__()
        object.__setattr__(self, "_labels_HW", labels_HW)

    def labels(self) -> np.ndarray:
        return self._labels_HW  # type: ignore[attr-defined, no-any-return]


@pytest.mark.parametrize("spacing", SPACINGS, ids=str)
def test_the_joint_is_measured_in_millimetres(spacing: Spacing) -> None:
    drawn = HIP.with_(spacing=spacing, width=700)
    scene, target = observe(drawn)
    found = measure_joint(scene, target, MeasurementConfig())
    assert found.neck_capsule_distance_mm == pytest.approx(6.0, abs=0.2)
    assert found.capsule_thickness_mm == pytest.approx(2.95, abs=0.2)
    drawn_area = np.count_nonzero(drawn.labels() == anatomy.JOINT_RECESS) * spacing.row_mm * spacing.column_mm
    assert found.recess_area_mm2 == pytest.approx(drawn_area, rel=0.05)


def test_the_neck_capsule_distance_can_be_taken_to_the_deep_face() -> None:
    scene, target = observe(HIP)
    config = MeasurementConfig(neck_capsule_to=CapsuleFace.deep)
    assert measure_joint(scene, target, config).neck_capsule_distance_mm == pytest.approx(3.0, abs=0.2)


def test_nothing_is_measured_in_an_empty_image() -> None:
    scene, target = observe(HIP.with_(head=None, artery=None))
    assert measure_joint(scene, target, MeasurementConfig()) == Measurements()


def test_clearances_of_tip_and_path() -> None:
    scene, target = observe(HIP.with_(vein=(8.0, 22.0), nerve=(20.0, 10.0)))
    tip, level = np.array([30.0, 10.0]), np.array([-1.0, 0.0])
    line = Line(tip, level)
    found = measure_distances(scene, tip, line, target, path_distances(scene, path_ahead(line, tip, 30.0)))
    assert found.tip_to_artery == pytest.approx(22 - 3.5, abs=0.15)
    assert found.tip_to_vein == pytest.approx(np.hypot(22, 12) - 3.5, abs=0.15)
    assert found.tip_to_nerve == pytest.approx(8.0, abs=0.15)
    assert found.tip_to_bone == pytest.approx(np.hypot(8, 36) - 20, abs=0.15)
    assert found.path_to_vessel == pytest.approx(-3.5, abs=0.15)
    assert target is not None
    assert found.tip_to_target == pytest.approx(np.hypot(*(target.point_mm - tip)))


def test_a_tip_inside_a_vessel_is_inside_although_the_needle_hides_it() -> None:
    scene, target = observe(HIP.with_(tip=(8.5, 10.5), entry=(40.0, 2.0)))
    tip = np.array([8.5, 10.5])
    line = Line(tip, np.array([-0.96, 0.28]))
    found = measure_distances(scene, tip, line, target, path_distances(scene, path_ahead(line, tip, 30.0)))
    assert found.tip_to_artery is not None
    assert found.tip_to_artery < -2.0


def test_a_target_left_behind_is_missed_by_its_distance() -> None:
    line = Line(np.zeros(2), np.array([1.0, 0.0]))
    assert miss_mm(line, np.array([10.0, 0.0]), np.array([20.0, 2.0])) == pytest.approx(2.0)
    assert miss_mm(line, np.array([10.0, 0.0]), np.array([6.0, 3.0])) == pytest.approx(5.0)
