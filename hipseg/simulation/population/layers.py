"""Soft-tissue layers of a patient, and straight lines in them that are no needle."""

from __future__ import annotations

import math

import numpy as np

from hipseg.simulation.config import SimulationConfig
from hipseg.simulation.patient import Layers, Sheet, Vessel
from hipseg.simulation.population.habitus import fat_depth


def draw_layers(apex_mm: float, artery: Vessel, head_depth_mm: float, rng: np.random.Generator) -> Layers:
    """Skin, fat, fasciae and muscles over a head whose apex is `apex_mm` deep."""
    artery_top_mm = artery.z_mm - artery.semi_z_mm + head_depth_mm
    fat_mm = max(min(fat_depth(apex_mm, rng), artery_top_mm - 0.8), 2.6)
    muscle_mm = apex_mm - fat_mm
    tendon_mm = float(np.clip(rng.uniform(0.09, 0.16) * muscle_mm, 1.2, 3.2))
    return Layers(
        skin_mm=rng.uniform(0.9, 1.8),
        fat_mm=fat_mm,
        fascia_iliaca_mm=fat_mm + muscle_mm * rng.uniform(0.04, 0.3),
        dip_x_mm=rng.uniform(-11, -3),
        dip_slope=rng.uniform(0.55, 1.0),
        sartorius_x_mm=rng.uniform(4, 20),
        sartorius_mm=min(rng.uniform(2.0, 5.5), 0.3 * muscle_mm),
        rectus_x_mm=rng.uniform(24, 34),
        rectus_mm=float(np.clip(0.28 * muscle_mm * rng.uniform(0.8, 1.2), 2.5, 7.5)),
        pectineus_gap_mm=rng.uniform(1.5, 5.0),
        tendon_x_mm=rng.uniform(-7, 4),
        tendon_mm=tendon_mm,
        deep_fat_mm=min(muscle_mm * rng.uniform(0.02, 0.22), 5.0),
        fibre_tilt=rng.uniform(-0.4, 0.4),
        fibre_tilt_deep=rng.uniform(-0.5, 0.5),
    )


def draw_sheets(
    config: SimulationConfig, apex_mm: float, head_radius_mm: float, rng: np.random.Generator
) -> tuple[Sheet, ...]:
    """Look-alikes of needles, in a share of the patients."""
    if rng.random() >= config.look_alike_share:
        return ()
    return tuple(_draw_sheet(rng, apex_mm, head_radius_mm) for _ in range(rng.integers(1, 5)))


def _draw_sheet(rng: np.random.Generator, apex_mm: float, head_radius_mm: float) -> Sheet:
    repeated = rng.random() < 0.2
    steepest = 0.1 if repeated else 0.55
    return Sheet(
        x_mm=rng.uniform(-25, 25),
        y_mm=rng.uniform(-25, 15),
        z_mm=rng.uniform(0.15, 1.25) * apex_mm - apex_mm - head_radius_mm,
        slope_x=rng.uniform(-steepest, steepest),
        slope_y=rng.uniform(-steepest, steepest),
        bend_per_mm=rng.normal(0, 0.004),
        half_length_mm=math.exp(rng.uniform(math.log(3), math.log(35))),
        sigma_mm=rng.uniform(0.1, 0.28),
        echo_db=rng.uniform(-6, 10),
        repeats=int(rng.integers(2, 6)) if repeated else 1,
        spacing_mm=rng.uniform(1.2, 4.0),
    )
