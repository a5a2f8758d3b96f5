"""One patient of the population: parts that fit each other, drawn in the order in which they depend on each other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hipseg.simulation.config import SimulationConfig
from hipseg.simulation.patient import Patient, room_over_neck
from hipseg.simulation.population.bones import draw_bone, draw_joint, draw_ramus, draw_spurs, implant
from hipseg.simulation.population.habitus import draw_apex_depth, draw_habitus
from hipseg.simulation.population.layers import draw_layers, draw_sheets
from hipseg.simulation.population.vessels import (
    draw_artery,
    draw_branches,
    draw_nerve,
    draw_nodes,
    draw_plaques,
    draw_vein,
)


def draw_patient(config: SimulationConfig, rng: np.random.Generator) -> Patient:
    """One patient.

    Args:
        config: the population.
        rng: the only source of chance.
    """
    habitus = draw_habitus(config.habitus, rng)
    sex = "female" if rng.random() < 0.5 else "male"
    bone = draw_bone(config, sex, rng)
    apex_mm = draw_apex_depth(habitus, rng)
    head_depth_mm = apex_mm + bone.head_radius_mm
    artery = draw_artery(apex_mm, head_depth_mm, rng)
    vein = draw_vein(config, artery, rng)
    nerve = draw_nerve(artery, rng)
    layers = draw_layers(apex_mm, artery, head_depth_mm, rng)
    joint = draw_joint(config, bone, room_over_neck(bone, apex_mm, layers.fat_mm), rng)
    bone = replace(bone, ramus=draw_ramus(bone, (artery, vein), rng), osteophytes=draw_spurs(config, bone, rng))
    if rng.random() < config.prosthesis_share:
        bone, joint = implant(bone, joint, rng)
    return Patient(
        id=f"simulated-{rng.integers(1 << 40):010x}",
        sex=sex,
        habitus=habitus,
        mirrored=bool(rng.random() < 0.5),
        head_depth_mm=head_depth_mm,
        bone=bone,
        joint=joint,
        artery=artery,
        vein=vein,
        nerve=nerve,
        branches=draw_branches(config, artery, rng),
        plaques=draw_plaques(config, habitus, rng),
        nodes=draw_nodes(config, artery, vein, head_depth_mm, layers, rng),
        layers=layers,
        sheets=draw_sheets(config, apex_mm, bone.head_radius_mm, rng),
        texture_seed=int(rng.integers(1 << 31)),
    )
