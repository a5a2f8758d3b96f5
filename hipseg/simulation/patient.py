"""What is known of one patient's body: every dimension from which its surfaces follow.

Coordinates: x lateral, y cranial, z posterior, millimetres from the centre of the femoral head; `depth` counts from
the skin above it. How patients are drawn stands in `population`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

_THINNEST_MUSCLE_MM, _WIDEST_RECESS_MM = 4.5, 18.0
Point = tuple[float, float, float]
"""x, y, z in millimetres."""


@dataclass(frozen=True, slots=True)
class Ramus:
    """The superior pubic ramus: a rod from the socket to the symphysis, a long straight oblique line to the probe."""

    start_mm: Point
    end_mm: Point
    radius_mm: float


@dataclass(frozen=True, slots=True)
class Osteophyte:
    """A bony spur: a ball half sunk into the bone. `pelvic` ones stand on the socket's rim, others on the femur."""

    centre_mm: Point
    radius_mm: float
    pelvic: bool


@dataclass(frozen=True, slots=True)
class Bone:
    """Femur and pelvis.

    Attributes:
        shape: "normal", "dysplastic" (shallow socket) or "cam" (no offset between head and neck).
        metal: whether head and neck are those of a prosthesis.
        neck_slope: how much deeper the neck's axis runs per mm along it.
        neck_heading_rad: direction of the neck in the frontal plane, from lateral toward caudal.
        blend_mm: how gently head and neck merge; the alpha angle comes from it.
        rim_turn_rad: by which the rim lies more cranially than the neck points away from it.
        rim_angle_rad: from the head's apex to the acetabular rim.
        anteversion_rad: by which the socket opens forward.
        ilium_slope: rise (negative) or fall of the pelvic cortex beyond the rim.
    """

    shape: str
    metal: bool
    head_radius_mm: float
    neck_radius_mm: float
    neck_length_mm: float
    neck_slope: float
    neck_heading_rad: float
    neck_flare: float
    blend_mm: float
    rim_turn_rad: float
    rim_angle_rad: float
    anteversion_rad: float
    ilium_slope: float
    cartilage_mm: float
    cartilage_echo_db: float
    roughness_mm: float
    ramus: Ramus
    osteophytes: tuple[Osteophyte, ...]

    @property
    def alpha_rad(self) -> float:
        """Angle at the head's centre from the neck's axis to where the contour leaves the head's circle.

        The blend of head and neck begins where the neck's cone is `blend_mm` away, r + k off the axis. Above 55
        degrees it is called a cam (Notzli 2002).
        """
        return math.asin(min((self.neck_radius_mm + self.blend_mm) / self.head_radius_mm, 1.0))


@dataclass(frozen=True, slots=True)
class Joint:
    """Capsule, recess and labrum.

    Attributes:
        capsule_mm: thickness of the capsule over the neck.
        ligament_mm: by which the iliofemoral ligament makes it thicker anterosuperiorly.
        neck_capsule_distance_mm: cortex of the neck to the capsule's outer face, without effusion.
        effusion_mm: by which fluid lifts the capsule off the neck.
        hyperaemia: flow in the synovium, from none 0 to 1.
        recess_echo_db: what fills the recess: anechoic fluid or synovial fat.
    """

    capsule_mm: float
    ligament_mm: float
    neck_capsule_distance_mm: float
    effusion_mm: float
    hyperaemia: float
    labrum_length_mm: float
    labrum_mm: float
    recess_echo_db: float

    @property
    def effusion_grade(self) -> str:
        """ "none", "mild", "moderate" or "large" (proposed: bounds at 2 and 4 mm)."""
        if self.effusion_mm <= 0:
            return "none"
        return "mild" if self.effusion_mm < 2 else "moderate" if self.effusion_mm < 4 else "large"


@dataclass(frozen=True, slots=True)
class Vessel:
    """A tube running caudally: centre at y = 0, drift per mm of y, and its cross-section.

    Attributes:
        x_mm, z_mm: of the centre at y = 0.
        drift_x, drift_z: by which it lies more medially and less deep per mm cranially.
        semi_x_mm, semi_z_mm: semi-axes.
        roll_rad: by which the lateral end rises.
        bend_per_mm: curvature of the long axis.
        taper: by which the lateral end is thicker and the medial one thinner, -0.8 to 0.8.
    """

    x_mm: float
    z_mm: float
    drift_x: float
    drift_z: float
    semi_x_mm: float
    semi_z_mm: float
    roll_rad: float = 0.0
    bend_per_mm: float = 0.0
    taper: float = 0.0


@dataclass(frozen=True, slots=True)
class Branch:
    """A branch of the lateral circumflex artery: laterally across the neck, in front of the capsule.

    Attributes:
        start_x_mm: where it begins; it narrows from `origin_radius_mm` there to `radius_mm` within 15 mm.
        y_mm: where it crosses x = 0.
        drift_y: by which it ascends per mm laterally.
        above_capsule_mm: height of its axis over the capsule's outer face.
    """

    start_x_mm: float
    origin_radius_mm: float
    radius_mm: float
    y_mm: float
    drift_y: float
    above_capsule_mm: float


@dataclass(frozen=True, slots=True)
class Plaque:
    """Calcium in the femoral artery's wall: a part of its circumference and length.

    Attributes:
        angle_rad: of its middle around the artery, 0 lateral, a quarter turn posterior.
        half_width_rad, y_mm, half_length_mm, thickness_mm: its extent.
    """

    angle_rad: float
    half_width_rad: float
    y_mm: float
    half_length_mm: float
    thickness_mm: float


@dataclass(frozen=True, slots=True)
class LymphNode:
    """An ellipsoid with a dark cortex and a bright hilum, a look-alike of a vessel.

    Attributes:
        centre_mm, semi_mm: of the ellipsoid, its semi-axes along x, y and z.
        hilum: its radii as a share of the node's.
    """

    centre_mm: Point
    semi_mm: Point
    hilum: float


@dataclass(frozen=True, slots=True)
class Layers:
    """Depths of the soft-tissue layers over the head's centre, and how muscles lie and fibres run."""

    skin_mm: float
    fat_mm: float
    fascia_iliaca_mm: float
    dip_x_mm: float
    dip_slope: float
    sartorius_x_mm: float
    sartorius_mm: float
    rectus_x_mm: float
    rectus_mm: float
    pectineus_gap_mm: float
    tendon_x_mm: float
    tendon_mm: float
    deep_fat_mm: float
    fibre_tilt: float
    fibre_tilt_deep: float


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
    """Everything that stays the same for a patient.

    Attributes:
        id: a pseudonym.
        sex: "female" or "male".
        habitus: body build, 0 lean to 1 obese.
        mirrored: tells left from right hips (or a turned probe).
        head_depth_mm: of the head's centre below the skin.
        branches: of the lateral circumflex artery, those near the plane.
        texture_seed: of everything without a dimension of its own.
    """

    id: str
    sex: str
    habitus: float
    mirrored: bool
    head_depth_mm: float
    bone: Bone
    joint: Joint
    artery: Vessel
    vein: Vessel
    nerve: Vessel
    branches: tuple[Branch, ...]
    plaques: tuple[Plaque, ...]
    nodes: tuple[LymphNode, ...]
    layers: Layers
    sheets: tuple[Sheet, ...]
    texture_seed: int

    @property
    def apex_depth_mm(self) -> float:
        """Depth of the head's most anterior point."""
        return self.head_depth_mm - self.bone.head_radius_mm

    @property
    def room_over_neck_mm(self) -> float:
        """How far capsule and fluid may rise off the neck."""
        return room_over_neck(self.bone, self.apex_depth_mm, self.layers.fat_mm)

    @property
    def shows_hip(self) -> bool:
        """Whether an image shows a hip that hipseg is made for; a prosthesis is none."""
        return not self.bone.metal


def room_over_neck(bone: Bone, apex_mm: float, fat_mm: float) -> float:
    """From the neck's cortex to a thin layer of muscle under the fat, mm: farther no fluid lifts the capsule."""
    over_neck_mm = apex_mm + bone.head_radius_mm - bone.neck_radius_mm
    return min(max(over_neck_mm - fat_mm - _THINNEST_MUSCLE_MM, bone.cartilage_mm + 3.0), _WIDEST_RECESS_MM)
