"""The body against closed forms."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hipseg.simulation import SimulationConfig
from hipseg.simulation.patient import Patient, Vessel
from hipseg.simulation.phantom import BodyState, Phantom
from hipseg.simulation.population import draw_patient
from hipseg.simulation.surfaces import blend, ellipse
from hipseg.simulation.vessels import tube

CONFIG = SimulationConfig(effusion_share=0.0, vein_under_share=0.0, osteophyte_share=0.0)


def smooth_patient(seed: int) -> Patient:
    """A patient whose bone is a plain sphere and cone."""
    patient = draw_patient(CONFIG, np.random.default_rng(seed))
    return replace(patient, bone=replace(patient.bone, roughness_mm=0.0))


def column(patient: Patient, x: float, y: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Points straight down from the skin: x, y, z and depth."""
    depth = np.arange(0, 140, 0.02, dtype=np.float32)
    return np.full_like(depth, x), np.full_like(depth, y), depth - np.float32(patient.head_depth_mm), depth


def first_inside(distance: np.ndarray, depth: np.ndarray) -> float:
    return float(depth[(distance < 0).argmax()])


@pytest.mark.parametrize("seed", range(5))
def test_the_apex_of_the_head_lies_at_its_depth(seed: int) -> None:
    patient = smooth_patient(seed)
    x, y, z, depth = column(patient, 0.0, 0.0)
    femur, _ = Phantom(patient).femur(x, y, z)
    assert first_inside(femur, depth) == pytest.approx(patient.apex_depth_mm, abs=0.05)


@pytest.mark.parametrize("seed", range(5))
def test_the_neck_has_its_radius_behind_the_junction(seed: int) -> None:
    patient = smooth_patient(seed)
    phantom, bone = Phantom(patient), patient.bone
    along, heading = 27.0, bone.neck_heading_rad
    x, y, z, depth = column(patient, along * np.cos(heading), -along * np.sin(heading))
    femur, _ = phantom.femur(x, y, z)
    # A cylinder of slope s cut vertically at t from the head's centre: its top is r sqrt(1 + s^2) above its axis.
    expected = patient.head_depth_mm + along * bone.neck_slope - bone.neck_radius_mm * np.sqrt(1 + bone.neck_slope**2)
    assert first_inside(femur, depth) == pytest.approx(expected, abs=0.1)


@pytest.mark.parametrize("seed", range(5))
def test_the_junction_is_where_the_blend_with_the_neck_begins(seed: int) -> None:
    """There the cone is one blend width away, so t = sqrt(R^2 - (r + k)^2)."""
    patient = smooth_patient(seed)
    bone = patient.bone
    expected = np.sqrt(bone.head_radius_mm**2 - (bone.neck_radius_mm + bone.blend_mm) ** 2)
    assert Phantom(patient).junction_mm == pytest.approx(expected, abs=0.1)


@pytest.mark.parametrize("seed", range(8))
def test_the_capsule_lies_over_the_neck_at_its_distance(seed: int) -> None:
    patient = smooth_patient(seed)
    phantom, heading = Phantom(patient), patient.bone.neck_heading_rad
    along = phantom.junction_mm + 9.0
    x, y, z, depth = column(patient, along * np.cos(heading), -along * np.sin(heading))
    section = phantom.section(x, y, z, depth)
    measured = first_inside(section.femur, depth) - first_inside(section.capsule_outer, depth)
    assert measured == pytest.approx(patient.joint.neck_capsule_distance_mm, abs=1.2)


def test_fluid_lifts_the_capsule_off_the_neck_but_hardly_off_the_head() -> None:
    patient = smooth_patient(1)
    phantom, heading = Phantom(patient), patient.bone.neck_heading_rad
    lifts = []
    for along in (0.0, phantom.junction_mm + 9.0):
        x, y, z, depth = column(patient, along * np.cos(heading), -along * np.sin(heading))
        faces = [
            first_inside(phantom.section(x, y, z, depth, BodyState(recess_mm=fluid)).capsule_inner, depth)
            for fluid in (0.0, 3.0)
        ]
        lifts.append(faces[0] - faces[1])
    assert lifts[0] < 0.8
    assert lifts[1] == pytest.approx(3.0, abs=0.5)


@pytest.mark.parametrize("seed", range(12))
def test_layers_and_bodies_keep_their_order(seed: int) -> None:
    """Skin over fat over fascia; the capsule's faces in order; cartilage on bone; no vessel in bone."""
    patient = draw_patient(CONFIG, np.random.default_rng(seed))
    phantom = Phantom(patient)
    u, w = np.meshgrid(np.arange(-45, 45, 0.5, dtype=np.float32), np.arange(0, 60, 0.5, dtype=np.float32))
    section = phantom.section(u, np.full_like(u, -3.0), w - np.float32(patient.head_depth_mm), w)
    assert np.all(section.skin < section.fat)
    assert np.all(section.fat < section.fascia_iliaca)
    assert np.all(section.capsule_outer < section.capsule_inner)
    assert not ((section.artery < 0) & (section.bone < 0)).any()
    assert not ((section.artery < 0) & (section.vein < 0)).any()
    assert not ((section.artery < 0) & (section.nerve < 0)).any()


@pytest.mark.parametrize("seed", range(12))
def test_the_groin_is_ordered_as_in_people(seed: int) -> None:
    """From medial: vein, artery, nerve, head; the numbers of simulation.md's geometry table."""
    patient = draw_patient(CONFIG, np.random.default_rng(seed))
    assert patient.vein.x_mm < patient.artery.x_mm < patient.nerve.x_mm < 0
    assert 17 <= -patient.artery.x_mm <= 29
    assert 0 < patient.vein.z_mm - patient.artery.z_mm < 4.5
    assert patient.artery.z_mm < -patient.bone.head_radius_mm


def test_depth_and_fat_grow_with_habitus() -> None:
    lean, obese = (
        [draw_patient(CONFIG.replace(habitus=(h, h)), np.random.default_rng(seed)) for seed in range(20)]
        for h in (0.0, 1.0)
    )
    assert np.mean([p.apex_depth_mm for p in obese]) > np.mean([p.apex_depth_mm for p in lean]) + 30
    assert np.mean([p.layers.fat_mm for p in obese]) > np.mean([p.layers.fat_mm for p in lean]) + 5


def test_a_tube_is_measured_from_its_wall() -> None:
    vessel = Vessel(x_mm=2.0, z_mm=-3.0, drift_x=0.0, drift_z=0.0, semi_x_mm=4.0, semi_z_mm=4.0)
    x, y, z = (np.float32([value]) for value in (9.0, 5.0, -3.0))
    assert tube(vessel, x, y, z)[0] == pytest.approx(3.0, abs=1e-4)
    assert tube(vessel, x, y, z, scale=1.25)[0] == pytest.approx(2.0, abs=1e-4)


def test_an_ellipse_is_zero_on_its_outline_and_first_order_near_it() -> None:
    angle = np.linspace(0, 2 * np.pi, 50).astype(np.float32)
    assert np.abs(ellipse(5 * np.cos(angle), 3 * np.sin(angle), 5.0, 3.0)).max() < 1e-4
    assert ellipse(np.float32([5.2]), np.float32([0.0]), 5.0, 3.0)[0] == pytest.approx(0.2, abs=0.01)


def test_a_blend_adds_nothing_beyond_its_width_and_a_quarter_of_it_in_the_crease() -> None:
    near, far = np.float32([0.0]), np.float32([2.0])
    assert blend(near, far, 2.0)[0] == 0.0
    assert blend(near, near, 2.0)[0] == pytest.approx(-0.5)
