"""From tissue on beams to echo amplitudes: scatterers, attenuation, point spread, clutter. Each stage on arrays [S, L].

Amplitudes are relative to the mean speckle amplitude of subcutaneous fat near the probe.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import cv2
import numpy as np

from hipseg.simulation.labels import Cortex
from hipseg.simulation.probe import Probe
from hipseg.simulation.surfaces import Array, smooth_step
from hipseg.simulation.texture import Complex2
from hipseg.simulation.tissue import Material, TissueMap

NEPER_PER_DB = np.float32(np.log(10) / 20)
_STRIPS = 6
_BRIGHTEST_LEAK = 2.0
STEADY_HAZE = np.float32(0.85)
"""Share of the amplitude of haze and shadow clutter that does not speckle: it comes by many ways at once."""
_MOST_ENHANCED_DB = np.float32(5.0)
_ROUGHNESS_OF_MIRRORS = 0.25


@dataclass(frozen=True, slots=True)
class Beam:
    """How a scanner's pulse and beam behave for one probe and patient.

    Attributes:
        axial_mm: standard deviation of the pulse's envelope.
        lateral_mm: of the beam's width at the focus.
        spread: growth of that width per mm away from the focus.
        focus_mm: depth of the focus.
        attenuation_scale: on the table's attenuation.
        compensated: dB/cm/MHz that the time-gain compensation assumes.
        cortex_db, cortex_fading_db: brightness of bone at normal incidence, and its loss at 45 degrees.
        shadow_db: level of clutter below bone.
        reverberation_db: of the echoes between bone and probe that repeat in the shadow.
        haze_db: of clutter in vessels' near side.
        noise_db: electronic noise at the face; it grows with depth as gain compensates.
        wedge_db: extra brightness behind arteries, by repeated echoes of their wall.
        compounding: share of the amplitude that does not speckle, as pictures from several directions are averaged.
        clarity: contrast of the tissues' textures, by how much a scanner blurs them.
        side_lobe_db: of strong mirrors in the beams beside them.
        skin_ring_mm, skin_ring_db: spacing and level of lines between skin and probe.
        leakage: share of the power that comes from around a point, by the thickness of the slice and side lobes.
    """

    axial_mm: float
    lateral_mm: float
    spread: float
    focus_mm: float
    attenuation_scale: float
    compensated: float
    cortex_db: float
    cortex_fading_db: float
    shadow_db: float
    reverberation_db: float
    haze_db: float
    noise_db: float
    wedge_db: float
    compounding: float
    clarity: float
    side_lobe_db: float
    skin_ring_mm: float
    skin_ring_db: float
    leakage: float


def draw_beam(probe: Probe, rng: np.random.Generator) -> Beam:
    """A scanner's acoustics, by frequency."""
    wavelength_mm = 1.54 / probe.frequency_mhz
    return Beam(
        axial_mm=wavelength_mm * rng.uniform(0.22, 0.48),
        lateral_mm=wavelength_mm * rng.uniform(0.5, 0.95),
        spread=rng.uniform(0.004, 0.014),
        focus_mm=probe.depth_mm * rng.uniform(0.15, 0.6),
        attenuation_scale=rng.uniform(0.6, 0.95),
        compensated=rng.uniform(0.6, 0.88),
        cortex_db=rng.uniform(12, 31),
        cortex_fading_db=rng.uniform(20, 38),
        shadow_db=rng.uniform(-16, -8),
        reverberation_db=rng.uniform(-34, -13),
        haze_db=rng.uniform(-37, -18),
        noise_db=rng.uniform(-38, -24),
        wedge_db=rng.uniform(2, 11),
        compounding=rng.uniform(0.86, 0.97),
        clarity=rng.uniform(0.95, 1.35),
        side_lobe_db=rng.uniform(-32, -18),
        skin_ring_mm=rng.uniform(0.7, 1.6),
        skin_ring_db=rng.uniform(-16, 2),
        leakage=rng.uniform(0.05, 0.22),
    )


def backscatter(tissue: TissueMap, texture: Array, beam: Beam) -> Array:
    """Amplitude of backscatter [S, L], following the tissue and its texture."""
    # The lognormal's mean is divided out, so that echo_db is the tissue's mean level.
    contrast = tissue.contrast * np.float32(beam.clarity)
    structured = cv2.exp(contrast * (texture - np.float32(0.5) * contrast))
    share: Array = cv2.sqrt(tissue.diffuse + (1 - tissue.diffuse) * structured * structured)
    return share * cv2.exp(tissue.echo_db * NEPER_PER_DB)


def transmission_db(tissue: TissueMap, cortex: Cortex, beam: Beam, probe: Probe) -> Array:
    """Gain left after attenuation on the way in and out and its compensation, dB [S, L]."""
    per_mm = tissue.attenuation * np.float32(beam.attenuation_scale)
    below_cortex = probe.range_mm > cortex.range_mm_L
    per_mm[below_cortex] = np.float32(beam.compensated * beam.attenuation_scale)
    excess = np.float32(beam.compensated * beam.attenuation_scale) - per_mm
    gain_db = np.cumsum(excess, axis=0) * np.float32(2 * probe.frequency_mhz * probe.sample_mm / 10)
    return cv2.GaussianBlur(gain_db, (0, 0), sigmaX=0.35 / probe.line_mm, sigmaY=0.1)


def automatic_gain(gain_db: Array) -> Array:
    """What a scanner makes of beams that come back stronger than their neighbours: it turns them down, dB [S, L].

    Enhancement behind a vessel is seen for some millimetres and then fades into what lies beside it.
    """
    return np.where(gain_db > 0, _MOST_ENHANCED_DB * np.tanh(gain_db / _MOST_ENHANCED_DB), gain_db).astype(np.float32)


def spread_points(scatterers: Complex2, level: Array, mirrors: Array, beam: Beam, probe: Probe) -> Complex2:
    """Complex echoes [S, L, 2]: scatterers of a given level and mirrors, both [S, L], under the point spread function.

    One pulse length everywhere, beams that widen away from the focus. Rows do not mix in the lateral filter, so strips
    of different width meet without a seam.
    """
    axial = max(beam.axial_mm / probe.sample_mm, 0.3)
    # Deep down, neighbouring looks overlap and average more; the grain that is left is fine and weak.
    steady = beam.compounding + (1 - beam.compounding) * np.float32(0.4) * smooth_step(probe.range_mm, 8.0, 26.0)
    rough = (level + np.float32(_ROUGHNESS_OF_MIRRORS) * mirrors) * np.sqrt(1 - steady * steady)
    smooth = steady * level + mirrors
    field: Array = np.dstack([scatterers * rough[..., None], smooth])
    field = cv2.GaussianBlur(field, (0, 0), sigmaX=1e-3, sigmaY=axial)
    edges = np.linspace(0, field.shape[0], _STRIPS + 1).astype(int)
    for top, bottom in itertools.pairwise(edges):
        depth_mm = 0.5 * (top + bottom) * probe.sample_mm
        width_mm = beam.lateral_mm + beam.spread * abs(depth_mm - beam.focus_mm)
        sigma = max(width_mm / probe.line_mm, 0.3)
        strip: Array = cv2.GaussianBlur(field[top:bottom], (0, 0), sigmaX=sigma, sigmaY=1e-3)
        # A Gaussian filter leaves white noise 1 / (2 sqrt(pi) sigma) of its power on each axis.
        strip[..., :2] *= np.float32(np.sqrt(4 * np.pi * axial * sigma))
        field[top:bottom] = strip
    field[..., 0] = field[..., 0] + field[..., 2]
    return field[..., :2]


def leak(amplitude: Array, beam: Beam, probe: Probe) -> Array:
    """Adds power from the neighbourhood, which fills the gaps of speckle but not the inside of a vessel."""
    power = amplitude * amplitude
    around = cv2.GaussianBlur(
        np.minimum(power, _BRIGHTEST_LEAK), (0, 0), sigmaX=0.9 / probe.line_mm, sigmaY=0.4 / probe.sample_mm
    )
    return cv2.sqrt(cv2.addWeighted(power, 1.0, around, beam.leakage, 0.0))


def shadow_clutter(cortex: Cortex, beam: Beam, probe: Probe, texture: Array) -> Array:
    """Amplitude [S, L] of what is seen where no sound reaches: multiple scattering, and echoes of bone repeated.

    A shadow is not black: from the cortex down it falls by some 15 dB in 2 mm, then slowly (simulation.md).
    """
    range_mm_L = np.where(np.isfinite(cortex.range_mm_L), cortex.range_mm_L, 1e3)
    below_mm = np.maximum(probe.range_mm - range_mm_L, 0)
    facing_L = np.exp(-((cortex.slope_rad_L / math.radians(38)) ** 2))
    tail_db = np.float32(np.clip(0.75 * beam.cortex_db, 6.0, 20.0))
    level_db = (
        np.float32(beam.shadow_db) - 1.3 * np.minimum(below_mm, 7) + tail_db * cv2.exp(-below_mm / np.float32(1.0))
    )
    repeated = cv2.exp(-(((below_mm - 0.45 * range_mm_L) / 3.0) ** 2)) * 10 ** (beam.reverberation_db / 20)
    amplitude = cv2.exp(level_db * NEPER_PER_DB + 0.15 * texture) * (0.35 + 0.65 * facing_L)
    clutter: Array = (amplitude + repeated * facing_L * cv2.exp(0.5 * texture)) * (probe.range_mm > range_mm_L)
    return clutter


def vessel_haze(tissue: TissueMap, beam: Beam, probe: Probe) -> Array:
    """Amplitude [S, L] of clutter in the near half of a lumen, with a brighter stripe through its middle."""
    artery = tissue.material == Material.ARTERY
    lumen = artery | (tissue.material == Material.VEIN)
    if not lumen.any():
        return np.zeros(lumen.shape, np.float32)
    from_top_mm = np.cumsum(lumen, axis=0, dtype=np.float32) * np.float32(probe.sample_mm)
    thickness_L = artery.sum(axis=0).astype(np.float32)
    stripe_L = (thickness_L / max(float(thickness_L.max()), 1.0)) ** 6
    level = np.where(artery, 1 + 0.9 * stripe_L, np.float32(1.1)) * np.float32(10 ** (beam.haze_db / 20))
    return np.where(lumen, level * (0.12 + cv2.exp(-from_top_mm / np.float32(2.2))), 0).astype(np.float32)


def wall_wedge_db(tissue: TissueMap, beam: Beam, probe: Probe) -> Array:
    """Brightness [S, L] added below an artery's far wall over some millimetres, dB."""
    artery = tissue.material == Material.ARTERY
    if not artery.any():
        return np.zeros(artery.shape, np.float32)
    thickness_mm_L = artery.sum(axis=0, dtype=np.float32) * np.float32(probe.sample_mm)
    far_wall_mm_L = (artery.shape[0] - artery[::-1].argmax(axis=0)).astype(np.float32) * np.float32(probe.sample_mm)
    below_mm = probe.range_mm - far_wall_mm_L
    strength_L = beam.wedge_db * np.minimum(thickness_mm_L / 5.0, 1.0)
    strength_L = cv2.GaussianBlur(strength_L[None].astype(np.float32), (0, 0), 0.5 / probe.line_mm)[0]
    wedge_db: Array = strength_L * smooth_step(below_mm, -0.3, 0.3) * smooth_step(below_mm, 9.0, 3.0)
    return wedge_db


def noise_amplitude(beam: Beam, probe: Probe) -> Array:
    """Electronic noise [S, 1], amplified with depth by the time-gain compensation."""
    rise_db = 0.015 * beam.compensated * probe.frequency_mhz * probe.range_mm
    return (10 ** ((beam.noise_db + rise_db) / 20)).astype(np.float32)
