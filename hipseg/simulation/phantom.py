"""The hip in 3-D: signed distances of every structure, evaluated wherever the image plane cuts it.

All views are slices of one body, so that moving or turning the probe needs nothing new. Bones, joint and vessels are
closed bodies; skin, fat, fasciae and muscles are heights over the frontal plane.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from hipseg.simulation import vessels
from hipseg.simulation.capsule import FAR, Capsule
from hipseg.simulation.muscles import SoftTissue
from hipseg.simulation.patient import Patient
from hipseg.simulation.pool import Pool
from hipseg.simulation.skeleton import Skeleton
from hipseg.simulation.surfaces import Array, smooth_step


@dataclass(frozen=True, slots=True)
class BodyState:
    """What changes from moment to moment.

    Attributes:
        artery_scale, vein_scale: of the radii, by pulse and pressure.
        vein_height: of the vein's other height; a pressed vein is flat.
        recess_mm: by which fluid lifts the capsule off the neck, on top of the patient's own effusion.
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
        femur, acetabulum: bone, or metal if `metal`; the pubic ramus is part of the acetabulum's bone.
        along_neck: position along the neck's axis from the head's centre.
        cartilage, labrum: of the head and the socket's rim.
        capsule_outer, capsule_inner: superficial and deep face of the capsule; tissue deep of a face is negative.
        artery, branch, vein, nerve, tendon: tubes; `branch` stands for all branches.
        plaque: calcium in the artery's wall, a part of the artery.
        node, hilum: lymph nodes, and the fat within them.
        skin, fat, fascia_iliaca: deep of the layer's lower border is negative.
        sartorius, rectus, pectineus: muscles; the iliopsoas fills what is deep of the fascia iliaca.
        depth: below the skin, following the probe's face near it.
        metal: whether the femur is a prosthesis.
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
    plaque: Array
    node: Array
    hilum: Array
    skin: Array
    fat: Array
    fascia_iliaca: Array
    sartorius: Array
    rectus: Array
    pectineus: Array
    psoas_floor: Array
    depth: Array
    pool: Array
    metal: bool = False

    def mapped(self, change: Callable[[Array], Array]) -> Section:
        """The section with every array replaced by `change` of it (interpolated to another grid, say)."""
        changed: dict[str, Any] = {
            field.name: change(value)
            for field in dataclasses.fields(self)
            if isinstance(value := getattr(self, field.name), np.ndarray)
        }
        return dataclasses.replace(self, **changed)

    @property
    def bone(self) -> Array:
        """Distance to any bone, or metal in its place."""
        return np.minimum(self.femur, self.acetabulum)

    @property
    def arteries(self) -> Array:
        """Distance to the femoral artery or its branches."""
        return np.minimum(self.artery, self.branch)


class Phantom:
    """A patient's body.

    Args:
        patient: its dimensions. The undulations of its surfaces follow from `patient.texture_seed`.
    """

    def __init__(self, patient: Patient) -> None:
        self.patient = patient
        rng = np.random.default_rng((patient.texture_seed, 7))
        self._tissue = SoftTissue(patient, rng)
        self.skeleton = Skeleton(patient.bone, (patient.artery, patient.vein, patient.nerve), rng)
        self._capsule = Capsule(self.skeleton, patient.joint, patient.room_over_neck_mm, rng)
        self.junction_mm = self.skeleton.junction_mm

    def section(self, x: Array, y: Array, z: Array, face_mm: Array, state: BodyState = BodyState()) -> Section:
        """Slices the body.

        Args:
            x, y, z: patient coordinates of the points, millimetres, one shape.
            face_mm: distance of the points from the probe's face, which the skin follows.
            state: what changes over time.
        """
        femur, along_neck = self.femur(x, y, z)
        acetabulum = self.acetabulum(x, y, z)
        joint = self._capsule.distances(x, y, z, acetabulum, state.recess_mm)
        depth_mm = z + np.float32(self.patient.head_depth_mm)
        depth_mm = face_mm + smooth_step(face_mm, 0.0, 14.0) * (depth_mm - face_mm)
        layers = self._tissue.distances(x, y, depth_mm, joint["capsule_outer"])
        solid = np.minimum(joint["capsule_outer"], acetabulum)
        tubes = self._tubes(x, y, z, joint["capsule_outer"], solid, layers["skin"], state)
        pool = np.full(x.shape, FAR, np.float32)
        if state.pool is not None:
            pool = state.pool.distance(x, y, joint["capsule_outer"])
        return Section(
            x=x, y=y, z=z, femur=femur, acetabulum=acetabulum, along_neck=along_neck, depth=depth_mm, pool=pool,
            metal=self.patient.bone.metal, **joint, **tubes, **layers,
        )  # fmt: skip

    def femur(self, x: Array, y: Array, z: Array) -> tuple[Array, Array]:
        """Distance to head and neck as one body, and the position along the neck's axis."""
        return self.skeleton.femur(x, y, z)

    def acetabulum(self, x: Array, y: Array, z: Array) -> Array:
        """Distance to the socket's rim, the pelvis beyond it and the pubic ramus."""
        return self.skeleton.pelvis(x, y, z)

    def _tubes(
        self, x: Array, y: Array, z: Array, capsule: Array, solid: Array, skin: Array, state: BodyState
    ) -> dict[str, Array]:
        patient = self.patient
        pressed = dataclasses.replace(patient.vein, semi_z_mm=patient.vein.semi_z_mm * state.vein_height)
        artery = vessels.tube(patient.artery, x, y, z, state.artery_scale)
        vein = vessels.tube(pressed, x, y, z, state.vein_scale)
        tubes = vessels.kept_apart(artery, vein, vessels.tube(patient.nerve, x, y, z), solid)
        branch = vessels.branches(patient, x, y, capsule, np.minimum(solid, tubes["vein"]))
        others = np.minimum(np.minimum(tubes["artery"], tubes["vein"]), np.minimum(tubes["nerve"], solid))
        node, hilum = vessels.nodes(patient, x, y, z, np.minimum(np.minimum(others, branch), -skin))
        plaque = vessels.plaques(patient, x, y, z, tubes["artery"])
        return {**tubes, "branch": branch, "node": node, "hilum": hilum, "plaque": plaque}
