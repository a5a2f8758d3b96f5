"""Inflamed synovium: where colour Doppler shows flow in and under the capsule."""

from __future__ import annotations

import numpy as np

from hipseg.simulation import texture
from hipseg.simulation.patient import Patient
from hipseg.simulation.phantom import Section
from hipseg.simulation.surfaces import Array, bump, smooth_step

_LAYER_MM = 1.6
"""Half the thickness of the layer that bears vessels, about the capsule's deep face."""
_SPECK_MM = 1.3


def hyperaemia(section: Section, patient: Patient, heading_rad: float) -> Array:
    """Strength of flow [S, L] in the synovium, 0 for none to 1; all 0 for a joint that is not inflamed.

    Small vessels show as separate specks; the more inflamed the joint, the more of them, until they run together.

    Args:
        section: distances on all samples and beams.
        patient: how inflamed the joint is (`joint.hyperaemia`).
        heading_rad: direction of the plane in the frontal plane, along which textures are laid.
    """
    grade = patient.joint.hyperaemia
    if grade <= 0 or section.metal:
        return np.zeros(section.femur.shape, np.float32)
    on_joint = bump(section.capsule_inner / np.float32(_LAYER_MM)) * (section.bone > 0) * (section.cartilage > 0)
    near_recess = smooth_step(section.along_neck, 2.0, 12.0)
    lateral_mm = section.x * np.float32(np.cos(heading_rad)) - section.y * np.float32(np.sin(heading_rad))
    middle = tuple(count // 2 for count in section.x.shape)
    plane_mm = float(section.x[middle] * np.sin(heading_rad) + section.y[middle] * np.cos(heading_rad))
    specks = texture.structure(
        lateral_mm / np.float32(_SPECK_MM),
        section.depth / np.float32(0.6 * _SPECK_MM),
        plane_mm / 2.0,
        patient.texture_seed + 11,
    )
    threshold = 1.4 - 1.8 * grade
    strength: Array = on_joint * near_recess * smooth_step(specks, threshold, threshold + 0.8)
    return strength.astype(np.float32)
