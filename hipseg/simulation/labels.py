"""From a section of the body to the label map of contracts.md section 1, on beams [S, L]."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from hipseg import anatomy
from hipseg.simulation.phantom import Section
from hipseg.simulation.probe import Probe
from hipseg.simulation.surfaces import Array

BONE_BAND_MM = 5.0
STEEPEST_CORTEX_DEG = 52.0
"""Cortex that falls off more steeply returns no echo: nobody sees it, and nobody draws it."""
BRIDGED_MM = 8.0
"""But a short steep stretch between two visible ones is drawn."""
CAPSULE_STEEPEST_DEG = 62.0


@dataclass(frozen=True, slots=True)
class Cortex:
    """The first bone that each beam meets.

    Attributes:
        range_mm_L: its distance from the probe's face, infinite where a beam meets none.
        slope_rad_L: of the surface against the beam's normal.
        structure_L: id of the bone (anatomy.py), 0 for none and for a hip of metal, which is no anatomy.
        visible_L: whether it is flat enough to be seen, or lies between such stretches.
    """

    range_mm_L: Array
    slope_rad_L: Array
    structure_L: npt.NDArray[np.uint8]
    visible_L: npt.NDArray[np.bool_]


def find_cortex(section: Section, probe: Probe, junction_mm: float) -> Cortex:
    """Follows each beam to the first bone, between samples.

    Args:
        section: distances on all samples and beams.
        probe: that scans it.
        junction_mm: position of the head-neck junction along the neck's axis.
    """
    bone_SL = section.bone
    hit_SL = bone_SL < 0
    first_L = hit_SL.argmax(axis=0)
    lines = np.arange(bone_SL.shape[1])
    met_L = hit_SL[first_L, lines]
    before_L = np.maximum(first_L - 1, 0)
    outside, inside = np.maximum(bone_SL[before_L, lines], 0), bone_SL[first_L, lines]
    fraction = np.where(first_L > 0, outside / np.maximum(outside - inside, 1e-6), 1.0)
    range_mm_L = (before_L + fraction + 0.5) * probe.sample_mm
    structure_L = np.where(section.along_neck[first_L, lines] > junction_mm, anatomy.FEMORAL_NECK, anatomy.FEMORAL_HEAD)
    structure_L[section.acetabulum[first_L, lines] < section.femur[first_L, lines]] = anatomy.ACETABULUM
    structure_L[~met_L] = anatomy.BACKGROUND
    if section.metal:
        structure_L[:] = anatomy.BACKGROUND
    reach_mm = probe.line_mm if probe.is_linear else probe.line_mm * (1 + range_mm_L / probe.radius_mm)
    slope_L = _slope(range_mm_L, reach_mm)
    if probe.steer_rad:  # Steered beams are not square to the face.
        slope_L = np.arctan(np.tan(slope_L) / math.cos(probe.steer_rad) + math.tan(probe.steer_rad))
    flat_L = met_L & (np.abs(slope_L) < math.radians(STEEPEST_CORTEX_DEG))
    bridge = np.ones((1, int(BRIDGED_MM / probe.line_mm) | 1), np.uint8)
    visible_L = cv2.morphologyEx(flat_L[None].astype(np.uint8), cv2.MORPH_CLOSE, bridge)[0] > 0
    return Cortex(
        np.where(met_L, range_mm_L, np.inf).astype(np.float32),
        slope_L.astype(np.float32),
        structure_L.astype(np.uint8),
        visible_L & met_L,
    )


def label_section(section: Section, cortex: Cortex, probe: Probe, capsule_slope_SL: Array) -> npt.NDArray[np.uint8]:
    """The label map without a needle. Around a prosthesis vessels and nerve are left, as there is no joint to label.

    Args:
        section: distances on all samples and beams.
        cortex: from `find_cortex`.
        probe: that scans the section.
        capsule_slope_SL: tangent of the capsule's angle to the probe's face.
    """
    labels_SL = np.zeros(section.femur.shape, np.uint8)
    if not section.metal:
        _label_joint(labels_SL, section, capsule_slope_SL)
    labels_SL[(section.nerve < 0) & (section.capsule_outer > 0)] = anatomy.FEMORAL_NERVE
    labels_SL[section.vein < 0] = anatomy.FEMORAL_VEIN
    labels_SL[section.arteries < 0] = anatomy.FEMORAL_ARTERY
    below_mm = probe.range_mm - cortex.range_mm_L
    labels_SL[below_mm >= 0] = anatomy.BACKGROUND
    bone_SL = (below_mm >= 0) & (below_mm <= BONE_BAND_MM) & cortex.visible_L
    return np.where(bone_SL, cortex.structure_L, labels_SL).astype(np.uint8)


def _label_joint(labels_SL: npt.NDArray[np.uint8], section: Section, capsule_slope_SL: Array) -> None:
    """Capsule and recess where they are flat enough to be seen, and labrum."""
    flat_SL = capsule_slope_SL < np.tan(np.radians(CAPSULE_STEEPEST_DEG))
    deep_of_capsule_SL = section.capsule_inner < 0
    labels_SL[(section.capsule_outer < 0) & ~deep_of_capsule_SL & flat_SL] = anatomy.ANTERIOR_CAPSULE
    labels_SL[deep_of_capsule_SL & (section.cartilage > 0) & (section.acetabulum > 0) & flat_SL] = anatomy.JOINT_RECESS
    labels_SL[(section.labrum < 0)] = anatomy.LABRUM


def _slope(range_mm_L: Array, line_mm: float | Array) -> Array:
    """Angle of the cortex from differences over two beams each side, kinder to roughness than neighbours."""
    padded = np.pad(range_mm_L, 2, mode="reflect", reflect_type="odd")
    smooth = (padded[4:] - padded[:-4] + padded[3:-1] - padded[1:-3]) / 6
    slope_rad_L: Array = np.arctan(smooth / line_mm)
    return slope_rad_L
