"""The population against the tables of clinical.md section 2 and simulation.md ("Geometry")."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from hipseg.simulation import SimulationConfig
from hipseg.simulation.patient import Patient
from hipseg.simulation.population import draw_patient
from hipseg.simulation.population.habitus import BUILDS, build_of, curved_probe_chance

Number = Callable[[Patient], float]


def population(count: int, **changes: object) -> list[Patient]:
    config = SimulationConfig().replace(**changes)
    return [draw_patient(config, np.random.default_rng(seed)) for seed in range(count)]


@pytest.fixture(scope="module")
def everybody() -> list[Patient]:
    return population(1500)


def values(patients: list[Patient], number: Number) -> np.ndarray:
    return np.array([number(patient) for patient in patients])


def equivalent_mm(patient: Patient) -> float:
    return 2 * float(np.sqrt(patient.vein.semi_x_mm * patient.vein.semi_z_mm))


@pytest.mark.parametrize(
    ("number", "low", "high"),
    [
        (lambda p: p.bone.head_radius_mm, 20.5, 26.0),
        (lambda p: p.joint.neck_capsule_distance_mm, 4.0, 9.0),
        (lambda p: p.joint.capsule_mm, 2.0, 4.0),
        (lambda p: p.joint.capsule_mm + p.joint.ligament_mm, 2.0, 6.0),
        (lambda p: p.bone.cartilage_mm, 0.6, 2.5),
        (lambda p: 2 * p.artery.semi_x_mm, 6.0, 10.5),
        (lambda p: p.artery.semi_z_mm / p.artery.semi_x_mm, 0.6, 1.0),
        (lambda p: 2 * p.branches[0].origin_radius_mm if p.branches else 3.0, 3.0, 5.0),
        (lambda p: 2 * p.branches[0].radius_mm if p.branches else 1.0, 1.0, 2.5),
        (lambda p: p.apex_depth_mm, 13.0, 100.0),
    ],
)
def test_everybody_lies_within_the_table(everybody: list[Patient], number: Number, low: float, high: float) -> None:
    drawn = values(everybody, number)
    assert drawn.min() >= low
    assert drawn.max() <= high


@pytest.mark.parametrize(
    ("number", "mean", "tolerance"),
    [
        (lambda p: p.bone.head_radius_mm - p.bone.neck_radius_mm, 8.25, 0.4),
        (lambda p: p.joint.neck_capsule_distance_mm, 6.4, 0.15),
        (lambda p: p.bone.neck_radius_mm, 15.0, 0.4),
        (lambda p: p.joint.labrum_length_mm, 7.9, 0.5),
        (lambda p: p.joint.labrum_mm, 3.4, 0.3),
    ],
)
def test_means_are_those_of_the_table(everybody: list[Patient], number: Number, mean: float, tolerance: float) -> None:
    assert values(everybody, number).mean() == pytest.approx(mean, abs=tolerance)


@pytest.mark.parametrize(
    ("number", "low", "median", "high"),
    [
        (lambda p: 2 * p.artery.semi_x_mm, 6.5, 7.9, 10.5),
        (lambda p: 2 * p.artery.semi_z_mm, 5.0, 6.4, 9.0),
        (lambda p: p.artery.z_mm + p.head_depth_mm, 7.9, 10.5, 13.1),
        (lambda p: 2 * p.vein.semi_x_mm, 5.8, 10.0, 13.3),
        (lambda p: 2 * p.vein.semi_z_mm, 3.5, 5.2, 8.0),
        (lambda p: p.artery.x_mm - p.vein.x_mm, 5.8, 7.9, 10.4),
        (lambda p: p.vein.z_mm - p.artery.z_mm, 0.9, 2.3, 4.0),
        (lambda p: -p.artery.x_mm, 18.0, 21.0, 29.0),
        (lambda p: -p.bone.head_radius_mm - p.artery.z_mm, 5.3, 8.6, 15.2),
    ],
)
def test_the_groin_of_the_not_obese_is_that_of_the_real_images(
    number: Number, low: float, median: float, high: float
) -> None:
    """Half of the drawn lie within the p10-p90 of the real ones, and the medians within a quarter of that span."""
    drawn = values(population(400, habitus=(0.0, 0.42), vein_under_share=0.0), number)
    assert abs(np.median(drawn) - median) <= 0.25 * (high - low)
    assert ((drawn >= low) & (drawn <= high)).mean() >= 0.5


def test_women_have_smaller_heads() -> None:
    drawn = population(600)
    women, men = (
        values([p for p in drawn if p.sex == sex], lambda p: p.bone.head_radius_mm) for sex in ("female", "male")
    )
    assert 0.5 < men.mean() - women.mean() < 2.0


@pytest.mark.parametrize(
    ("habitus", "low", "high"),
    [((0.0, 0.19), 13, 20), ((0.2, 0.59), 14, 49), ((0.6, 0.77), 38, 73), ((0.78, 1.0), 54, 100)],
)
def test_the_head_lies_as_deep_as_its_build_has_it(habitus: tuple[float, float], low: float, high: float) -> None:
    depths = values(population(150, habitus=habitus), lambda p: p.apex_depth_mm)
    assert depths.min() >= low
    assert depths.max() <= high


def test_the_obese_are_deep_everywhere() -> None:
    """Skin to bone, fat, fascia, artery, vein and nerve: each goes with the build, and with each other."""
    drawn = population(400)
    depths = np.array(
        [
            [
                p.habitus, p.apex_depth_mm, p.layers.fat_mm, p.layers.fascia_iliaca_mm,
                p.artery.z_mm + p.head_depth_mm, p.vein.z_mm + p.head_depth_mm, p.nerve.z_mm + p.head_depth_mm,
            ]
            for p in drawn
        ]
    )  # fmt: skip
    assert np.corrcoef(depths.T).min() > 0.8
    obese = depths[depths[:, 0] > 0.78]
    assert obese[:, 4].mean() > 50
    assert obese[:, 2].mean() > 30


def test_builds_are_named_from_lean_to_severely_obese() -> None:
    assert [build_of(habitus) for habitus in (0.0, 0.3, 0.7, 0.8, 1.0)] == list(BUILDS)


def test_sector_probes_are_for_deep_joints() -> None:
    chances = [curved_probe_chance(0.08, habitus) for habitus in (0.0, 0.37, 1.0)]
    assert chances[0] < 0.02
    assert chances[1] == pytest.approx(0.08)
    assert chances[2] > 0.6
    assert curved_probe_chance(0.0, 1.0) == 0.0
    assert curved_probe_chance(1.0, 0.0) == 1.0


def test_equal_generators_give_equal_patients() -> None:
    first, second = (draw_patient(SimulationConfig(), np.random.default_rng(4)) for _ in range(2))
    assert first == second
