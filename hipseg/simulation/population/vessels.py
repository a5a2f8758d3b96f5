"""Vessels, nerve and lymph nodes of a patient's groin."""

from __future__ import annotations

import math

import numpy as np

from hipseg.simulation.config import SimulationConfig
from hipseg.simulation.patient import Branch, Layers, LymphNode, Plaque, Vessel
from hipseg.simulation.population.bones import one_of

_SHALLOWEST_WALL_MM = (4.2, 7.0)
_CROSSING_X_MM = 14.0
"""Where needles cross the circumflex artery, which has come up from its origin below the groin."""


def draw_artery(apex_mm: float, head_depth_mm: float, rng: np.random.Generator) -> Vessel:
    """The femoral artery: 6-10 mm across, 18-29 mm medial of the head's apex and 5-15 mm less deep."""
    semi_x_mm = rng.uniform(3.2, 5.2)
    semi_z_mm = semi_x_mm * rng.uniform(0.7, 0.98)
    above_apex_mm = rng.uniform(5.3, 13.0) + 0.08 * max(apex_mm - 30.0, 0.0)
    return Vessel(
        x_mm=-rng.uniform(18, 28),
        z_mm=max(apex_mm - above_apex_mm, semi_z_mm + rng.uniform(*_SHALLOWEST_WALL_MM)) - head_depth_mm,
        drift_x=rng.uniform(-0.25, 0.05),
        drift_z=rng.uniform(-0.05, 0.2),
        semi_x_mm=semi_x_mm,
        semi_z_mm=semi_z_mm,
    )


def draw_vein(config: SimulationConfig, artery: Vessel, rng: np.random.Generator) -> Vessel:
    """The femoral vein: medial of the artery and a little deeper, or under it; oval, a comma or a slit."""
    semi_x_mm, semi_z_mm, roll_rad, bend_per_mm, taper = _vein_shape(config, rng)
    x_mm = artery.x_mm - (artery.semi_x_mm + semi_x_mm) * rng.uniform(0.8, 1.04)
    z_mm = artery.z_mm + rng.uniform(0.6, 4.2)
    if rng.random() < config.vein_under_share:
        x_mm = artery.x_mm + rng.uniform(-3.0, 2.0)
        z_mm = artery.z_mm + artery.semi_z_mm + semi_z_mm + rng.uniform(0.3, 1.2)
        roll_rad *= 0.3
    return Vessel(x_mm, z_mm, artery.drift_x, artery.drift_z, semi_x_mm, semi_z_mm, roll_rad, bend_per_mm, taper)


def _vein_shape(config: SimulationConfig, rng: np.random.Generator) -> tuple[float, float, float, float, float]:
    """Semi-axes, roll, bend and taper. 10.0 (5.8-13.3) x 5.2 (3.5-8.0) mm in real groins; the medial end rises."""
    semi_x_mm = rng.uniform(3.4, 6.6)
    shape = one_of({"comma": config.vein_comma_share, "slit": config.vein_slit_share}, "oval", rng)
    if shape == "comma":
        semi_z_mm, roll_deg = semi_x_mm * rng.uniform(0.4, 0.65), -rng.uniform(8, 32)
        return semi_x_mm, semi_z_mm, math.radians(roll_deg), -rng.uniform(0.01, 0.05), rng.uniform(0.3, 0.6)
    if shape == "slit":
        semi_z_mm = max(semi_x_mm * rng.uniform(0.2, 0.34), 1.0)
        return semi_x_mm, semi_z_mm, math.radians(rng.uniform(-20, 8)), rng.uniform(-0.02, 0.02), rng.uniform(0, 0.3)
    semi_z_mm, roll_deg = semi_x_mm * rng.uniform(0.5, 0.95), rng.uniform(-22, 8)
    return semi_x_mm, semi_z_mm, math.radians(roll_deg), rng.uniform(-0.02, 0.02), rng.uniform(0, 0.2)


def draw_nerve(artery: Vessel, rng: np.random.Generator) -> Vessel:
    """The femoral nerve, lateral of the artery; often a triangle, thicker on the artery's side."""
    semi_x_mm = rng.uniform(2.6, 5.0)
    return Vessel(
        x_mm=artery.x_mm + artery.semi_x_mm + semi_x_mm + rng.uniform(0.5, 4.0),
        z_mm=artery.z_mm + rng.uniform(-1.0, 3.0),
        drift_x=artery.drift_x + rng.uniform(-0.03, 0.06),
        drift_z=artery.drift_z,
        semi_x_mm=semi_x_mm,
        semi_z_mm=semi_x_mm * rng.uniform(0.3, 0.55),
        roll_rad=math.radians(rng.uniform(-5, 30)),
        taper=rng.uniform(-0.5, 0.3),
    )


def draw_branches(config: SimulationConfig, artery: Vessel, rng: np.random.Generator) -> tuple[Branch, ...]:
    """The lateral circumflex artery, 3-5 mm wide at its origin, and at times a second branch that ascends from it.

    It lies where needles go: one of five planned paths crosses it, at 4 mm the others pass (clinical.md section 2).
    """
    if rng.random() >= config.branch_share:
        return ()
    climb = rng.uniform(0.1, 0.55)
    trunk = Branch(
        start_x_mm=artery.x_mm,
        origin_radius_mm=rng.uniform(1.5, 2.5),
        radius_mm=rng.uniform(0.5, 1.25),
        y_mm=rng.normal(-15, 6) - climb * _CROSSING_X_MM,
        drift_y=climb,
        above_capsule_mm=rng.uniform(1.2, 7.0),
    )
    if rng.random() >= config.two_branches_share:
        return (trunk,)
    fork_x_mm, steeper = rng.uniform(-12, 2), rng.uniform(0.25, 0.7)
    ascending = Branch(
        start_x_mm=fork_x_mm,
        origin_radius_mm=trunk.radius_mm,
        radius_mm=max(0.8 * trunk.radius_mm, 0.5),
        y_mm=trunk.y_mm - steeper * fork_x_mm,
        drift_y=climb + steeper,
        above_capsule_mm=trunk.above_capsule_mm,
    )
    return trunk, ascending


def draw_plaques(config: SimulationConfig, habitus: float, rng: np.random.Generator) -> tuple[Plaque, ...]:
    """Calcium in the artery's wall, for a share of the patients that grows with their build."""
    share = config.plaque_share
    chance = share if share in (0, 1) else min(share * (0.6 + habitus), 1.0)
    if rng.random() >= chance:
        return ()
    return tuple(_draw_plaque(rng) for _ in range(rng.integers(1, 4)))


def _draw_plaque(rng: np.random.Generator) -> Plaque:
    return Plaque(
        angle_rad=rng.uniform(-math.pi, math.pi),
        half_width_rad=rng.uniform(0.25, 0.7),
        y_mm=rng.uniform(-14, 8),
        half_length_mm=rng.uniform(3, 10),
        thickness_mm=rng.uniform(0.5, 1.0),
    )


def draw_nodes(
    config: SimulationConfig,
    artery: Vessel,
    vein: Vessel,
    head_depth_mm: float,
    layers: Layers,
    rng: np.random.Generator,
) -> tuple[LymphNode, ...]:
    """Lymph nodes medial of the vein, or in the fat over the vessels."""
    if rng.random() >= config.node_share:
        return ()
    return tuple(_draw_node(artery, vein, head_depth_mm, layers, rng) for _ in range(rng.integers(1, 4)))


def _draw_node(
    artery: Vessel, vein: Vessel, head_depth_mm: float, layers: Layers, rng: np.random.Generator
) -> LymphNode:
    height_mm = rng.uniform(1.8, 4.0)
    width_mm = height_mm * rng.uniform(1.4, 2.4)
    if rng.random() < 0.5:
        x_mm = vein.x_mm - vein.semi_x_mm - width_mm - rng.uniform(1.0, 5.0)
        z_mm = vein.z_mm + rng.uniform(-4.0, 1.5)
    else:
        x_mm = artery.x_mm + rng.uniform(-9.0, 16.0)
        highest_mm = layers.skin_mm + 0.8 + height_mm
        lowest_mm = max(artery.z_mm - artery.semi_z_mm + head_depth_mm - height_mm - 0.5, highest_mm)
        z_mm = rng.uniform(highest_mm, lowest_mm) - head_depth_mm
    semi_mm = (width_mm, rng.uniform(1.0, 1.8) * width_mm, height_mm)
    return LymphNode((x_mm, rng.uniform(-16, 8), z_mm), semi_mm, rng.uniform(0.3, 0.6))
