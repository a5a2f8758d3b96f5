"""One simulated frame: a scene rendered, with everything that is true of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from hipseg import anatomy
from hipseg.frame import Spacing
from hipseg.simulation.acoustics import Beam, draw_beam
from hipseg.simulation.amodal import Bits, amodal_section, bit
from hipseg.simulation.config import SimulationConfig
from hipseg.simulation.furniture import paint_furniture
from hipseg.simulation.interfaces import incidence_tangent
from hipseg.simulation.labels import label_section
from hipseg.simulation.needle import Needle, draw_needle
from hipseg.simulation.patient import Patient
from hipseg.simulation.phantom import Phantom
from hipseg.simulation.population import draw_patient
from hipseg.simulation.population.habitus import attenuation_factor, gain_shift_db
from hipseg.simulation.portrait import portrait
from hipseg.simulation.probe import Probe, draw_pose, draw_probe
from hipseg.simulation.propagation import FULL_EXCESS, SlowFat, slow_fat
from hipseg.simulation.rendering import render
from hipseg.simulation.scanner import Look, draw_look
from hipseg.simulation.scene import PointUW, Scene, Survey, survey
from hipseg.simulation.surfaces import Array
from hipseg.simulation.truth import truth_of

PointXY = tuple[float, float]
LabelsHW = npt.NDArray[np.uint8]
_ATTEMPTS = 12
_SHORTEST_NEEDLE_MM = 4.0


@dataclass(frozen=True, slots=True)
class SimulatedFrame:
    """A B-mode image and what is true of it.

    Attributes:
        image_HW: grey levels.
        labels_HW: ids of anatomy.py by the rules of contracts.md section 1: what is seen and drawn.
        amodal_HW: sets of whole structures, hidden or not; bit k stands for structure k (amodal.py).
        spacing: of the pixels, origin "simulation".
        landmarks: x, y in pixels by name of `anatomy.LANDMARKS`, None for one that is not in the image.
        view: "longitudinal" or "transverse".
        target_px: of the injection, None when it is not in the image.
        truth: further numbers by name, lengths in mm; None for what does not apply.
        time_s: since the clip began.
        patient: a pseudonym.
        colour_HW3: the picture in RGB where it shows colour (Doppler), else None.
    """

    image_HW: npt.NDArray[np.uint8]
    labels_HW: LabelsHW
    amodal_HW: Bits
    spacing: Spacing
    landmarks: dict[str, PointXY | None]
    view: str
    target_px: PointXY | None
    truth: dict[str, Any]
    time_s: float
    patient: str
    colour_HW3: npt.NDArray[np.uint8] | None = None


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
    slow = rng.random() < config.slow_fat_share
    return Scene(
        phantom=Phantom(patient),
        probe=probe,
        pose=pose,
        beam=_through(patient, draw_beam(probe, rng)),
        look=_turned_up(patient, draw_look(config, rng)),
        view=view,
        heading_rad=pose.heading_rad,
        noise_seed=int(rng.integers(1 << 31)),
        fat_excess=float(rng.uniform(0.5, 1.2) * FULL_EXCESS) if slow else 0.0,
        furniture_seed=int(rng.integers(1 << 31)) if marked else None,
    )


def _through(patient: Patient, beam: Beam) -> Beam:
    """Sound in the patient's tissue, which attenuates more the fatter it is."""
    return replace(beam, attenuation_scale=beam.attenuation_scale * attenuation_factor(patient.habitus))


def _turned_up(patient: Patient, look: Look) -> Look:
    """The display as an operator sets it for the patient."""
    return replace(look, gain_db=look.gain_db + gain_shift_db(patient.habitus))


def frame_of(scene: Scene, seen: Survey) -> SimulatedFrame:
    """Renders a scene.

    Args:
        scene: what is scanned, and how.
        seen: `survey` of the scene.
    """
    probe, patient = scene.probe, scene.patient
    labels_SL, amodal_SL = _label(scene, seen)
    delay = slow_fat(seen.section, probe, scene.fat_excess) if scene.fat_excess else None
    image_HW = np.rint(displayed(render(scene, seen), probe, delay)).astype(np.uint8)
    labels_HW, amodal_HW = (displayed(values, probe, delay, nearest=True) for values in (labels_SL, amodal_SL))
    if patient.mirrored:
        image_HW, labels_HW, amodal_HW = (mirrored(values) for values in (image_HW, labels_HW, amodal_HW))
    if scene.furniture_seed is not None:
        paint_furniture(image_HW, probe, np.random.default_rng(scene.furniture_seed))
    points = _Points(probe, patient.mirrored, delay)
    return SimulatedFrame(
        image_HW=image_HW,
        labels_HW=labels_HW,
        amodal_HW=amodal_HW,
        spacing=Spacing(probe.pixel_mm, probe.pixel_mm, "simulation"),
        landmarks=_landmarks(scene, seen, points),
        view=scene.view,
        target_px=points.of(seen.target_uw),
        truth={**truth_of(scene, seen, amodal_SL, points.anywhere), "anatomy": portrait(scene, seen)},
        time_s=scene.time_s,
        patient=patient.id,
    )


def displayed(values_SL: Array, probe: Probe, delay: SlowFat | None, *, nearest: bool = False) -> Array:
    """Values on beams as an image, each where it appears."""
    if delay is not None:
        values_SL = delay.displayed(values_SL, probe, nearest=nearest)
    return probe.scan_convert(values_SL, nearest=nearest)


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


def mirrored(values: Array) -> Array:
    """The other way round, as of a left hip or a turned probe."""
    return np.ascontiguousarray(values[:, ::-1])


def _label(scene: Scene, seen: Survey) -> tuple[LabelsHW, Bits]:
    """Drawn labels and whole structures, on samples and beams [S, L]."""
    probe = scene.probe
    slope = cv2.GaussianBlur(incidence_tangent(seen.coarse.capsule_outer, probe), (0, 0), 5.0)
    slope_SL = probe.refine(slope)
    labels_SL = label_section(seen.section, seen.cortex, probe, slope_SL)
    amodal_SL = amodal_section(seen.section, labels_SL, scene.phantom.junction_mm)
    if scene.needle is not None:
        labels_SL[scene.needle.covers(seen.u, seen.w, probe)] = anatomy.NEEDLE
        amodal_SL[scene.needle.whole_shaft(seen.u, seen.w)] |= bit(anatomy.NEEDLE)
    return labels_SL, amodal_SL


@dataclass(frozen=True, slots=True)
class _Points:
    """Points of the plane as pixels of the displayed image."""

    probe: Probe
    mirrored: bool
    delay: SlowFat | None

    def anywhere(self, point_uw: PointUW) -> PointXY:
        """x, y of a point that may lie outside the picture."""
        if self.delay is not None:
            point_uw = self._appearing(point_uw, self.delay)
        x, y = self.probe.to_pixels(*point_uw)
        return float(self.probe.image_shape[1] - 1 - x if self.mirrored else x), float(y)

    def of(self, point_uw: PointUW | None) -> PointXY | None:
        """x, y, or None for a point outside the picture."""
        if point_uw is not None and self.delay is not None:
            point_uw = self._appearing(point_uw, self.delay)
        if point_uw is None or not self.probe.shows(*point_uw):
            return None
        x, y = self.probe.to_pixels(*point_uw)
        return float(self.probe.image_shape[1] - 1 - x if self.mirrored else x), float(y)

    def _appearing(self, point_uw: PointUW, delay: SlowFat) -> PointUW:
        line, sample = (float(value) for value in self.probe.to_beams(*point_uw))
        return self.probe.on_beam(line, delay.displayed_mm((sample + 0.5) * self.probe.sample_mm, line))


def _landmarks(scene: Scene, seen: Survey, points: _Points) -> dict[str, PointXY | None]:
    tip = entry = None
    needle = scene.needle
    if needle is not None and (span := needle.visible_span_mm(scene.probe)) is not None:
        u, w = needle.points(np.array(span))
        entry = points.of((float(u[0]), float(w[0])))
        tip = points.of(needle.tip_uw) if needle.tip_is_visible(scene.probe) else None
    return {"needle_tip": tip, "needle_entry": entry, "head_neck_junction": points.of(seen.junction_uw)}
