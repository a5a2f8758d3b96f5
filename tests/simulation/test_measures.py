"""Measures of a frame's anatomy against brute force over samples and drawn labels."""

from __future__ import annotations

import math

import numpy as np
import pytest
from bodies import VARIANTS, scanned

from hipseg import anatomy
from hipseg.simulation import SimulationConfig
from hipseg.simulation.frames import frame_of
from hipseg.simulation.measures import TARGET_LENGTH_MM, clearances_mm, joint_measures, path_clearances_mm, regions
from hipseg.simulation.regions import Region

SHALLOW = VARIANTS.replace(habitus=(0.0, 0.5), prosthesis_share=0.0, furniture_share=0.0)
LONGITUDINAL = SHALLOW.replace(view="longitudinal", osteophyte_share=0.0)


def disc(centre: tuple[float, float], radius: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distance to a disc on samples of 0.2 mm, and their u and w."""
    w, u = np.mgrid[0:30:0.2, 0:40:0.2].astype(np.float32)
    return np.hypot(u - centre[0], w - centre[1]) - radius, u, w


def test_a_disc_measures_as_a_disc() -> None:
    """Finer than the samples that it lies on: to a fiftieth of a millimetre."""
    region = Region.of(*disc((20.13, 14.07), 5.31))
    assert region is not None
    assert region.area_mm2 == pytest.approx(math.pi * 5.31**2, rel=0.003)
    assert region.equivalent_diameter_mm == pytest.approx(10.62, abs=0.02)
    assert region.centre_uw == pytest.approx((20.13, 14.07), abs=0.01)
    assert not region.cut


def test_distances_to_a_disc_are_signed() -> None:
    region = Region.of(*disc((20.0, 14.0), 5.0))
    assert region is not None
    points = np.array([[20.0, 14.0], [28.0, 14.0], [20.0, 8.5], [24.0, 17.0]])
    assert region.signed_mm(points) == pytest.approx([-5.0, 3.0, 0.5, 0.0], abs=0.02)


def test_a_structure_that_leaves_the_scan_is_said_to_be_cut() -> None:
    region = Region.of(*disc((38.0, 14.0), 5.0))
    assert region is not None
    assert region.cut
    assert Region.of(*disc((80.0, 14.0), 5.0)) is None


@pytest.mark.parametrize("seed", range(8))
def test_regions_have_the_area_of_their_samples(seed: int) -> None:
    scene, seen = scanned(seed, SHALLOW)
    sample_mm2 = scene.probe.sample_mm * scene.probe.line_mm
    for name, region in regions(seen).items():
        if region is None or not hasattr(seen.section, name):
            continue
        inside = getattr(seen.section, name) < 0
        if name in ("artery", "vein", "nerve", "node") and not region.cut:
            assert region.area_mm2 == pytest.approx(inside.sum() * sample_mm2, rel=0.06, abs=0.3), name


@pytest.mark.parametrize("seed", range(8))
def test_clearances_agree_with_brute_force_over_samples(seed: int) -> None:
    scene, seen = scanned(seed, SHALLOW)
    found = regions(seen)
    rng = np.random.default_rng(seed)
    left, right, _, bottom = scene.probe.extent_mm
    for point in np.stack([rng.uniform(left, right, 6), rng.uniform(0, bottom, 6)], axis=1):
        stated = clearances_mm(found, point[None])
        for name in ("artery", "vein", "nerve", "node"):
            inside = getattr(seen.section, name) < 0
            if stated[name] is None:
                assert inside.sum() < 12
                continue
            assert stated[name] == pytest.approx(brute_force_mm(point, inside, seen.u, seen.w), abs=0.15), name


def brute_force_mm(point: np.ndarray, inside: np.ndarray, u: np.ndarray, w: np.ndarray) -> float:
    """Signed distance to the nearest sample on the other side of a structure's border."""
    gaps = np.hypot(u - point[0], w - point[1])
    within = inside.ravel()[gaps.argmin()]
    others = ~inside if within else inside
    return float(-gaps[others].min() if within else gaps[others].min())


def test_a_path_is_as_near_as_its_nearest_point() -> None:
    found: dict[str, Region | None] = {"artery": Region.of(*disc((20.0, 14.0), 5.0)), "vein": None}
    past = path_clearances_mm(found, (2.0, 2.0), (38.0, 2.0))
    assert past["artery"] == pytest.approx(7.0, abs=0.02)
    assert past["vein"] is None
    through = path_clearances_mm(found, (2.0, 15.0), (38.0, 15.0))
    assert through["artery"] == pytest.approx(-4.0, abs=0.02)
    short = path_clearances_mm(found, (2.0, 14.0), (10.0, 14.0))
    assert short["artery"] == pytest.approx(5.0, abs=0.02)


@pytest.mark.parametrize("seed", range(10))
def test_the_recess_has_the_area_that_is_drawn(seed: int) -> None:
    """In the longitudinal view, whose capsule is flat enough to be drawn nearly everywhere."""
    scene, seen = scanned(seed, LONGITUDINAL)
    labels_HW = frame_of(scene, seen).labels_HW
    drawn_mm2 = (labels_HW == anatomy.JOINT_RECESS).sum() * scene.probe.pixel_mm**2
    stated_mm2 = joint_measures(scene, seen).recess_area_mm2
    assert stated_mm2 is not None
    assert drawn_mm2 <= stated_mm2 * 1.05 + 1.0
    assert drawn_mm2 >= stated_mm2 * 0.6 - 3.0


@pytest.mark.parametrize("seed", range(10))
def test_thicknesses_agree_with_brute_force_over_drawn_labels(seed: int) -> None:
    """The longest of all shortest ways from the neck's cortex, near the junction, up to the capsule."""
    scene, seen = scanned(seed, LONGITUDINAL)
    stated, labels_HW = joint_measures(scene, seen), frame_of(scene, seen).labels_HW
    junction = seen.junction_uw
    if junction is None or stated.neck_capsule_distance_mm is None:
        pytest.skip("this patient's junction lies beside the picture")
    if scene.patient.mirrored:
        labels_HW = labels_HW[:, ::-1]
    neck, capsule = top_of(labels_HW, anatomy.FEMORAL_NECK), top_of(labels_HW, anatomy.ANTERIOR_CAPSULE)
    x_px, _ = scene.probe.to_pixels(*junction)
    near = neck[np.abs(neck[:, 0] - x_px) * scene.probe.pixel_mm < TARGET_LENGTH_MM]
    ways = np.hypot(*(near[:, None] - capsule[None]).transpose(2, 0, 1)).min(axis=1)
    assert stated.neck_capsule_distance_mm == pytest.approx(ways.max() * scene.probe.pixel_mm, abs=0.5)
    assert stated.recess_thickness_mm is not None
    assert 0 < stated.recess_thickness_mm < stated.neck_capsule_distance_mm


def top_of(labels_HW: np.ndarray, label: int) -> np.ndarray:
    """x, y of the uppermost pixel of a label in each column."""
    present = (labels_HW == label).any(axis=0)
    columns = np.flatnonzero(present)
    return np.stack([columns, (labels_HW == label).argmax(axis=0)[columns]], axis=1)


def test_an_effusion_widens_what_is_measured() -> None:
    """Millimetre by millimetre over the neck."""
    config = SimulationConfig(view="longitudinal", effusion_share=1.0, curvilinear_share=0.0, habitus=(0.0, 0.4))
    for seed in range(4):
        widths = []
        for fluid_mm in (2.0, 5.0):
            scene, seen = scanned(seed, config.replace(effusion_mm=(fluid_mm, fluid_mm), osteophyte_share=0.0))
            widths.append(joint_measures(scene, seen).recess_thickness_mm)
        if None not in widths:
            assert widths[1] - widths[0] == pytest.approx(3.0, abs=0.7)
