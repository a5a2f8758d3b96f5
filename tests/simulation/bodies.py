"""Patients and slices of them for tests of the anatomy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hipseg.simulation import SimulationConfig
from hipseg.simulation.frames import draw_scene
from hipseg.simulation.patient import Patient
from hipseg.simulation.phantom import BodyState, Phantom, Section
from hipseg.simulation.population import draw_patient
from hipseg.simulation.scene import Scene, Survey, survey

VARIANTS = SimulationConfig(
    vein_under_share=0.3, vein_comma_share=0.4, vein_slit_share=0.3, cam_share=0.3, dysplastic_share=0.3,
    osteophyte_share=0.5, plaque_share=0.5, node_share=0.8, branch_share=1.0, two_branches_share=0.5,
    effusion_share=0.5, hyperaemia_share=0.5, prosthesis_share=0.1, curvilinear_share=0.0,
)  # fmt: skip
"""Nearly everybody has something."""


def patient_of(seed: int, config: SimulationConfig = VARIANTS) -> Patient:
    """Patient number `seed` of a population."""
    return draw_patient(config, np.random.default_rng(seed))


def smooth(patient: Patient) -> Patient:
    """The patient with bone of plain spheres, cones and rods."""
    return replace(patient, bone=replace(patient.bone, roughness_mm=0.0, osteophytes=()))


def axial_slice(patient: Patient, y_mm: float, step_mm: float = 0.5, state: BodyState = BodyState()) -> Section:
    """The body cut across at a height, from the skin to behind the head."""
    x, depth = np.meshgrid(
        np.arange(-50, 42, step_mm, dtype=np.float32),
        np.arange(0.2, patient.head_depth_mm + 6, step_mm, dtype=np.float32),
    )
    z = depth - np.float32(patient.head_depth_mm)
    return Phantom(patient).section(x, np.full_like(x, y_mm), z, depth, state)


def first_depth_mm(section: Section, distance: np.ndarray) -> np.ndarray:
    """Depth [columns] at which each column of an `axial_slice` first enters a body, infinite where it never does."""
    inside = distance < 0
    depth = section.z[:, 0] - section.z[0, 0]
    return np.where(inside.any(axis=0), depth[inside.argmax(axis=0)], np.inf)


def scanned(seed: int, config: SimulationConfig = VARIANTS) -> tuple[Scene, Survey]:
    """A patient under a probe, and what the plane shows."""
    scene = draw_scene(config, np.random.default_rng(seed))
    return scene, survey(scene)
