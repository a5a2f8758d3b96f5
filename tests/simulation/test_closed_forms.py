"""Planes through the body against closed forms: spheres give circles, tubes ellipses, rods straight bands."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from bodies import VARIANTS, patient_of, scanned, smooth

from hipseg import anatomy
from hipseg.simulation.measures import head_circle
from hipseg.simulation.patient import LymphNode, Plaque, Ramus, Vessel
from hipseg.simulation.phantom import Phantom
from hipseg.simulation.regions import Region
from hipseg.simulation.scene import survey
from hipseg.simulation.skeleton import ramus_distance
from hipseg.simulation.surfaces import ellipsoid, rod
from hipseg.simulation.vessels import nodes, plaques, tube


def plane(half_mm: float = 30.0, step_mm: float = 0.1) -> tuple[np.ndarray, np.ndarray]:
    """u, w of samples about the origin."""
    axis = np.arange(-half_mm, half_mm, step_mm, dtype=np.float32)
    u, w = np.meshgrid(axis, axis)
    return u, w


@pytest.mark.parametrize("seed", range(12))
def test_the_head_is_cut_in_a_circle(seed: int) -> None:
    """Points of the circle that `head_circle` states lie on the sphere, wherever probe and plane are."""
    scene, _ = scanned(seed)
    circle = head_circle(scene)
    assert circle is not None
    angle = np.linspace(0, 2 * np.pi, 60)
    u, w = (
        circle.centre_uw[0] + circle.radius_mm * np.cos(angle),
        circle.centre_uw[1] + circle.radius_mm * np.sin(angle),
    )
    x, y, z = scene.pose.to_patient(u.astype(np.float32), w.astype(np.float32))
    assert np.sqrt(x**2 + y**2 + z**2) == pytest.approx(scene.patient.bone.head_radius_mm, abs=1e-3)


@pytest.mark.parametrize("seed", range(12))
def test_the_visible_cortex_of_the_head_lies_on_its_circle(seed: int) -> None:
    scene, _ = scanned(seed, VARIANTS.replace(prosthesis_share=0.0))
    scene = scene.replace(phantom=Phantom(smooth(scene.patient)))
    seen, circle = survey(scene), head_circle(scene)
    assert circle is not None
    alpha_edge_mm = scene.phantom.junction_mm - 1.0
    lines = [
        line
        for line in np.flatnonzero((seen.cortex.structure_L == 1) & seen.cortex.visible_L)
        if seen.section.along_neck[int(seen.cortex.range_mm_L[line] / scene.probe.sample_mm), line] < alpha_edge_mm
    ]
    points = np.array([scene.probe.on_beam(float(line), float(seen.cortex.range_mm_L[line])) for line in lines])
    if len(points):
        off_mm = np.hypot(*(points - circle.centre_uw).T) - circle.radius_mm
        assert np.abs(off_mm).max() < 0.12


def test_a_plane_beside_the_head_cuts_no_circle() -> None:
    scene, _ = scanned(3)
    beside = scene.replace(pose=replace(scene.pose, x_mm=0.0, y_mm=60.0, tilt_rad=0.0, heading_rad=0.0))
    assert head_circle(beside) is None


@pytest.mark.parametrize("tilt_deg", [0.0, 25.0, 40.0])
def test_a_round_tube_is_cut_in_an_ellipse(tilt_deg: float) -> None:
    """Its long axis is the diameter over the cosine of the plane's tilt."""
    vessel = Vessel(x_mm=0.0, z_mm=0.0, drift_x=0.0, drift_z=0.0, semi_x_mm=4.0, semi_z_mm=4.0)
    u, w = plane()
    tilt = math.radians(tilt_deg)
    region = Region.of(tube(vessel, u, w * np.float32(math.sin(tilt)), w * np.float32(math.cos(tilt))), u, w)
    assert region is not None
    assert region.size_mm == pytest.approx((8.0, 8.0 / math.cos(tilt)), abs=0.02)
    assert region.area_mm2 == pytest.approx(math.pi * 16 / math.cos(tilt), rel=0.002)


def test_a_tube_that_drifts_lies_elsewhere_by_its_drift() -> None:
    vessel = Vessel(x_mm=-20.0, z_mm=-5.0, drift_x=-0.2, drift_z=0.1, semi_x_mm=4.0, semi_z_mm=3.0)
    u, w = plane()
    region = Region.of(tube(vessel, u, np.full_like(u, -10.0), w), u, w)
    assert region is not None
    assert region.centre_uw == pytest.approx((-22.0, -4.0), abs=0.02)
    assert region.size_mm == pytest.approx((8.0, 6.0), abs=0.02)


def test_a_tapered_vein_is_thick_laterally_and_thin_medially() -> None:
    vessel = Vessel(0.0, 0.0, 0.0, 0.0, semi_x_mm=6.0, semi_z_mm=3.0, taper=0.5)
    u, w = plane(8.0)
    inside = tube(vessel, u, np.zeros_like(u), w) < 0
    heights = inside.sum(axis=0) * 0.1
    lateral, medial = (float(np.interp(x, u[0], heights)) for x in (3.0, -3.0))
    # The ellipse's own height at half its width, 2 b sqrt(3/4), times 1.25 and 0.75.
    assert (lateral, medial) == pytest.approx((6 * math.sqrt(0.75) * 1.25, 6 * math.sqrt(0.75) * 0.75), abs=0.15)


def test_the_ramus_is_a_straight_band_between_parallel_lines() -> None:
    ramus = Ramus((-15.0, 0.0, 0.0), (-60.0, 0.0, -15.0), 7.0)
    x, z = np.meshgrid(np.arange(-52, -24, 0.5, dtype=np.float32), np.arange(-40, 30, 0.02, dtype=np.float32))
    inside = ramus_distance(ramus, x, np.zeros_like(x), z) < 0
    top = z[:, 0][inside.argmax(axis=0)]
    slope = 15.0 / 45.0
    expected = (x[0] + 15.0) * slope - 7.0 * math.sqrt(1 + slope**2)
    assert np.abs(top - expected).max() < 0.03


def test_the_ramus_cut_obliquely_is_a_long_ellipse() -> None:
    """A rod of radius r cut at an angle a to its axis is r / sin(a) long."""
    u, w = plane()
    angle = math.radians(20.0)
    region = Region.of(
        rod(u * np.float32(math.cos(angle)), u * np.float32(math.sin(angle)), w, (-90, 0, 0), (90, 0, 0), 6.0), u, w
    )
    assert region is not None
    assert region.size_mm == pytest.approx((12.0 / math.sin(angle), 12.0), abs=0.05)


def test_an_ellipsoid_is_cut_in_an_ellipse() -> None:
    u, w = plane(12.0)
    region = Region.of(ellipsoid(u, np.full_like(u, 3.0), w, 8.0, 5.0, 4.0), u, w)
    shrunk = math.sqrt(1 - (3.0 / 5.0) ** 2)
    assert region is not None
    assert region.size_mm == pytest.approx((16.0 * shrunk, 8.0 * shrunk), abs=0.02)


def test_a_node_has_its_hilum_in_its_middle() -> None:
    patient = replace(patient_of(0), nodes=(LymphNode((0.0, 0.0, 0.0), (7.0, 9.0, 4.0), 0.5),))
    u, w = plane(12.0)
    node, hilum = (Region.of(part, u, w) for part in nodes(patient, u, np.zeros_like(u), w, np.full_like(u, 9.0)))
    assert node is not None
    assert hilum is not None
    assert node.size_mm == pytest.approx((14.0, 8.0), abs=0.02)
    assert hilum.size_mm == pytest.approx((7.0, 4.0), abs=0.02)


def test_a_plaque_takes_its_part_of_the_wall() -> None:
    vessel = Vessel(0.0, 0.0, 0.0, 0.0, semi_x_mm=4.0, semi_z_mm=4.0)
    plaque = Plaque(angle_rad=-math.pi / 2, half_width_rad=0.5, y_mm=2.0, half_length_mm=5.0, thickness_mm=0.8)
    patient = replace(patient_of(0), artery=vessel, plaques=(plaque,))
    u, w = plane(6.0, 0.05)
    for y_mm, present in ((0.0, True), (6.9, True), (7.2, False), (-3.2, False)):
        y = np.full_like(u, y_mm)
        inside = plaques(patient, u, y, w, tube(vessel, u, y, w)) < 0
        assert inside.any() == present
        if present:
            # A sector of a ring: half-angle times the difference of the radii's squares.
            assert inside.sum() * 0.05**2 == pytest.approx(0.5 * (3.75**2 - 2.95**2), rel=0.03)
            assert w[inside].max() < 0


@pytest.mark.parametrize("seed", range(6))
def test_a_medial_transverse_view_shows_the_ramus_as_a_long_oblique_line(seed: int) -> None:
    """At least 12 mm of visible bone within 0.8 mm of a straight line."""
    config = VARIANTS.replace(view="transverse", depth_mm=(60.0, 60.0), habitus=(0.0, 0.4), prosthesis_share=0.0)
    scene, _ = scanned(seed, config)
    scene = scene.replace(
        phantom=Phantom(smooth(scene.patient)),
        pose=replace(scene.pose, x_mm=-38.0, y_mm=-6.0, heading_rad=0.0, tilt_rad=0.0, rock_rad=0.0),
    )
    seen, probe = survey(scene), scene.probe
    pelvis = np.flatnonzero((seen.cortex.structure_L == anatomy.ACETABULUM) & seen.cortex.visible_L)
    u_mm = np.array([probe.on_beam(float(line), 0.0)[0] for line in pelvis])
    medial = u_mm < -2.0
    u_mm, range_mm = u_mm[medial], seen.cortex.range_mm_L[pelvis[medial]]
    longest_mm = 0.0
    for start in range(0, len(u_mm), 10):
        for end in range(start + 60, len(u_mm), 10):
            fit = np.polyfit(u_mm[start:end], range_mm[start:end], 1)
            if np.abs(np.polyval(fit, u_mm[start:end]) - range_mm[start:end]).max() < 0.8:
                longest_mm = max(longest_mm, u_mm[end - 1] - u_mm[start])
    assert longest_mm >= 12.0
