"""The bones as signed distances: femur, pelvis and their spurs."""

from __future__ import annotations

import numpy as np

from hipseg.simulation.patient import Bone, Osteophyte, Ramus, Vessel
from hipseg.simulation.surfaces import Array, Waves, blend, blend_intersection, rod, smooth_step, soft_ramp, sphere

_SPUR_BLEND_MM = 1.0
_SOCKET_GAP_MM = 1.5
"""Between head and socket: both cartilages."""
_RIM_MM = 2.0
"""By which the socket's rim stands out from the head."""
_LACUNA_MM = 2.5
"""Room for soft tissue between the vessels and the pelvic brim under them."""

_FALL_OFF = 0.9


class Skeleton:
    """A patient's bones.

    Args:
        bone: their dimensions.
        vessels: which run over the pelvis; it lies deeper than they.
        rng: of the undulations of the surfaces.
    """

    def __init__(self, bone: Bone, vessels: tuple[Vessel, ...], rng: np.random.Generator) -> None:
        self.bone = bone
        self._undulation, self._grain = Waves(rng, (14.0, 70.0)), Waves(rng, (3.0, 9.0))
        self._brim_x_mm = max(vessel.x_mm + vessel.semi_x_mm for vessel in vessels) + 3.0
        self._brim_z_mm = max(vessel.z_mm + vessel.semi_z_mm for vessel in vessels) + _LACUNA_MM
        cos_h, sin_h = np.cos(bone.neck_heading_rad), np.sin(bone.neck_heading_rad)
        self.neck_axis = np.array([cos_h, -sin_h, bone.neck_slope]) / np.sqrt(1 + bone.neck_slope**2)
        toward_rim_rad = bone.neck_heading_rad + bone.rim_turn_rad
        cos_v, sin_v = np.cos(bone.anteversion_rad), np.sin(bone.anteversion_rad)
        self._toward_rim = np.array([-np.cos(toward_rim_rad), np.sin(toward_rim_rad)])
        self.socket_axis = np.array([*(cos_v * self._toward_rim), sin_v])
        self.rim_offset_mm = (bone.head_radius_mm + _RIM_MM) * float(np.sin(bone.rim_angle_rad - bone.anteversion_rad))
        self.junction_mm = self._find_junction()

    def femur(self, x: Array, y: Array, z: Array) -> tuple[Array, Array]:
        """Distance to head and neck as one body, and the position along the neck's axis."""
        head, neck, along = self.head_and_neck(x, y, z)
        body = blend(head, neck, self.bone.blend_mm)
        body = _with_spurs(body, [spur for spur in self.bone.osteophytes if not spur.pelvic], x, y, z)
        return body + self._roughness(x, y, z), along

    def pelvis(self, x: Array, y: Array, z: Array) -> Array:
        """Distance to the socket's rim, the pelvis beyond it and the pubic ramus."""
        bone = self.bone
        beyond = x * np.float32(self._toward_rim[0]) + y * np.float32(self._toward_rim[1])
        beyond = beyond - np.float32((bone.head_radius_mm + _RIM_MM) * np.sin(bone.rim_angle_rad))
        slope = np.float32(bone.ilium_slope)
        rim_z_mm = -(bone.head_radius_mm + _RIM_MM) * np.cos(bone.rim_angle_rad)
        top_mm = np.float32(rim_z_mm) + slope * beyond + 0.5 * self._undulation(x, y)
        top_mm = top_mm + soft_ramp(self._brim(x) - top_mm, 2.0)
        # Medially of the socket the pelvis opens; the ramus alone goes on.
        top_mm = top_mm + _FALL_OFF * soft_ramp(-np.float32(bone.head_radius_mm + 1.0) - x, 3.0)
        body = blend_intersection((top_mm - z) / np.sqrt(1 + slope * slope), self.past_rim(x, y, z), 2.0)
        body = np.maximum(body, np.float32(bone.head_radius_mm + _SOCKET_GAP_MM) - sphere(x, y, z, 0.0))
        body = _with_spurs(body, [spur for spur in bone.osteophytes if spur.pelvic], x, y, z)
        body = blend(body, ramus_distance(bone.ramus, x, y, z), 3.0)
        distance: Array = np.maximum(
            body + self._roughness(x, y, z), np.float32(bone.head_radius_mm + 0.5) - sphere(x, y, z, 0.0)
        )
        return distance

    def past_rim(self, x: Array, y: Array, z: Array) -> Array:
        """Distance from the plane of the socket's rim, negative on the socket's side."""
        ax, ay, az = (np.float32(component) for component in self.socket_axis)
        return np.float32(self.rim_offset_mm) - (x * ax + y * ay + z * az)

    def head_and_neck(self, x: Array, y: Array, z: Array) -> tuple[Array, Array, Array]:
        """Distances to the head's sphere and the neck's cone, and the position along the neck's axis."""
        bone = self.bone
        ax, ay, az = (np.float32(component) for component in self.neck_axis)
        along = x * ax + y * ay + z * az
        across = np.sqrt(np.maximum(x * x + y * y + z * z - along * along, 0))
        beyond_waist = np.maximum(along - 28, 0)
        radius = bone.neck_radius_mm + bone.neck_flare * beyond_waist * beyond_waist
        neck = np.hypot(across, np.minimum(along, 0)) - radius.astype(np.float32)
        return sphere(x, y, z, bone.head_radius_mm), neck, along

    def _brim(self, x: Array) -> Array:
        """The highest that the pelvis may reach: under vessels and nerve below them, free farther laterally."""
        return np.float32(self._brim_z_mm) - 1.2 * soft_ramp(x - np.float32(self._brim_x_mm), 2.0)

    def _roughness(self, x: Array, y: Array, z: Array) -> Array:
        return np.float32(self.bone.roughness_mm) * self._grain(x, y + z)

    def _find_junction(self) -> float:
        """Where along the neck's axis the anterior cortex turns from convex to concave: the blend begins there."""
        angle = np.linspace(0, np.pi / 2, 2001)
        anterior = np.array([0.0, 0.0, -1.0]) + self.neck_axis * self.neck_axis[2]
        anterior /= np.linalg.norm(anterior)
        direction = np.cos(angle)[:, None] * self.neck_axis + np.sin(angle)[:, None] * anterior
        points = (self.bone.head_radius_mm * direction).astype(np.float32)
        _, neck, along = self.head_and_neck(points[:, 0], points[:, 1], points[:, 2])
        inside_blend = np.flatnonzero(neck > self.bone.blend_mm)
        return float(along[inside_blend[0]]) if len(inside_blend) else float(along[-1])


def ramus_distance(ramus: Ramus, x: Array, y: Array, z: Array) -> Array:
    """Distance to the superior pubic ramus."""
    return rod(x, y, z, ramus.start_mm, ramus.end_mm, ramus.radius_mm)


def cartilage_cover(along: Array, junction_mm: float) -> Array:
    """Share of the head's cartilage that is left along the neck's axis: it thins out toward the junction."""
    return 1 - smooth_step(along, junction_mm - 5, junction_mm + 0.5)


def _with_spurs(body: Array, spurs: list[Osteophyte], x: Array, y: Array, z: Array) -> Array:
    for spur in spurs:
        sx, sy, sz = (np.float32(component) for component in spur.centre_mm)
        body = blend(body, sphere(x - sx, y - sy, z - sz, spur.radius_mm), _SPUR_BLEND_MM)
    return body
