"""Specular echoes: thin bright lines where impedance steps, brightest where the beam meets them squarely."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from hipseg.simulation.labels import Cortex
from hipseg.simulation.patient import Sheet
from hipseg.simulation.phantom import Section
from hipseg.simulation.probe import Probe
from hipseg.simulation.surfaces import Array

CORTEX_DEPTH_MM = 0.27
"""The peak of the cortex echo lies this far below its leading edge, which is where readers draw it."""
_CORTEX_SIGMA_MM = 0.16


@dataclass(frozen=True, slots=True)
class Interface:
    """How strongly a surface mirrors.

    Attributes:
        distance: name of the surface's distance in `Section`.
        echo_db: at normal incidence, relative to the speckle of subcutaneous fat.
        sharpness_deg: angle of incidence by which the echo has fallen to 1/e.
        sigma_mm: thickness.
        wander_mm: by which the echo strays from the smooth surface; 0 for surfaces that are labelled.
        limit: where the interface ends ("fascia" under muscle only, say): name of a distance that must be negative.
    """

    distance: str
    echo_db: float
    sharpness_deg: float
    sigma_mm: float = 0.1
    limit: str | None = None
    wander_mm: float = 0.0


INTERFACES = (
    Interface("skin", 1, 20, 0.12, wander_mm=0.1),
    Interface("fat", 2, 18, 0.17, wander_mm=0.2),
    Interface("fascia_iliaca", 0, 18, 0.17, wander_mm=0.2),
    Interface("pectineus", -2, 20, 0.17, wander_mm=0.2),
    Interface("rectus", -4, 20, 0.17, wander_mm=0.2, limit="fascia_iliaca"),
    Interface("tendon", -3, 25, 0.15, wander_mm=0.1, limit="fascia_iliaca"),
    Interface("capsule_outer", 0, 25, 0.1),
    Interface("capsule_inner", -4, 16, 0.1, limit="capsule_outer"),
    Interface("labrum", 0, 30, 0.1, limit="capsule_outer"),
    Interface("artery", 4, 30, 0.1),
    Interface("branch", 1, 35, 0.1),
    Interface("vein", -1, 24, 0.1),
)


def incidence_tangent(distance: Array, probe: Probe) -> Array:
    """Tangent of the angle at which beams meet a surface, 0 for squarely, on the coarse grid."""
    along_beam, across_beams = np.gradient(distance)
    across_beams = across_beams * np.float32(probe.sample_mm / probe.line_mm)
    if probe.steer_rad:  # Steered beams are not square to the face.
        across_beams = (across_beams - math.sin(probe.steer_rad) * along_beam) / math.cos(probe.steer_rad)
    tangent: Array = np.abs(across_beams) / (np.abs(along_beam) + np.float32(1e-3))
    return tangent


def specular_echoes(coarse: Section, fine: Section, probe: Probe, patches: Array) -> Array:
    """Amplitude [S, L] of all soft interfaces, relative to the speckle of fat.

    Args:
        coarse, fine: the section on the coarse grid and on all samples.
        probe: that scans it.
        patches: smooth noise [S, L] that makes real surfaces patchy.
    """
    total = np.zeros(patches.shape, np.float32)
    for interface in INTERFACES:
        distance = getattr(fine, interface.distance)
        if distance.min() > 0.5:
            continue
        tangent = incidence_tangent(getattr(coarse, interface.distance), probe)
        facing = np.exp(-((tangent / np.float32(np.tan(np.radians(interface.sharpness_deg)))) ** 2))
        strayed = distance + np.float32(interface.wander_mm) * patches if interface.wander_mm else distance
        line = bump(strayed / np.float32(2.6 * interface.sigma_mm))
        if interface.limit is not None:
            line *= getattr(fine, interface.limit) < 0.1
        total = np.maximum(total, line * probe.refine(facing) * np.float32(10 ** (interface.echo_db / 20)))
    return total * cv2.exp(np.float32(0.9) * patches)


def sheet_echoes(sheets: Sequence[Sheet], section: Section, patches: Array) -> Array:
    """Amplitude [S, L] of straight lines that are no needle; they are bright at any angle."""
    total = np.zeros(patches.shape, np.float32)
    for sheet in sheets:
        dx, dy = section.x - np.float32(sheet.x_mm), section.y - np.float32(sheet.y_mm)
        distance = section.z - np.float32(sheet.z_mm) - np.float32(sheet.slope_x) * dx - np.float32(sheet.slope_y) * dy
        distance = (distance - np.float32(sheet.bend_per_mm) * dx * dx) / np.float32(
            math.sqrt(1 + sheet.slope_x**2 + sheet.slope_y**2)
        )
        window = bump(np.hypot(dx, dy) / np.float32(1.3 * sheet.half_length_mm))
        for copy in range(sheet.repeats):
            line = bump((distance - np.float32(copy * sheet.spacing_mm)) / np.float32(2.6 * sheet.sigma_mm))
            total = np.maximum(total, line * window * np.float32(10 ** ((sheet.echo_db - 3 * copy) / 20)))
    total[section.arteries < 0] = 0
    return total * cv2.exp(np.float32(0.6) * patches)


def cortex_echo(cortex: Cortex, probe: Probe, echo_db: float, fading_db: float, patches_L: Array) -> Array:
    """Amplitude [S, L] of the bone's surface.

    Args:
        cortex: the surface.
        probe: that scans it.
        echo_db: at normal incidence.
        fading_db: lost at 45 degrees of slope; the loss grows with the square.
        patches_L: relative brightness along the surface, nepers.
    """
    below_mm = probe.range_mm - np.where(np.isfinite(cortex.range_mm_L), cortex.range_mm_L, 1e3)
    normal_mm = (below_mm - CORTEX_DEPTH_MM) * np.cos(cortex.slope_rad_L)
    level_db = echo_db - fading_db * (cortex.slope_rad_L / math.radians(45)) ** 2
    return bump(normal_mm / np.float32(2.6 * _CORTEX_SIGMA_MM)) * np.exp(level_db * np.float32(0.1151) + patches_L)


def bump(position: Array) -> Array:
    """A smooth bump, 1 at 0 and 0 beyond +-1; close to a Gaussian of sigma 1 / 2.6 and much cheaper."""
    rest = np.maximum(1 - position * position, 0)
    height: Array = rest * rest * rest
    return height
