"""The hip in 3-D: signed distances of every structure, evaluated wherever the image plane cuts it.

All views are slices of one body, so that moving or turning the probe needs nothing new. Bones, joint and vessels are
closed bodies; skin, fat, fasciae and muscles are heights over the frontal plane.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hipseg.simulation.patient import Patient, Vessel
from hipseg.simulation.pool import Pool
from hipseg.simulation.surfaces import Array, Waves, blend, blend_intersection, ellipse, smooth_step, soft_ramp, sphere

FAR = np.float32(99.0)


@dataclass(frozen=True, slots=True)
class BodyState:
    """What changes from moment to moment.

    Attributes:
        artery_scale, vein_scale: of the radii, by pulse and pressure.
        vein_height: of the vein's other height; a pressed vein is flat.
        recess_mm: by which fluid lifts the capsule off the neck, on top of the patient's own effusion.
        pool: fluid injected outside the joint.
    """

    artery_scale: float = 1.0
    vein_scale: float = 1.0
    vein_height: float = 1.0
    recess_mm: float = 0.0
    pool: Pool | None = None


@dataclass(frozen=True, slots=True)
class Section:
    """Signed distances in mm (negative inside) on a grid of points, all of one shape.

    Attributes:
        x, y, z: the points in patient coordinates.
        femur, acetabulum: bone.
        along_neck: position along the neck's axis from the head's centre.
        cartilage, labrum: of the head and the socket's rim.
        capsule_outer, capsule_inner: superficial and deep face of the capsule; tissue deep of a face is negative.
        artery, branch, vein, nerve, tendon: tubes.
        skin, fat, fascia_iliaca: deep of the layer's lower border is negative.
        sartorius, rectus, pectineus: muscles; the iliopsoas fills what is deep of the fascia iliaca.
        depth: below the skin, following the probe's face near it.
        pool: fluid injected outside the joint.
    """

    x: Array
    y: Array
    z: Array
    femur: Array
    acetabulum: Array
    along_neck: Array
    cartilage: Array
    labrum: Array
    capsule_outer: Array
    capsule_inner: Array
    artery: Array
    branch: Array
    vein: Array
    nerve: Array
    tendon: Array
    skin: Array
    fat: Array
    fascia_iliaca: Array
    sartorius: Array
    rectus: Array
    pectineus: Array
    psoas_floor: Array
    depth: Array
    pool: Array

    def mapped(self, change: Callable[[Array], Array]) -> Section:
        """The section with every array replaced by `change` of it (interpolated to another grid, say)."""
        return Section(*(change(getattr(self, field.name)) for field in dataclasses.fields(self)))

    @property
    def bone(self) -> Array:
        """Distance to any bone."""
        return np.minimum(self.femur, self.acetabulum)

    @property
    def arteries(self) -> Array:
        """Distance to the femoral artery or its branch."""
        return np.minimum(self.artery, self.branch)


class Phantom:
    """A patient's body.

    Args:
        patient: its dimensions. The undulations of its surfaces follow from `patient.texture_seed`.
    """

    def __init__(self, patient: Patient) -> None:
        self.patient = patient
        bone = patient.bone
        rng = np.random.default_rng((patient.texture_seed, 7))
        muscle_mm = patient.apex_depth_mm - patient.layers.fat_mm
        self._waves = {name: Waves(rng, (14.0, 70.0)) for name in ("skin", "fat", "iliaca", "pectineus", "floor")}
        self._fine_waves = {name: Waves(rng, (3.0, 9.0)) for name in ("bone", "capsule", "vessel")}
        cos_h, sin_h = np.cos(bone.neck_heading_rad), np.sin(bone.neck_heading_rad)
        self._neck_axis = np.array([cos_h, -sin_h, bone.neck_slope]) / np.sqrt(1 + bone.neck_slope**2)
        toward_rim_rad = bone.neck_heading_rad + bone.rim_turn_rad
        self._toward_rim = np.array([-np.cos(toward_rim_rad), np.sin(toward_rim_rad)])
        self._tendon_x_mm, self._deep_fat_mm = rng.uniform(-7, 4), muscle_mm * rng.uniform(0.02, 0.22)
        self._tendon_semi_mm = rng.uniform(0.09, 0.16) * muscle_mm
        self._rectus_x_mm = rng.uniform(24, 34)
        self.junction_mm = self._find_junction()

    def section(self, x: Array, y: Array, z: Array, face_mm: Array, state: BodyState = BodyState()) -> Section:
        """Slices the body.

        Args:
            x, y, z: patient coordinates of the points, millimetres, one shape.
            face_mm: distance of the points from the probe's face, which the skin follows.
            state: what changes over time.
        """
        femur, along_neck = self.femur(x, y, z)
        acetabulum = self.acetabulum(x, y, z)
        joint = self._joint(x, y, z, acetabulum, along_neck, state)
        depth_mm = z + np.float32(self.patient.head_depth_mm)
        depth_mm = face_mm + smooth_step(face_mm, 0.0, 14.0) * (depth_mm - face_mm)
        tubes = self._tubes(x, y, z, joint["capsule_outer"], state)
        layers = self._layers(x, y, depth_mm, joint["capsule_outer"])
        pool = np.full(x.shape, FAR, np.float32)
        if state.pool is not None:
            pool = state.pool.distance(x, y, joint["capsule_outer"])
        return Section(
            x=x, y=y, z=z, femur=femur, acetabulum=acetabulum, along_neck=along_neck, depth=depth_mm, pool=pool,
            **joint, **tubes, **layers,
        )  # fmt: skip

    def femur(self, x: Array, y: Array, z: Array) -> tuple[Array, Array]:
        """Distance to head and neck as one body, and the position along the neck's axis."""
        bone = self.patient.bone
        head, neck, along = self._head_and_neck(x, y, z)
        return blend(head, neck, bone.blend_mm) + self._roughness(x, y, z), along

    def acetabulum(self, x: Array, y: Array, z: Array) -> Array:
        """Distance to the socket's rim and the pelvis beyond it."""
        bone = self.patient.bone
        rim_mm = (bone.head_radius_mm + 2.0) * np.array([np.sin(bone.rim_angle_rad), -np.cos(bone.rim_angle_rad)])
        beyond = x * np.float32(self._toward_rim[0]) + y * np.float32(self._toward_rim[1]) - np.float32(rim_mm[0])
        slope = np.float32(bone.ilium_slope)
        top = np.float32(rim_mm[1]) + slope * beyond + 0.5 * self._waves["floor"](x, y) - z
        pelvis = blend_intersection(top / np.sqrt(1 + slope * slope), -beyond, 2.0)
        socket = sphere(x, y, z, bone.head_radius_mm + 1.5)
        distance: Array = np.maximum(pelvis + self._roughness(x, y, z), -socket)
        return distance

    def _head_and_neck(self, x: Array, y: Array, z: Array) -> tuple[Array, Array, Array]:
        bone = self.patient.bone
        ax, ay, az = (np.float32(component) for component in self._neck_axis)
        along = x * ax + y * ay + z * az
        across = np.sqrt(np.maximum(x * x + y * y + z * z - along * along, 0))
        beyond_waist = np.maximum(along - 28, 0)
        radius = bone.neck_radius_mm + bone.neck_flare * beyond_waist * beyond_waist
        neck = np.hypot(across, np.minimum(along, 0)) - radius.astype(np.float32)
        return sphere(x, y, z, bone.head_radius_mm), neck, along

    def _roughness(self, x: Array, y: Array, z: Array) -> Array:
        return np.float32(self.patient.bone.roughness_mm) * self._fine_waves["bone"](x, y + z)

    def _find_junction(self) -> float:
        """Where along the neck's axis the anterior cortex turns from convex to concave: the blend begins there."""
        angle = np.linspace(0, np.pi / 2, 2001)
        anterior = np.array([0.0, 0.0, -1.0]) + self._neck_axis * self._neck_axis[2]
        anterior /= np.linalg.norm(anterior)
        direction = np.cos(angle)[:, None] * self._neck_axis + np.sin(angle)[:, None] * anterior
        points = (self.patient.bone.head_radius_mm * direction).astype(np.float32)
        _, neck, along = self._head_and_neck(points[:, 0], points[:, 1], points[:, 2])
        inside_blend = np.flatnonzero(neck > self.patient.bone.blend_mm)
        return float(along[inside_blend[0]]) if len(inside_blend) else float(along[-1])

    def _joint(
        self, x: Array, y: Array, z: Array, acetabulum: Array, along: Array, state: BodyState
    ) -> dict[str, Array]:
        bone, joint = self.patient.bone, self.patient.joint
        head, neck, _ = self._head_and_neck(x, y, z)
        cartilage_mm = bone.cartilage_mm * (1 - smooth_step(along, self.junction_mm - 5, self.junction_mm + 0.5))
        cartilage = np.where(along < self.junction_mm + 0.5, head - cartilage_mm, FAR).astype(np.float32)
        labrum = self._labrum(x, y, z, head)
        on_head_mm, on_neck_mm = self._lift(along, state)
        outer = blend(head - on_head_mm, neck - on_neck_mm, 6.0) + 0.1 * self._fine_waves["capsule"](x, y)
        over_rim = np.minimum(labrum - 0.4, acetabulum) - np.float32(0.8 * joint.capsule_mm)
        outer = blend(outer, over_rim, 4.0)
        ends = smooth_step(along, bone.neck_length_mm + 2, bone.neck_length_mm - 8)
        ends = ends * smooth_step(along, -bone.head_radius_mm - 2, -bone.head_radius_mm + 6)
        inner = outer + np.float32(joint.capsule_mm) * (0.15 + 0.85 * ends)
        return {"cartilage": cartilage, "labrum": labrum, "capsule_outer": outer, "capsule_inner": inner}

    def _lift(self, along: Array, state: BodyState) -> tuple[float, Array]:
        """How far the capsule's outer face lies off the head, and off the neck up to where it is attached."""
        bone, joint = self.patient.bone, self.patient.joint
        effusion_mm = joint.effusion_mm + state.recess_mm
        on_head_mm = bone.cartilage_mm + 0.3 + joint.capsule_mm + 0.1 * effusion_mm
        attached = smooth_step(along, self.junction_mm + 14, bone.neck_length_mm)
        return on_head_mm, (joint.neck_capsule_distance_mm + effusion_mm) * (1 - np.float32(0.85) * attached)

    def _labrum(self, x: Array, y: Array, z: Array, head: Array) -> Array:
        """A triangle on the head's cartilage whose base is the socket's rim."""
        bone, joint = self.patient.bone, self.patient.joint
        toward_rim = x * np.float32(self._toward_rim[0]) + y * np.float32(self._toward_rim[1])
        arc_mm = np.arctan2(toward_rim, -z) * np.float32(bone.head_radius_mm)
        base_mm = bone.rim_angle_rad * bone.head_radius_mm
        past_tip_mm = arc_mm - np.float32(base_mm - joint.labrum_length_mm)
        thickness = np.float32(joint.labrum_mm / joint.labrum_length_mm) * past_tip_mm
        floor = head - np.float32(bone.cartilage_mm)
        slice_ = np.maximum(arc_mm - np.float32(base_mm + 1.0), -past_tip_mm)
        distance: Array = np.maximum(np.maximum(floor - thickness, -floor), slice_)
        return distance

    def _tubes(self, x: Array, y: Array, z: Array, capsule: Array, state: BodyState) -> dict[str, Array]:
        patient = self.patient
        artery = tube(patient.artery, x, y, z, state.artery_scale)
        pressed = dataclasses.replace(patient.vein, semi_z_mm=patient.vein.semi_z_mm * state.vein_height)
        vein = tube(pressed, x, y, z, state.vein_scale)
        vein = np.maximum(vein, 0.5 - artery)
        height_mm = self._deep_fat_mm + self._tendon_semi_mm
        tendon = ellipse(
            x - np.float32(self._tendon_x_mm), capsule - height_mm, 1.4 * self._tendon_semi_mm, self._tendon_semi_mm
        )
        return {
            "artery": artery,
            "vein": vein,
            "nerve": np.maximum(tube(patient.nerve, x, y, z), 0.6 - artery),
            "branch": self._branch(x, y, capsule),
            "tendon": tendon,
        }

    def _branch(self, x: Array, y: Array, capsule: Array) -> Array:
        branch = self.patient.branch
        if branch is None:
            return np.full(x.shape, FAR, np.float32)
        beside = y - np.float32(branch.y_mm) - np.float32(branch.drift_y) * x
        above = capsule - np.float32(branch.above_capsule_mm)
        tube_ = np.hypot(beside, above) - np.float32(branch.radius_mm)
        return np.maximum(tube_, np.float32(self.patient.artery.x_mm) - x)

    def _layers(self, x: Array, y: Array, depth: Array, capsule: Array) -> dict[str, Array]:
        layers, waves = self.patient.layers, self._waves
        skin = layers.skin_mm + 0.12 * waves["skin"](x, y) - depth
        fat_mm = layers.fat_mm + min(0.8, 0.1 * layers.fat_mm) * waves["fat"](x, y)
        sartorius_mm = self._sartorius_height(x, y)
        iliaca_mm = np.maximum(layers.fascia_iliaca_mm + 0.8 * waves["iliaca"](x, y), fat_mm + sartorius_mm + 0.7)
        iliaca_mm += layers.dip_slope * soft_ramp(layers.dip_x_mm - x, 5.0)
        top = iliaca_mm - depth
        rectus = ellipse(x - np.float32(self._rectus_x_mm), depth - iliaca_mm - 5.0, 11.0, 5.5)
        floor = capsule - (self._deep_fat_mm + 0.8 * waves["floor"](x, y) * min(self._deep_fat_mm, 1.0))
        return {
            "skin": skin,
            "fat": (fat_mm - depth).astype(np.float32),
            "fascia_iliaca": top.astype(np.float32),
            "sartorius": np.maximum(fat_mm + 0.3 - depth, depth - fat_mm - sartorius_mm).astype(np.float32),
            "rectus": rectus,
            "pectineus": self._pectineus(x, y, depth),
            "psoas_floor": floor.astype(np.float32),
        }

    def _sartorius_height(self, x: Array, y: Array) -> Array:
        """Thickness of the muscle, which runs medially on its way down."""
        layers = self.patient.layers
        beside = (x - layers.sartorius_x_mm - 0.4 * y) / 15.0
        return layers.sartorius_mm * np.sqrt(np.maximum(1 - beside * beside, 0))

    def _pectineus(self, x: Array, y: Array, depth: Array) -> Array:
        artery, layers = self.patient.artery, self.patient.layers
        medial = artery.x_mm - x
        below_artery_mm = artery.z_mm + self.patient.head_depth_mm + artery.semi_z_mm + layers.pectineus_gap_mm
        top_mm = below_artery_mm + 0.15 * medial + 0.6 * self._waves["pectineus"](x, y)
        return blend_intersection(top_mm - depth, -medial - 4 + 0.5 * (depth - top_mm), 5.0).astype(np.float32)


def tube(vessel: Vessel, x: Array, y: Array, z: Array, scale: float = 1.0) -> Array:
    """First-order distance to a vessel's outer wall."""
    beside = x - np.float32(vessel.x_mm) + np.float32(vessel.drift_x) * y
    below = z - np.float32(vessel.z_mm) + np.float32(vessel.drift_z) * y
    cos_r, sin_r = np.float32(np.cos(vessel.roll_rad)), np.float32(np.sin(vessel.roll_rad))
    first, second = cos_r * beside - sin_r * below, sin_r * beside + cos_r * below
    second = second - np.float32(vessel.bend_per_mm) * first * first
    return ellipse(first, second, vessel.semi_x_mm * scale, vessel.semi_z_mm * scale)
