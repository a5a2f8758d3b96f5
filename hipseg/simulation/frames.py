"""One simulated frame: a scene rendered, with everything that is true of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from hipseg import anatomy
from hipseg.frame import Spacing
from hipseg.simulation.acoustics import draw_beam
from hipseg.simulation.config import SimulationConfig
from hipseg.simulation.interfaces import incidence_tangent
from hipseg.simulation.labels import label_section
from hipseg.simulation.needle import Needle, draw_needle
from hipseg.simulation.patient import draw_patient
from hipseg.simulation.phantom import Phantom
from hipseg.simulation.probe import Probe, draw_pose, draw_probe
from hipseg.simulation.rendering import render
from hipseg.simulation.scanner import draw_look, paint_furniture
from hipseg.simulation.scene import PointUW, Scene, Survey, survey

PointXY = tuple[float, float]
LabelsHW = npt.NDArray[np.uint8]
_ATTEMPTS = 12
_SHORTEST_NEEDLE_MM = 4.0


@dataclass(frozen=True, slots=True)
class SimulatedFrame:
    """A B-mode image and what is true of it.

    Attributes:
        image_HW: grey levels.
        labels_HW: ids of anatomy.py by the rules of contracts.md section 1.
        spacing: of the pixels, origin "simulation".
        landmarks: x, y in pixels by name of `anatomy.LANDMARKS`, None for one that is not in the image.
        view: "longitudinal" or "transverse".
        target_px: of the injection, None when it is not in the image.
        truth: further numbers by name, lengths in mm; None for what does not apply.
        time_s: since the clip began.
        patient: a pseudonym.
    """

    image_HW: npt.NDArray[np.uint8]
    labels_HW: LabelsHW
    spacing: Spacing
    landmarks: dict[str, PointXY | None]
    view: str
    target_px: PointXY | None
    truth: dict[str, Any]
    time_s: float
    patient: str


def simulate_frame(config: SimulationConfig, rng: np.random.Generator) -> SimulatedFrame:
    """A frame of a new patient, with or without a needle.

    Args:
        config: the population.
        rng: the only source of chance; equal generators give equal frames.
    """
    scene = draw_scene(config, rng)
    seen = survey(scene)
    if rng.random() < config.needle_share:
        scene = scene.replace(needle=_needle_somewhere(config, scene, seen, rng))
    return frame_of(scene, seen)


def draw_scene(config: SimulationConfig, rng: np.random.Generator) -> Scene:
    """A patient under a probe, without a needle."""
    view = config.view
    if view == "both":
        view = "longitudinal" if rng.random() < config.longitudinal_share else "transverse"
    patient = draw_patient(config, rng)
    probe = draw_probe(config, patient, view, rng)
    pose = draw_pose(patient, view, rng)
    marked = rng.random() < config.furniture_share
    return Scene(
        phantom=Phantom(patient),
        probe=probe,
        pose=pose,
        beam=draw_beam(probe, rng),
        look=draw_look(config, rng),
        view=view,
        heading_rad=pose.heading_rad,
        noise_seed=int(rng.integers(1 << 31)),
        furniture_seed=int(rng.integers(1 << 31)) if marked else None,
    )


def frame_of(scene: Scene, seen: Survey) -> SimulatedFrame:
    """Renders a scene.

    Args:
        scene: what is scanned, and how.
        seen: `survey` of the scene.
    """
    probe, patient = scene.probe, scene.patient
    labels_SL = _label(scene, seen)
    image_HW = np.rint(probe.scan_convert(render(scene, seen))).astype(np.uint8)
    labels_HW = probe.scan_convert(labels_SL, nearest=True)
    if patient.mirrored:
        image_HW, labels_HW = np.ascontiguousarray(image_HW[:, ::-1]), np.ascontiguousarray(labels_HW[:, ::-1])
    if scene.furniture_seed is not None:
        paint_furniture(image_HW, probe, np.random.default_rng(scene.furniture_seed))
    points = _Points(probe, patient.mirrored)
    return SimulatedFrame(
        image_HW=image_HW,
        labels_HW=labels_HW,
        spacing=Spacing(probe.pixel_mm, probe.pixel_mm, "simulation"),
        landmarks=_landmarks(scene, seen, points),
        view=scene.view,
        target_px=points.of(seen.target_uw),
        truth=_truth(scene, seen, labels_SL),
        time_s=scene.time_s,
        patient=patient.id,
    )


def reach_of_bone(scene: Scene, needle: Needle) -> float:
    """Length at which a needle on its path meets bone, infinite when it does not."""
    along_mm = np.arange(0.0, needle.length_mm + 30.0, 0.1)
    u, w = needle.points(along_mm)
    points = scene.pose.to_patient(u.astype(np.float32), w.astype(np.float32))
    bone_mm = np.minimum(scene.phantom.femur(*points)[0], scene.phantom.acetabulum(*points))
    contact = np.flatnonzero(bone_mm < needle.diameter_mm / 2)
    return float(along_mm[contact[0]]) if len(contact) else float("inf")


def _needle_somewhere(config: SimulationConfig, scene: Scene, seen: Survey, rng: np.random.Generator) -> Needle | None:
    """A needle at a random moment of its way to the target, or to somewhere else; None if bone bars all ways tried."""
    for _ in range(_ATTEMPTS):
        needle = draw_needle(config, _aim(scene, seen, rng), rng)
        free_mm = min(needle.length_mm, reach_of_bone(scene, needle) - 0.1)
        needle = needle.advanced_to(free_mm * (1 - 0.75 * float(rng.beta(0.8, 1.6))))
        if needle.length_mm > _SHORTEST_NEEDLE_MM and needle.visible_span_mm(scene.probe):
            return needle
    return None


def _aim(scene: Scene, seen: Survey, rng: np.random.Generator) -> PointUW:
    """Near the target, if there is one and the operator is good; anywhere else."""
    if seen.target_uw is not None and rng.random() < 0.75:
        return seen.target_uw[0] + rng.normal(0, 1.5), seen.target_uw[1] + rng.normal(0, 0.8)
    left, right, _, bottom = scene.probe.extent_mm
    return rng.uniform(left, right) * 0.7, rng.uniform(0.25, 0.85) * bottom


def _label(scene: Scene, seen: Survey) -> LabelsHW:
    probe = scene.probe
    slope = cv2.GaussianBlur(incidence_tangent(seen.coarse.capsule_outer, probe), (0, 0), 5.0)
    slope_SL = probe.refine(slope)
    labels_SL = label_section(seen.section, seen.cortex, probe, slope_SL)
    if scene.needle is not None:
        labels_SL[scene.needle.covers(seen.u, seen.w, probe)] = anatomy.NEEDLE
    return labels_SL


@dataclass(frozen=True, slots=True)
class _Points:
    """Points of the plane as pixels of the displayed image."""

    probe: Probe
    mirrored: bool

    def of(self, point_uw: PointUW | None) -> PointXY | None:
        """x, y, or None for a point outside the picture."""
        if point_uw is None or not self.probe.shows(*point_uw):
            return None
        x, y = self.probe.to_pixels(*point_uw)
        return float(self.probe.image_shape[1] - 1 - x if self.mirrored else x), float(y)


def _landmarks(scene: Scene, seen: Survey, points: _Points) -> dict[str, PointXY | None]:
    tip = entry = None
    needle = scene.needle
    if needle is not None and (span := needle.visible_span_mm(scene.probe)) is not None:
        u, w = needle.points(np.array(span))
        entry = points.of((float(u[0]), float(w[0])))
        tip = points.of(needle.tip_uw) if needle.tip_is_visible(scene.probe) else None
    return {"needle_tip": tip, "needle_entry": entry, "head_neck_junction": points.of(seen.junction_uw)}


def _truth(scene: Scene, seen: Survey, labels_SL: LabelsHW) -> dict[str, Any]:
    patient, needle = scene.patient, scene.needle
    truth: dict[str, Any] = {
        "habitus": round(patient.habitus, 4),
        "apex_depth_mm": round(patient.apex_depth_mm, 3),
        "neck_capsule_distance_mm": round(
            patient.joint.neck_capsule_distance_mm + patient.joint.effusion_mm + scene.state.recess_mm, 3
        ),
        "recess_mm": None if seen.recess_mm is None else round(seen.recess_mm, 3),
        "target_mm": None if seen.target_uw is None else [round(value, 3) for value in seen.target_uw],
        "needle": None,
    }
    if needle is not None:
        truth["needle"] = _needle_truth(needle, scene, seen, labels_SL)
    return truth


def _needle_truth(needle: Needle, scene: Scene, seen: Survey, labels_SL: LabelsHW) -> dict[str, Any]:
    """The needle in the plane's millimetres (u right before mirroring, w down), and its tip's clearances."""
    tip = needle.tip_uw
    bones = np.isin(labels_SL, anatomy.BONES)
    structures = {"artery": anatomy.FEMORAL_ARTERY, "vein": anatomy.FEMORAL_VEIN, "nerve": anatomy.FEMORAL_NERVE}
    clearances = {f"tip_to_{name}_mm": _clearance(tip, seen, labels_SL == label) for name, label in structures.items()}
    target = seen.target_uw
    return {
        "look": needle.look.value,
        "tip_mm": [round(value, 3) for value in tip],
        "entry_mm": [round(value, 3) for value in needle.entry_uw],
        "angle_deg": round(float(np.degrees(needle.angle_rad)), 3),
        "length_mm": round(needle.length_mm, 3),
        "diameter_mm": round(needle.diameter_mm, 3),
        "tip_out_of_plane_mm": round(float(needle.out_of_plane_mm(needle.length_mm)), 3),
        "tip_visible": needle.tip_is_visible(scene.probe),
        "tip_to_target_mm": None
        if target is None
        else round(float(np.hypot(tip[0] - target[0], tip[1] - target[1])), 3),
        "tip_to_bone_mm": _clearance(tip, seen, bones),
        **clearances,
    }


def _clearance(tip_uw: PointUW, seen: Survey, where_SL: npt.NDArray[np.bool_]) -> float | None:
    """In-plane distance from the tip to the nearest sample of a structure, None when it is not in the picture."""
    if not where_SL.any():
        return None
    distance_mm = np.hypot(seen.u[where_SL] - tip_uw[0], seen.w[where_SL] - tip_uw[1])
    return round(float(distance_mm.min()), 3)
