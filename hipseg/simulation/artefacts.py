"""Echoes that are not where they seem: reverberation of skin and metal, side lobes of mirrors."""

from __future__ import annotations

import cv2
import numpy as np

from hipseg.simulation.interfaces import bump
from hipseg.simulation.labels import Cortex
from hipseg.simulation.phantom import Section
from hipseg.simulation.probe import Probe
from hipseg.simulation.surfaces import Array
from hipseg.simulation.tissue import METAL_SURFACE_DB, REVERBERATIONS, Material

_RING_SIGMA_MM = 0.22
_BRIGHTEST_RING_DB = 12.0
_LOBE_MM = 2.6
_WEAKEST_MIRROR = np.float32(0.9)


def skin_reverberation(probe: Probe, spacing_mm: float, level_db: float) -> Array:
    """Amplitude [S, 1] of sound that runs to and fro between skin and probe: level lines that weaken with depth.

    Args:
        probe: whose face is one of the mirrors.
        spacing_mm: of the lines: thickness of the gel and skin between the mirrors.
        level_db: of the first one, relative to fat; each further one is 5 dB weaker.
    """
    order = np.maximum(np.rint(probe.range_mm / np.float32(spacing_mm)), 1)
    line = bump((probe.range_mm - order * np.float32(spacing_mm)) / np.float32(2.6 * 0.1))
    amplitude: Array = line * 10 ** ((np.float32(level_db) - 5 * (order - 1)) / 20)
    return amplitude


def metal_rings(cortex: Cortex, section: Section, surface_db: float, probe: Probe) -> Array:
    """Amplitude [S, L] of the surface of a prosthesis repeated below it, instead of a shadow.

    Args:
        cortex: the first bone or metal of each beam.
        section: that it was found in; the pelvis beside a prosthesis is bone and throws a shadow.
        surface_db: of bone in the same picture; metal is brighter.
        probe: that scans it.
    """
    ringing = REVERBERATIONS[Material.METAL]
    below_mm = probe.range_mm - np.where(np.isfinite(cortex.range_mm_L), cortex.range_mm_L, np.float32(1e3))
    order = np.maximum(np.rint(below_mm / np.float32(ringing.spacing_mm)), 1)
    line = bump((below_mm - order * np.float32(ringing.spacing_mm)) / np.float32(2.6 * _RING_SIGMA_MM))
    first_db = min(surface_db + METAL_SURFACE_DB, _BRIGHTEST_RING_DB) + ringing.level_db
    level_db = first_db - np.float32(ringing.decay_db_per_mm) * np.maximum(below_mm, 0)
    # Later echoes have met more surfaces, each a little uneven: they run into a haze.
    mixed = (line + np.float32(0.12) * order) / (1 + np.float32(0.12) * order)
    sample_L = np.clip(cortex.range_mm_L / probe.sample_mm, 0, len(probe.range_mm) - 1).astype(int)
    lines = np.arange(len(sample_L))
    metal_L = section.femur[sample_L, lines] < section.acetabulum[sample_L, lines]
    facing_L = np.exp(-((cortex.slope_rad_L / np.float32(0.45)) ** 2)) * metal_L
    amplitude: Array = mixed * 10 ** (level_db / 20) * facing_L * (below_mm > 0)
    return amplitude.astype(np.float32)


def side_lobes(mirrors: Array, level_db: float, probe: Probe) -> Array:
    """Amplitude [S, L] of strong mirrors seen by the beams beside them, at the same range and much weaker."""
    strong = np.maximum(mirrors - _WEAKEST_MIRROR, 0)
    spread = cv2.GaussianBlur(strong, (0, 0), sigmaX=_LOBE_MM / probe.line_mm, sigmaY=0.1)
    lobes: Array = spread * np.float32(10 ** (level_db / 20))
    return lobes
