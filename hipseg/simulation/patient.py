"""One patient's anatomy as numbers, drawn so that the numbers belong together: an obese patient is deep everywhere.

Dimensions from clinical.md section 2, depths and positions in the groin from simulation.md ("Geometry").
Coordinates: x lateral, y cranial, z posterior, millimetres from the centre of the femoral head; `depth` counts from
the skin above it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from hipseg.simulation.config import SimulationConfig


@dataclass(frozen=True, slots=True)
class Bone:
    """Femur and acetabular rim.

    Attributes:
        neck_slope: how much deeper the neck's axis runs per mm along it.
        neck_heading_rad: direction of the neck in the frontal plane, from lateral toward caudal.
        blend_mm: how gently head and neck merge; alpha angles come from it.
        rim_turn_rad: by which the rim lies more cranially than the neck points away from it.
        rim_angle_rad: from the head's apex to the acetabular rim.
        ilium_slope: rise (negative) or fall of the pelvic cortex beyond the rim.
    """

    head_radius_mm: float
    neck_radius_mm: float
    neck_length_mm: float
    neck_slope: float
    neck_heading_rad: float
    neck_flare: float
    blend_mm: float
    rim_turn_rad: float
    rim_angle_rad: float
    ilium_slope: float
    cartilage_mm: float
    cartilage_echo_db: float
    roughness_mm: float


@dataclass(frozen=True, slots=True)
class Joint:
    """Capsule, recess and labrum. `recess_echo_db` is what fills the recess: anechoic fluid or synovial fat."""

    capsule_mm: float
    neck_capsule_distance_mm: float
    effusion_mm: float
    labrum_length_mm: float
    labrum_mm: float
    recess_echo_db: float


@dataclass(frozen=True, slots=True)
class Vessel:
    """A tube running caudally: centre at y = 0, drift per mm of y, semi-axes, roll and bend of the cross-section."""

    x_mm: float
    z_mm: float
    drift_x: float
    drift_z: float
    semi_x_mm: float
    semi_z_mm: float
    roll_rad: float = 0.0
    bend_per_mm: float = 0.0


@dataclass(frozen=True, slots=True)
class Branch:
    """The lateral circumflex artery: from the femoral artery laterally across the neck, in front of the capsule."""

    radius_mm: float
    y_mm: float
    drift_y: float
    above_capsule_mm: float


@dataclass(frozen=True, slots=True)
class Layers:
    """Depths of the soft-tissue layers over the head's centre, and how fibres run."""

    skin_mm: float
    fat_mm: float
    fascia_iliaca_mm: float
    dip_x_mm: float
    dip_slope: float
    sartorius_x_mm: float
    sartorius_mm: float
    pectineus_gap_mm: float
    fibre_tilt: float
    fibre_tilt_deep: float
    marbling: float


@dataclass(frozen=True, slots=True)
class Sheet:
    """A straight bright line that is no needle: an aponeurosis, a fascia that stands obliquely, a reverberation.

    Attributes:
        x_mm, y_mm, z_mm: of its middle.
        slope_x, slope_y: fall per mm laterally and cranially.
        bend_per_mm: curvature.
        half_length_mm, sigma_mm: size in the picture.
        echo_db: relative to fat.
        repeats, spacing_mm: copies below it, each weaker than the one before.
    """

    x_mm: float
    y_mm: float
    z_mm: float
    slope_x: float
    slope_y: float
    bend_per_mm: float
    half_length_mm: float
    sigma_mm: float
    echo_db: float
    repeats: int
    spacing_mm: float


@dataclass(frozen=True, slots=True)
class Patient:
    """Everything that stays the same for a patient. `mirrored` tells left from right hips (or a turned probe)."""

    id: str
    habitus: float
    mirrored: bool
    head_depth_mm: float
    bone: Bone
    joint: Joint
    artery: Vessel
    vein: Vessel
    nerve: Vessel
    branch: Branch | None
    layers: Layers
    sheets: tuple[Sheet, ...]
    texture_seed: int

    @property
    def apex_depth_mm(self) -> float:
        """Depth of the head's most anterior point."""
        return self.head_depth_mm - self.bone.head_radius_mm


def draw_patient(config: SimulationConfig, rng: np.random.Generator) -> Patient:
    """One patient of the population."""
    low, high = config.habitus
    habitus = low + (high - low) * float(rng.beta(1.3, 2.2))
    bone = _draw_bone(config, rng)
    apex_mm = 13.5 + 13.0 * habitus + 30.0 * max(habitus - 0.6, 0.0) / 0.4 + rng.uniform(-1.0, 3.5)
    artery = _draw_artery(rng, habitus, apex_mm, apex_mm + bone.head_radius_mm)
    layers = _draw_layers(rng, habitus, apex_mm, artery, apex_mm + bone.head_radius_mm)
    return Patient(
        id=f"simulated-{rng.integers(1 << 40):010x}",
        habitus=habitus,
        mirrored=bool(rng.random() < 0.5),
        head_depth_mm=apex_mm + bone.head_radius_mm,
        bone=bone,
        joint=_draw_joint(config, rng),
        artery=artery,
        vein=_draw_vein(rng, artery),
        nerve=_draw_nerve(rng, artery),
        branch=_draw_branch(rng) if rng.random() < config.branch_share else None,
        layers=layers,
        sheets=_draw_sheets(config, rng, apex_mm, bone.head_radius_mm),
        texture_seed=int(rng.integers(1 << 31)),
    )


def _draw_bone(config: SimulationConfig, rng: np.random.Generator) -> Bone:
    radius_mm = float(rng.uniform(*config.head_radius_mm))
    return Bone(
        head_radius_mm=radius_mm,
        neck_radius_mm=radius_mm * rng.uniform(0.6, 0.68),
        neck_length_mm=rng.uniform(46, 58),
        neck_slope=rng.uniform(-0.05, 0.2),
        neck_heading_rad=math.radians(rng.uniform(35, 55)),
        neck_flare=rng.uniform(0.002, 0.006),
        blend_mm=rng.uniform(1.2, 3.5),
        rim_turn_rad=math.radians(rng.uniform(0, 32)),
        rim_angle_rad=math.radians(rng.uniform(32, 52)),
        ilium_slope=rng.uniform(-0.5, 0.35),
        cartilage_mm=rng.uniform(0.5, 1.4),
        cartilage_echo_db=rng.uniform(-30, -9),
        roughness_mm=rng.uniform(0.01, 0.06),
    )


def _draw_joint(config: SimulationConfig, rng: np.random.Generator) -> Joint:
    distance_mm = float(rng.uniform(*config.neck_capsule_distance_mm))
    effused = rng.random() < config.effusion_share
    return Joint(
        capsule_mm=min(rng.uniform(2.0, 3.6), 0.7 * distance_mm),
        neck_capsule_distance_mm=distance_mm,
        effusion_mm=rng.uniform(1.5, 6.0) if effused else 0.0,
        labrum_length_mm=rng.uniform(6.0, 9.5),
        labrum_mm=rng.uniform(2.6, 4.2),
        recess_echo_db=rng.uniform(-45, -28) if effused else rng.uniform(-26, -10),
    )


def _draw_artery(rng: np.random.Generator, habitus: float, apex_mm: float, head_depth_mm: float) -> Vessel:
    semi_x_mm = rng.uniform(3.2, 5.2)
    semi_z_mm = semi_x_mm * rng.uniform(0.7, 0.98)
    depth_mm = max(apex_mm - rng.uniform(5.3, 13.0) - 6.0 * max(habitus - 0.6, 0.0), semi_z_mm + 3.5)
    return Vessel(
        x_mm=-rng.uniform(18, 28),
        z_mm=depth_mm - head_depth_mm,
        drift_x=rng.uniform(-0.25, 0.05),
        drift_z=rng.uniform(-0.05, 0.2),
        semi_x_mm=semi_x_mm,
        semi_z_mm=semi_z_mm,
    )


def _draw_vein(rng: np.random.Generator, artery: Vessel) -> Vessel:
    semi_x_mm = rng.uniform(2.8, 6.6)
    height = float(rng.choice([rng.uniform(0.25, 0.4), rng.uniform(0.5, 0.95)]))
    gap_mm = rng.uniform(-0.9, 1.5)
    semi_z_mm = max(semi_x_mm * height, 1.3)
    return Vessel(
        x_mm=artery.x_mm - artery.semi_x_mm - semi_x_mm - gap_mm,
        z_mm=artery.z_mm + rng.uniform(0.6, 4.2),
        drift_x=artery.drift_x,
        drift_z=artery.drift_z,
        semi_x_mm=semi_x_mm,
        semi_z_mm=semi_z_mm,
        roll_rad=math.radians(rng.uniform(-8, 28)),
        bend_per_mm=rng.uniform(-0.02, 0.04),
    )


def _draw_nerve(rng: np.random.Generator, artery: Vessel) -> Vessel:
    semi_x_mm = rng.uniform(2.6, 5.0)
    return Vessel(
        x_mm=artery.x_mm + artery.semi_x_mm + semi_x_mm + rng.uniform(0.5, 4.0),
        z_mm=artery.z_mm + rng.uniform(-1.0, 3.0),
        drift_x=artery.drift_x + rng.uniform(-0.03, 0.06),
        drift_z=artery.drift_z,
        semi_x_mm=semi_x_mm,
        semi_z_mm=semi_x_mm * rng.uniform(0.3, 0.55),
        roll_rad=math.radians(rng.uniform(-5, 30)),
    )


def _draw_branch(rng: np.random.Generator) -> Branch:
    return Branch(
        radius_mm=rng.uniform(0.8, 2.0),
        y_mm=-rng.uniform(4, 34),
        drift_y=rng.uniform(-0.3, 0.3),
        above_capsule_mm=rng.uniform(2.5, 8.0),
    )


def _draw_layers(
    rng: np.random.Generator, habitus: float, apex_mm: float, artery: Vessel, head_depth_mm: float
) -> Layers:
    artery_top_mm = artery.z_mm - artery.semi_z_mm + head_depth_mm
    fat_mm = min(0.17 * apex_mm + 8.0 * habitus * rng.random() + rng.uniform(0.5, 2.5), artery_top_mm - 0.8)
    fat_mm = max(fat_mm, 2.6)
    return Layers(
        skin_mm=rng.uniform(0.9, 1.8),
        fat_mm=fat_mm,
        fascia_iliaca_mm=fat_mm + (apex_mm - fat_mm) * rng.uniform(0.04, 0.3),
        dip_x_mm=rng.uniform(-11, -3),
        dip_slope=rng.uniform(0.55, 1.0),
        sartorius_x_mm=rng.uniform(4, 20),
        sartorius_mm=rng.uniform(2.0, 5.5),
        pectineus_gap_mm=rng.uniform(1.5, 5.0),
        fibre_tilt=rng.uniform(-0.4, 0.4),
        fibre_tilt_deep=rng.uniform(-0.5, 0.5),
        marbling=rng.uniform(0, 1),
    )


def _draw_sheets(
    config: SimulationConfig, rng: np.random.Generator, apex_mm: float, head_radius_mm: float
) -> tuple[Sheet, ...]:
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
