"""What each tissue does to ultrasound, and which tissue lies where.

Echo levels are calibrated to the grey levels of real groin images (simulation.md); attenuation is from clinical.md
section 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hipseg.simulation.patient import Patient
from hipseg.simulation.phantom import Section
from hipseg.simulation.surfaces import Array, smooth_step


class Material(IntEnum):
    """Tissues that look different."""

    CONNECTIVE = 0
    SKIN = 1
    FAT = 2
    PSOAS = 3
    SARTORIUS = 4
    RECTUS = 5
    PECTINEUS = 6
    TENDON = 7
    DEEP_FAT = 8
    NERVE = 9
    VESSEL_WALL = 10
    ARTERY = 11
    VEIN = 12
    CAPSULE = 13
    RECESS = 14
    LABRUM = 15
    CARTILAGE = 16
    BONE = 17
    PLAQUE = 18
    NODE = 19
    NODE_HILUM = 20
    METAL = 21


class Acoustic(NamedTuple):
    """Acoustic properties.

    Attributes:
        echo_db: mean backscatter, relative to subcutaneous fat.
        contrast: standard deviation of the log-amplitude of its texture, nepers.
        along_mm, across_mm: correlation lengths of the texture along and across its fibres or layers.
        attenuation: dB/cm/MHz, one way.
        diffuse: share of the power that comes from between fibres and layers and follows no texture.
    """

    echo_db: float
    contrast: float
    along_mm: float
    across_mm: float
    attenuation: float
    diffuse: float = 0.1


ACOUSTICS: dict[Material, Acoustic] = {
    Material.CONNECTIVE: Acoustic(-2, 1.25, 3.4, 0.4, 0.9, 0.02),
    Material.SKIN: Acoustic(-6, 0.8, 12.0, 0.25, 1.2, 0.02),
    Material.FAT: Acoustic(3, 1.3, 4.4, 0.38, 0.7, 0.02),
    Material.PSOAS: Acoustic(-12, 1.5, 4.8, 0.52, 0.95),
    Material.SARTORIUS: Acoustic(-8, 1.45, 4.8, 0.52, 0.95),
    Material.RECTUS: Acoustic(-8, 1.45, 4.8, 0.52, 0.95),
    Material.PECTINEUS: Acoustic(-9, 1.3, 4.4, 0.54, 0.95),
    Material.TENDON: Acoustic(-4, 0.8, 2.0, 0.31, 1.2),
    Material.DEEP_FAT: Acoustic(-4, 0.95, 6.0, 0.6, 0.8),
    Material.NERVE: Acoustic(-0.5, 0.55, 0.9, 0.35, 0.9),
    Material.VESSEL_WALL: Acoustic(-8, 0.3, 2.0, 0.31, 0.6),
    Material.ARTERY: Acoustic(-34, 0.2, 2.0, 2.0, 0.18),
    Material.VEIN: Acoustic(-38, 0.2, 2.0, 2.0, 0.3),
    Material.CAPSULE: Acoustic(-2, 0.75, 8.0, 0.4, 1.1),
    Material.RECESS: Acoustic(-18, 0.5, 4.0, 0.31, 0.5),
    Material.LABRUM: Acoustic(-5, 0.4, 2.0, 0.39, 1.1),
    Material.CARTILAGE: Acoustic(-38, 0.2, 2.0, 2.0, 1.5),
    Material.BONE: Acoustic(-60, 0.4, 3.0, 0.39, 3.0),
    Material.PLAQUE: Acoustic(13, 0.4, 1.5, 0.31, 14.0),
    Material.NODE: Acoustic(-21, 0.4, 1.5, 0.4, 0.5),
    Material.NODE_HILUM: Acoustic(-3, 0.6, 1.5, 0.35, 0.8),
    Material.METAL: Acoustic(-60, 0.2, 3.0, 0.39, 3.0),
}


class Reverberation(NamedTuple):
    """How sound rings on behind a material's surface.

    Attributes:
        level_db: of the first repeated echo, relative to the surface's own.
        spacing_mm: from one echo to the next; about the thickness or, for a comet tail, finer than the pulse.
        decay_db_per_mm: by which the repeated echoes weaken.
    """

    level_db: float
    spacing_mm: float
    decay_db_per_mm: float


REVERBERATIONS: dict[Material, Reverberation] = {Material.METAL: Reverberation(-3.0, 1.4, 0.9)}
"""Smooth metal sends nearly all sound back and rings on for centimetres (no published figures)."""
METAL_SURFACE_DB = 12.0
"""By which a prosthesis' surface is brighter than bone at normal incidence."""


@dataclass(frozen=True, slots=True)
class TissueMap:
    """Tissue on beams [S, L].

    Attributes:
        material: ids of `Material`.
        along, across: texture coordinates in correlation lengths of the tissue's own texture.
        echo_db, contrast, attenuation, diffuse: as in `Acoustic`.
    """

    material: npt.NDArray[np.uint8]
    along: Array
    across: Array
    echo_db: Array
    contrast: Array
    attenuation: Array
    diffuse: Array


def map_tissue(section: Section, patient: Patient, heading_rad: float, bend: Array, region: Array) -> TissueMap:
    """Lays the tissues into a section.

    Args:
        section: distances on all samples and beams.
        patient: how its fibres run and what fills its recess.
        heading_rad: direction of the plane in the frontal plane; textures are laid along it.
        bend: smooth noise [S, L] of standard deviation 1 by which layers and fascicles wander.
        region: likewise, by which tissue is here brighter and coarser, there darker and even.
    """
    material = _materials(section)
    tables = np.array([ACOUSTICS[name] for name in Material], np.float32)
    tables[Material.RECESS, 0] = patient.joint.recess_echo_db
    tables[Material.CARTILAGE, 0] = patient.bone.cartilage_echo_db
    echo_db, contrast, along_mm, across_mm, attenuation, diffuse = (tables[:, column][material] for column in range(6))
    lateral_mm = section.x * np.float32(np.cos(heading_rad)) - section.y * np.float32(np.sin(heading_rad))
    across = _across_layers(section, patient, material, lateral_mm) + 0.65 * bend
    # Deep down the slice is thick and averages what lies side by side.
    evenness = np.float32(0.35) * smooth_step(section.depth, 8.0, 25.0)
    contrast *= np.clip(0.95 + 0.45 * region - evenness, 0.15, 1.7)
    echo_db += np.float32(5.0) * region
    return TissueMap(material, lateral_mm / along_mm, across / across_mm, echo_db, contrast, attenuation, diffuse)


def _materials(section: Section) -> npt.NDArray[np.uint8]:
    """Later entries lie over earlier ones."""
    deep_of_iliaca = section.fascia_iliaca < 0
    deep_of_capsule = section.capsule_inner < 0
    regions = (
        (Material.SKIN, section.skin > 0),
        (Material.FAT, (section.skin <= 0) & (section.fat > 0)),
        (Material.SARTORIUS, section.sartorius < 0),
        (Material.PECTINEUS, section.pectineus < 0),
        (Material.PSOAS, deep_of_iliaca),
        (Material.RECTUS, (section.rectus < 0) & deep_of_iliaca),
        (Material.DEEP_FAT, section.psoas_floor < 0),
        (Material.TENDON, section.tendon < 0),
        (Material.CAPSULE, section.capsule_outer < 0),
        (Material.RECESS, deep_of_capsule),
        (Material.CARTILAGE, section.cartilage < 0),
        (Material.LABRUM, section.labrum < 0),
        (Material.NODE, section.node < 0),
        (Material.NODE_HILUM, section.hilum < 0),
        (Material.NERVE, section.nerve < 0),
        (Material.VESSEL_WALL, np.minimum(section.vein, section.arteries) < 0),
        (Material.VEIN, section.vein < -0.35),
        (Material.ARTERY, (section.artery < -0.6) | (section.branch < -0.25)),
        (Material.PLAQUE, section.plaque < 0),
        (Material.BONE, section.bone < 0),
        (Material.METAL, (section.femur < 0) & section.metal),
    )
    material = np.zeros(section.femur.shape, np.uint8)
    for name, where in regions:
        material[where] = name
    return material


def _across_layers(section: Section, patient: Patient, material: npt.NDArray[np.uint8], lateral_mm: Array) -> Array:
    """Distance across fibres or layers: layers follow the surface they lie under, fascicles run obliquely."""
    layers = patient.layers
    tilt = np.float32(layers.fibre_tilt) + np.float32(0.004) * lateral_mm
    across = section.depth - np.float32(0.8) * (section.fat + section.depth)
    fascicles = section.depth + (tilt + np.float32(layers.fibre_tilt_deep * 0.012) * section.depth) * lateral_mm
    muscle = (material >= Material.PSOAS) & (material <= Material.PECTINEUS)
    across = np.where(muscle, fascicles, across)
    joint = (material == Material.CAPSULE) | (material == Material.RECESS) | (material == Material.DEEP_FAT)
    return np.where(joint, section.capsule_outer, across).astype(np.float32)
