"""The joint's soft parts as signed distances: cartilage, labrum, capsule with its ligament, and recess."""

from __future__ import annotations

import numpy as np

from hipseg.simulation.patient import Bone, Joint
from hipseg.simulation.skeleton import Skeleton, cartilage_cover
from hipseg.simulation.surfaces import Array, Waves, blend, bump, smooth_step

FAR = np.float32(99.0)
"""Distance to what a patient does not have."""
_ATTACHED_MM = (6.0, 11.0)
"""From the head's surface to where the capsule on the pelvis begins to end, and has ended."""
_LIGAMENT_ASIDE_MM, _LIGAMENT_WIDTH_MM = 5.0, 16.0
"""The iliofemoral ligament runs along the neck, its middle on the cranial side of the neck's axis."""


class Capsule:
    """The soft parts of a patient's joint.

    Args:
        skeleton: that they lie on.
        joint: their dimensions.
        room_mm: how far the capsule may rise off the neck.
        rng: of the undulations of the surfaces.
    """

    def __init__(self, skeleton: Skeleton, joint: Joint, room_mm: float, rng: np.random.Generator) -> None:
        self._skeleton, self._joint, self._room_mm = skeleton, joint, room_mm
        self._undulation = Waves(rng, (3.0, 9.0))

    @property
    def _bone(self) -> Bone:
        return self._skeleton.bone

    def distances(self, x: Array, y: Array, z: Array, pelvis: Array, fluid_mm: float) -> dict[str, Array]:
        """`cartilage`, `labrum`, `capsule_outer` and `capsule_inner` of `Section`.

        Args:
            x, y, z: the points.
            pelvis: their distance to it.
            fluid_mm: that lifts the capsule off the neck besides the patient's own effusion.
        """
        joint, junction_mm = self._joint, self._skeleton.junction_mm
        head, neck, along = self._skeleton.head_and_neck(x, y, z)
        cartilage_mm = self._bone.cartilage_mm * cartilage_cover(along, junction_mm)
        cartilage = np.where(along < junction_mm + 0.5, head - cartilage_mm, FAR).astype(np.float32)
        labrum = self._labrum(x, y, z, head)
        on_head_mm, on_neck_mm = self._lift(along, fluid_mm)
        outer = blend(head - on_head_mm, neck - on_neck_mm, 4.0) + 0.1 * self._undulation(x, y)
        # It is attached some millimetres beyond the rim; farther medially the pelvis bears none.
        attached = smooth_step(head, _ATTACHED_MM[1], _ATTACHED_MM[0])
        over_rim = np.minimum(labrum - 0.4, pelvis) - np.float32(0.8 * joint.capsule_mm) * attached
        outer = blend(outer, over_rim + 3.0 * (1 - attached), 4.0)
        ends = smooth_step(along, self._bone.neck_length_mm + 2, self._bone.neck_length_mm - 8)
        inner = outer + np.float32(joint.capsule_mm) * (0.15 + 0.85 * ends)
        outer = outer - self._ligament(x, y, along) * ends
        return {"cartilage": cartilage, "labrum": labrum, "capsule_outer": outer, "capsule_inner": inner}

    def _ligament(self, x: Array, y: Array, along: Array) -> Array:
        """By how much the iliofemoral ligament thickens the capsule: over the head, anterosuperiorly."""
        heading = self._bone.neck_heading_rad
        aside = x * np.float32(np.sin(heading)) + y * np.float32(np.cos(heading))
        across = bump((aside - _LIGAMENT_ASIDE_MM) / np.float32(_LIGAMENT_WIDTH_MM))
        junction_mm = self._skeleton.junction_mm
        return np.float32(self._joint.ligament_mm) * across * smooth_step(along, junction_mm + 5, junction_mm - 9)

    def _lift(self, along: Array, fluid_mm: float) -> tuple[float, Array]:
        """How far the capsule's outer face lies off the head, and off the neck up to where it is attached."""
        joint = self._joint
        effusion_mm = joint.effusion_mm + fluid_mm
        on_head_mm = self._bone.cartilage_mm + 0.3 + joint.capsule_mm + 0.1 * effusion_mm
        attached = smooth_step(along, self._skeleton.junction_mm + 14, self._bone.neck_length_mm)
        on_neck_mm = min(joint.neck_capsule_distance_mm + effusion_mm, self._room_mm)
        return on_head_mm, on_neck_mm * (1 - np.float32(0.85) * attached)

    def _labrum(self, x: Array, y: Array, z: Array, head: Array) -> Array:
        """A ring of triangular section on the head's cartilage, its base the socket's rim."""
        bone, joint = self._bone, self._joint
        if joint.labrum_mm <= 0:
            return np.full(head.shape, FAR, np.float32)
        radius_mm = np.float32(bone.head_radius_mm)
        toward_socket = self._skeleton.rim_offset_mm - self._skeleton.past_rim(x, y, z)
        from_axis_rad = np.arccos(np.clip(toward_socket / (head + radius_mm + np.float32(1e-3)), -1, 1))
        rim_rad = np.arccos(np.clip(self._skeleton.rim_offset_mm / (bone.head_radius_mm + 2.0), -1, 1))
        past_tip_mm = np.float32(joint.labrum_length_mm) - (from_axis_rad - np.float32(rim_rad)) * radius_mm
        thickness = np.float32(joint.labrum_mm / joint.labrum_length_mm) * past_tip_mm
        floor = head - np.float32(bone.cartilage_mm)
        ends = np.maximum(past_tip_mm - np.float32(joint.labrum_length_mm + 1.0), -past_tip_mm)
        distance: Array = np.maximum(np.maximum(floor - thickness, -floor), ends)
        return distance
