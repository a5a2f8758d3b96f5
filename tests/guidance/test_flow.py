"""Flow seen by colour Doppler is remembered where the tissue takes it, and closes the way of the needle."""

from __future__ import annotations

import numpy as np
import pytest
from drawn_scenes import DrawnScene

from hipseg import anatomy
from hipseg.guidance.config import FlowConfig, GuidanceConfig, MeasurementConfig, StructureConfig
from hipseg.guidance.engine import GuidanceEngine
from hipseg.guidance.flow import FlowMemory, FlowPicture, FlowRegion, distances_to_flow, flow_on_grid
from hipseg.guidance.geometry import ScanPlane
from hipseg.guidance.measurements import measure_joint
from hipseg.guidance.structures import Scene

HIP = DrawnScene(tip=None)
SEGMENTATION = HIP.segmentation()
PLANE = ScanPlane.of(SEGMENTATION.grid, HIP.spacing, HIP.region)
SCENE = Scene(SEGMENTATION, PLANE, StructureConfig())


def flow_at(*discs: tuple[float, float, float]) -> FlowPicture:
    """Flow in discs x, y, radius, in millimetres."""
    y, x = np.mgrid[: HIP.height, : HIP.width] * 0.1
    velocity = np.zeros((HIP.height, HIP.width), np.int8)
    for centre_x, centre_y, radius in discs:
        velocity[np.hypot(x - centre_x, y - centre_y) <= radius] = 90
    return flow_on_grid(velocity, SEGMENTATION.grid, "drawn")


def middle(region: FlowRegion) -> np.ndarray:
    return np.asarray((region.outline_mm.min(axis=0) + region.outline_mm.max(axis=0)) / 2)


def test_flow_is_found_where_it_is_and_how_large_it_is() -> None:
    artery, branch = FlowMemory(FlowConfig()).step(flow_at((8, 10, 3), (45, 20, 0.8)), SCENE, None, 0.0)
    assert middle(artery) == pytest.approx([8, 10], abs=0.2)
    assert artery.area_mm2 == pytest.approx(np.pi * 9, rel=0.15)
    assert artery.in_vessel > 0.9
    assert middle(branch) == pytest.approx([45, 20], abs=0.2)
    assert branch.in_vessel == 0
    assert branch.age_s == 0


def test_specks_of_colour_are_no_flow() -> None:
    assert FlowMemory(FlowConfig()).step(flow_at((30, 20, 0.3)), SCENE, None, 0.0) == ()


def test_flow_goes_with_the_tissue_and_its_age_and_doubt_are_told() -> None:
    memory = FlowMemory(FlowConfig(sigma_mm=0.5, drift_share=0.1))
    memory.step(flow_at((45, 20, 1)), SCENE, None, 0.0)
    for k in range(1, 31):
        (region,) = memory.step(None, SCENE, np.array([0.2, -0.1]), k / 10)
    assert middle(region) == pytest.approx([51, 17], abs=0.2)
    assert region.age_s == pytest.approx(3.0)
    assert region.sigma_mm == pytest.approx(np.hypot(0.5, 0.1 * 30 * np.hypot(0.2, 0.1)))


def test_a_pulse_is_remembered_at_its_widest() -> None:
    memory = FlowMemory(FlowConfig())
    for k in range(20):
        radius = 1.0 + 1.5 * (k % 10 == 3)
        (region,) = memory.step(flow_at((45, 20, radius)), SCENE, None, k / 10)
    assert region.area_mm2 == pytest.approx(np.pi * 2.5**2, rel=0.15)
    assert region.age_s == 0


def test_flow_is_forgotten_after_a_time_and_when_the_clip_begins_again() -> None:
    memory = FlowMemory(FlowConfig(remember_s=10))
    memory.step(flow_at((45, 20, 1)), SCENE, None, 5.0)
    assert len(memory.step(None, SCENE, None, 14.9)) == 1
    assert memory.step(None, SCENE, None, 15.1) == ()
    memory.step(flow_at((45, 20, 1)), SCENE, None, 20.0)
    assert memory.step(None, SCENE, None, 1.0) == ()


def test_distances_to_flow_are_signed() -> None:
    regions = FlowMemory(FlowConfig()).step(flow_at((30, 20, 3)), SCENE, None, 0.0)
    points = np.array([[30.0, 20.0], [30.0, 30.0], [36.0, 20.0]])
    assert distances_to_flow(points, regions) == pytest.approx([-3, 7, 3], abs=0.25)


def test_a_branch_that_only_doppler_shows_is_on_the_path_and_raises_contact() -> None:
    engine = GuidanceEngine(GuidanceConfig())
    branch = flow_at((38.0, 27.3, 1.0))
    raised: list[str] = []
    for k in range(60):
        drawn = HIP.with_(tip=(46.0 - 0.1 * k, 20.0 + 0.09 * k), entry=(63.0, 4.7))
        found = engine.step(drawn.segmentation(), frame=k, time_s=k / 20, spacing=HIP.spacing, region=HIP.region,
                            flow=branch if k < 5 else None)  # fmt: skip
        raised += [event.alert.id for event in found.events if event.event == "raised"]
    assert found.flow[0].on_path
    assert found.flow[0].age_s == pytest.approx(55 / 20)
    assert found.distances.path_to_flow is not None
    assert found.distances.path_to_flow < 1
    assert found.distances_sigma.path_to_flow is not None
    assert "vessel_contact" in raised


def test_hyperaemia_is_the_share_of_the_capsule_with_flow() -> None:
    capsule = SCENE.cells(anatomy.ANTERIOR_CAPSULE)
    assert capsule is not None
    half = capsule & (np.arange(capsule.shape[1]) % 2 == 0)
    for cells, expected in ((half, 0.5), (capsule, 1.0)):
        found = measure_joint(SCENE, None, MeasurementConfig(), flow=FlowPicture(cells, "drawn"))
        assert found.hyperaemia == pytest.approx(expected, abs=0.03)
    assert measure_joint(SCENE, None, MeasurementConfig()).hyperaemia is None
    beside = FlowPicture(np.zeros_like(capsule), "drawn")
    assert measure_joint(SCENE, None, MeasurementConfig(), flow=beside).hyperaemia is None
