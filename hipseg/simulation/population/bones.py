"""Bones and joint of a patient: head, neck, socket, their variants, capsule and recess."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from hipseg.simulation.config import SimulationConfig
from hipseg.simulation.patient import Bone, Joint, Osteophyte, Point, Ramus, Vessel

_HEAD_MM = {"female": (22.7, 1.8), "male": (24.6, 1.9)}
"""Mean and standard deviation of the head's radius (clinical.md section 2)."""
_RIM_DEG = {"normal": (30, 46), "cam": (28, 44), "dysplastic": (50, 66)}
_ALPHA_DEG = {"normal": (45.6, 3.0, 39.0, 54.0), "dysplastic": (45.6, 3.0, 39.0, 54.0), "cam": (65.0, 3.5, 60.0, 74.0)}
"""Mean, standard deviation and bounds of the alpha angle: 45.6 on average. A cam has more than 55 where the outline
stands visibly off the circle, which is some degrees after it has left it."""
_NARROWEST_BLEND_MM = 0.8
_NO_RAMUS = Ramus((0.0, 0.0, 0.0), (0.0, 0.0, 0.0), 0.0)


def truncated_normal(mean: float, deviation: float, bounds: tuple[float, float], rng: np.random.Generator) -> float:
    """A normal number within bounds, drawn anew until it lies there; uniform if it hardly ever would."""
    for _ in range(50):
        value = float(rng.normal(mean, deviation))
        if bounds[0] <= value <= bounds[1]:
            return value
    return float(rng.uniform(*bounds))


def draw_bone(config: SimulationConfig, sex: str, rng: np.random.Generator) -> Bone:
    """Head, neck and socket, without ramus and spurs."""
    radius_mm = truncated_normal(*_HEAD_MM[sex], config.head_radius_mm, rng)
    shape = one_of({"dysplastic": config.dysplastic_share, "cam": config.cam_share}, "normal", rng)
    # 13.8-16.1 mm for heads of 20.5-26 mm leaves an offset of 8.4 mm at the mean head.
    neck_mm = max(13.8 + 0.42 * (radius_mm - 20.5) + rng.normal(0, 0.3), 0.55 * radius_mm)
    neck_mm *= 1.08 if shape == "cam" else 1.0
    mean, deviation, *bounds = _ALPHA_DEG[shape]
    alpha_rad = math.radians(truncated_normal(mean, deviation, (bounds[0], bounds[1]), rng))
    return Bone(
        shape=shape,
        metal=False,
        head_radius_mm=radius_mm,
        neck_radius_mm=neck_mm,
        neck_length_mm=rng.uniform(46, 58),
        neck_slope=rng.uniform(-0.05, 0.2),
        neck_heading_rad=math.radians(rng.uniform(35, 55)),
        neck_flare=rng.uniform(0.002, 0.006),
        blend_mm=max(radius_mm * math.sin(alpha_rad) - neck_mm, _NARROWEST_BLEND_MM),
        rim_turn_rad=math.radians(rng.uniform(0, 32)),
        rim_angle_rad=math.radians(rng.uniform(*_RIM_DEG[shape])),
        anteversion_rad=math.radians(rng.uniform(10, 24)),
        ilium_slope=rng.uniform(-0.5, 0.35),
        cartilage_mm=rng.uniform(0.6, 1.9),
        cartilage_echo_db=rng.uniform(-14, -4),
        roughness_mm=rng.uniform(0.01, 0.06),
        ramus=_NO_RAMUS,
        osteophytes=(),
    )


def one_of(shares: Mapping[str, float], ordinary: str, rng: np.random.Generator) -> str:
    """The variant that a patient has, `ordinary` for none of them. A share of 1 leaves no other."""
    chance = rng.random()
    for name, share in shares.items():
        if share >= 1:
            return name
    for name, share in shares.items():
        if chance < share:
            return name
        chance -= share
    return ordinary


def draw_joint(config: SimulationConfig, bone: Bone, room_mm: float, rng: np.random.Generator) -> Joint:
    """Capsule, recess and labrum; a shallow socket has a large labrum.

    Args:
        config: the population.
        bone: that they lie on.
        room_mm: over the neck; neither capsule nor effusion takes more of it than there is.
        rng: of everything else.
    """
    low, high = config.neck_capsule_distance_mm
    distance_mm = min(truncated_normal((low + high) / 2, (high - low) / 4 + 1e-9, (low, high), rng), room_mm)
    effused = rng.random() < config.effusion_share
    inflamed = rng.random() < config.hyperaemia_share
    enlarged = 1.35 if bone.shape == "dysplastic" else 1.0
    return Joint(
        capsule_mm=min(rng.uniform(2.0, 3.6), 0.7 * distance_mm),
        ligament_mm=rng.uniform(0.8, 2.4),
        neck_capsule_distance_mm=distance_mm,
        effusion_mm=min(rng.uniform(*config.effusion_mm), room_mm - distance_mm) if effused else 0.0,
        hyperaemia=rng.uniform(0.3, 1.0) if inflamed else 0.0,
        labrum_length_mm=enlarged * rng.uniform(6.0, 9.5),
        labrum_mm=enlarged * rng.uniform(2.6, 4.2),
        recess_echo_db=rng.uniform(-45, -28) if effused else rng.uniform(-16, -4),
    )


def draw_ramus(bone: Bone, vessels: tuple[Vessel, ...], rng: np.random.Generator) -> Ramus:
    """From the socket under the vessels, which it leaves room for, to the symphysis; it rises on its way."""
    radius_mm = rng.uniform(7.0, 9.5)
    below_vessels_mm = rng.uniform(3.5, 9.0)
    start_x, end_x = -0.8 * bone.head_radius_mm, -rng.uniform(52, 62)
    bottom_mm = max(vessel.z_mm + max(vessel.semi_z_mm, vessel.semi_x_mm * abs(vessel.roll_rad)) for vessel in vessels)
    vessel_x = min(vessel.x_mm for vessel in vessels)
    rise = rng.uniform(0.12, 0.5)
    crest_mm = max(bottom_mm + below_vessels_mm, -0.75 * bone.head_radius_mm)
    start_z = crest_mm + rise * (start_x - vessel_x) + radius_mm
    end_z = crest_mm + rise * (end_x - vessel_x) + radius_mm
    start_y = rng.uniform(-5, 2)
    return Ramus((start_x, start_y, start_z), (end_x, start_y - rng.uniform(-2, 7), end_z), radius_mm)


def draw_spurs(config: SimulationConfig, bone: Bone, rng: np.random.Generator) -> tuple[Osteophyte, ...]:
    """Spurs of a worn hip, some at the head-neck junction and at times one at the rim; none in the others."""
    if rng.random() >= config.osteophyte_share:
        return ()
    spurs = [_femoral_spur(bone, turn, rng) for turn in np.radians(rng.normal(0, 22, size=rng.integers(1, 4)))]
    if rng.random() < 0.6:
        spurs.append(_pelvic_spur(bone, rng))
    return tuple(spurs)


def _femoral_spur(bone: Bone, turn_rad: float, rng: np.random.Generator) -> Osteophyte:
    """On the head's edge, `turn_rad` around the neck's axis from anterior."""
    alpha_rad = bone.alpha_rad - rng.uniform(-0.05, 0.2)
    along, radial = bone.head_radius_mm * math.cos(alpha_rad), bone.head_radius_mm * math.sin(alpha_rad)
    cos_h, sin_h = math.cos(bone.neck_heading_rad), math.sin(bone.neck_heading_rad)
    aside = radial * math.sin(turn_rad)
    # Nearly: the neck's slope, a tenth or less, is left out.
    centre = (along * cos_h + aside * sin_h, -along * sin_h + aside * cos_h, -radial * math.cos(turn_rad))
    return Osteophyte(centre, rng.uniform(1.2, 3.2), pelvic=False)


def _pelvic_spur(bone: Bone, rng: np.random.Generator) -> Osteophyte:
    toward_rad = bone.neck_heading_rad + bone.rim_turn_rad + math.radians(rng.normal(0, 10))
    reach = (bone.head_radius_mm + 3.5) * math.sin(bone.rim_angle_rad)
    height = (bone.head_radius_mm + 3.5) * math.cos(bone.rim_angle_rad)
    centre: Point = (-reach * math.cos(toward_rad), reach * math.sin(toward_rad), -height)
    return Osteophyte(centre, rng.uniform(1.2, 2.6), pelvic=True)


def implant(bone: Bone, joint: Joint, rng: np.random.Generator) -> tuple[Bone, Joint]:
    """The hip after its replacement: head (28-36 mm across) and neck of metal, no cartilage, no labrum, no spurs."""
    metal = replace(
        bone,
        metal=True,
        head_radius_mm=float(rng.choice([14.0, 16.0, 18.0])),
        neck_radius_mm=rng.uniform(6.0, 7.5),
        blend_mm=0.3,
        cartilage_mm=0.05,
        roughness_mm=0.0,
        neck_flare=0.004,
        osteophytes=(),
    )
    return metal, replace(joint, labrum_mm=0.0, ligament_mm=0.0)
