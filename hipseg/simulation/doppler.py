"""Colour Doppler: flow in artery, branches, vein and inflamed synovium, painted over the B-mode picture in a box.

Red flows toward the probe, blue away from it, as scanners come set; a bar at the picture's edge says so. Velocities
are of the order found in femoral vessels at rest; the scale is chosen for them, so that systole may alias.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from hipseg.simulation import texture
from hipseg.simulation.frames import SimulatedFrame, displayed, mirrored
from hipseg.simulation.patient import Vessel
from hipseg.simulation.propagation import slow_fat
from hipseg.simulation.scene import Scene, Survey
from hipseg.simulation.surfaces import Array
from hipseg.simulation.synovium import hyperaemia

_ARTERY_CM_S, _DIASTOLE_SHARE, _BRANCH_CM_S, _VEIN_CM_S, _CAPSULE_CM_S = 80.0, 0.12, 30.0, 14.0, 6.0
_SCALE_CM_S, _WALL_FILTER = 35.0, 0.05
_STEER_RAD = np.radians(15.0)
"""Linear probes steer the box's beams, as vessels run nearly parallel to the skin."""
_LEAST_COSINE = 0.3
"""Operators tilt the probe until there is colour; the plane here stays where it is."""
_BAR_SHARE, _BOX_LINE = 0.035, (235, 235, 235)
_MARGIN_MM = 4.0


@dataclass(frozen=True, slots=True)
class Window:
    """Where Doppler looks, millimetres of the image plane: from left to right, from top to bottom."""

    left_mm: float
    right_mm: float
    top_mm: float
    bottom_mm: float


def draw_window(place: str, scene: Scene, seen: Survey) -> Window:
    """The box over a place: "vessels", "joint" or "all"; the middle of the picture if the place is not in it."""
    section = seen.section
    where = {
        "vessels": (section.arteries < 0) | (section.vein < 0),
        "joint": (section.capsule_outer < 1) & (section.capsule_outer > -4) & (section.acetabulum > 4),
    }.get(place, np.ones(section.femur.shape, bool)) & (section.bone > 0)
    left, right, _, bottom = scene.probe.extent_mm
    if not where.any():
        return Window(0.5 * left, 0.5 * right, 0.2 * bottom, 0.7 * bottom)
    u, w = seen.u[where], seen.w[where]
    low_u, high_u = (float(np.percentile(u, share)) for share in (2, 98))
    low_w, high_w = (float(np.percentile(w, share)) for share in (2, 98))
    return Window(
        max(low_u - _MARGIN_MM, left + 1),
        min(high_u + _MARGIN_MM, right - 1),
        max(low_w - _MARGIN_MM, 1.5),
        min(high_w + _MARGIN_MM, bottom - 1),
    )


def paint_doppler(
    frame: SimulatedFrame, scene: Scene, seen: Survey, window: Window, systole: float
) -> tuple[SimulatedFrame, list[list[float]]]:
    """The frame in colour, and the corners x, y of its box in pixels.

    Args:
        frame: the B-mode picture.
        scene, seen: what is scanned.
        window: where Doppler looks.
        systole: arterial pressure wave at this moment, 0-1.
    """
    probe = scene.probe
    delay = slow_fat(seen.section, probe, scene.fat_excess) if scene.fat_excess else None
    velocity_HW = displayed(_velocity(scene, seen, systole), probe, delay)
    if scene.patient.mirrored:
        velocity_HW = mirrored(velocity_HW)
    corners = _corners(scene, window)
    inside_HW = np.zeros(velocity_HW.shape, np.uint8)
    cv2.fillPoly(inside_HW, [np.rint(corners).astype(np.int32)], 1)
    velocity_HW = cv2.GaussianBlur(velocity_HW, (0, 0), 0.35 / probe.pixel_mm) * inside_HW
    colour_HW3 = np.repeat(frame.image_HW[..., None], 3, axis=2)
    shown_HW = (np.abs(velocity_HW) > _WALL_FILTER * _SCALE_CM_S) & (frame.image_HW < 150)
    colour_HW3[shown_HW] = _hues(velocity_HW[shown_HW] / _SCALE_CM_S)
    cv2.polylines(colour_HW3, [np.rint(corners).astype(np.int32)], True, _BOX_LINE, 1, cv2.LINE_AA)
    _paint_bar(colour_HW3, on_left=bool(scene.patient.mirrored))
    grey_HW = cv2.cvtColor(colour_HW3, cv2.COLOR_RGB2GRAY).astype(np.uint8)
    painted = replace(frame, image_HW=grey_HW, colour_HW3=colour_HW3)
    return painted, [[round(float(x), 2), round(float(y), 2)] for x, y in corners]


def _velocity(scene: Scene, seen: Survey, systole: float) -> Array:
    """Velocity toward the probe [S, L], cm/s; 0 outside flow."""
    patient, section = scene.patient, seen.section
    beat = _DIASTOLE_SHARE + (1 - _DIASTOLE_SHARE) * systole
    artery = _tube_flow(section.artery, patient.artery.semi_x_mm)
    branch = _tube_flow(section.branch, 1.2)
    vein = _tube_flow(section.vein, patient.vein.semi_z_mm)
    along = _toward_probe(patient.artery, scene)
    velocity = _ARTERY_CM_S * beat * along * artery
    velocity = np.where(branch > 0, _BRANCH_CM_S * beat * abs(along) * branch, velocity)
    velocity = np.where(vein > 0, -_VEIN_CM_S * along * vein, velocity)
    velocity += _synovial(scene, seen, beat)
    grain = texture.structure(seen.u / 0.9, seen.w / 0.7, 0.0, scene.noise_seed)
    return np.asarray(velocity * (1 + 0.18 * grain) * (section.bone > 0), np.float32)


def _tube_flow(distance: Array, semi_mm: float) -> Array:
    """A blunt profile: 0 at the wall, 1 in the middle."""
    depth = np.clip(-distance / np.float32(max(semi_mm, 0.5)), 0, 1)
    profile: Array = 1 - (1 - depth) ** 2
    return profile


def _toward_probe(vessel: Vessel, scene: Scene) -> float:
    """Cosine between flow, which runs caudally, and the way to the probe along a (steered) beam."""
    flow = np.array([vessel.drift_x, -1.0, vessel.drift_z])
    flow /= np.linalg.norm(flow)
    u, w, _ = scene.pose.axes()
    steer = _STEER_RAD if scene.probe.is_linear else 0.0
    cosine = -float(flow @ (np.cos(steer) * w + np.sin(steer) * u))
    return float(np.copysign(max(abs(cosine), _LEAST_COSINE), cosine))


def _synovial(scene: Scene, seen: Survey, beat: float) -> Array:
    """Slow flow in an inflamed synovium, now toward the probe and now away from it."""
    strength = hyperaemia(seen.section, scene.patient, scene.heading_rad)
    turns = texture.structure(seen.u / 1.5, seen.w / 1.0, 0.0, scene.patient.texture_seed + 12)
    flow: Array = _CAPSULE_CM_S * (0.6 + beat) * strength * np.sign(turns)
    return flow


def _corners(scene: Scene, window: Window) -> npt.NDArray[np.float64]:
    """Corners x, y of the box: a parallelogram along steered beams, which stays in the picture."""
    probe, half_mm = scene.probe, 0.0
    if probe.is_linear:
        half_mm = 0.5 * float(np.tan(_STEER_RAD)) * (window.bottom_mm - window.top_mm)
    left, right, _, _ = probe.extent_mm
    points = [
        (window.left_mm - half_mm, window.top_mm),
        (window.right_mm - half_mm, window.top_mm),
        (window.right_mm + half_mm, window.bottom_mm),
        (window.left_mm + half_mm, window.bottom_mm),
    ]
    pixels = np.array([probe.to_pixels(float(np.clip(u, left, right)), w) for u, w in points], np.float64)
    height, width = probe.image_shape
    if scene.patient.mirrored:
        pixels[:, 0] = width - 1 - pixels[:, 0]
    return np.clip(pixels, 0, (width - 1, height - 1))


def _hues(share: Array) -> npt.NDArray[np.uint8]:
    """RGB [N, 3] of velocities as shares of the scale; faster flow wraps round (aliasing)."""
    wrapped = np.mod(share + 1, 2) - 1
    strength = np.abs(wrapped)[:, None]
    red = np.array([130.0, 10.0, 0.0]) + strength * np.array([125.0, 200.0, 20.0])
    blue = np.array([0.0, 10.0, 130.0]) + strength * np.array([40.0, 200.0, 125.0])
    hues: npt.NDArray[np.uint8] = np.where(wrapped[:, None] > 0, red, blue).astype(np.uint8)
    return hues


def _paint_bar(colour_HW3: npt.NDArray[np.uint8], *, on_left: bool) -> None:
    """The colour bar in an upper corner. Changes the picture."""
    height, width, _ = colour_HW3.shape
    bar_width, bar_height = max(int(_BAR_SHARE * width), 6), max(int(0.3 * height), 20)
    shares = np.linspace(0.98, -0.98, bar_height)
    bar = np.repeat(_hues(shares)[:, None], bar_width, axis=1)
    bar[np.abs(shares) < _WALL_FILTER] = 0
    top, left = 6, 4 if on_left else width - bar_width - 4
    colour_HW3[top : top + bar_height, left : left + bar_width] = bar
    cv2.rectangle(colour_HW3, (left - 1, top - 1), (left + bar_width, top + bar_height), _BOX_LINE, 1)
