"""A scene's B-mode picture: the stages of acoustics.py and scanner.py in order."""

from __future__ import annotations

import cv2
import numpy as np

from hipseg.simulation import acoustics, artefacts, interfaces, scanner, texture
from hipseg.simulation.injectate import with_injectate
from hipseg.simulation.needle_echo import needle_echo, ring_down
from hipseg.simulation.scene import Scene, Survey
from hipseg.simulation.surfaces import Array
from hipseg.simulation.tissue import TissueMap, map_tissue

_NEEDLE_NEIGHBOURHOOD_MM = 3.0
_DARKEST_NEIGHBOURHOOD = 10 ** (-20 / 20)


def render(scene: Scene, seen: Survey) -> Array:
    """Grey levels 0-255 on beams [S, L], float32."""
    probe, beam, seed = scene.probe, scene.beam, scene.patient.texture_seed
    lateral_mm, across_mm = _tissue_plane(scene, seen)
    depth_mm = seen.section.depth
    patches = texture.structure(lateral_mm / 3.5, depth_mm / 1.2, across_mm / 5, seed + 3)
    speckle = texture.scatterers(lateral_mm, depth_mm, across_mm, seed)
    tissue, grain = _tissue(scene, seen)

    clutter = acoustics.shadow_clutter(seen.cortex, beam, probe, grain)
    if seen.section.metal:
        clutter += artefacts.metal_rings(seen.cortex, seen.section, beam.cortex_db, probe) * cv2.exp(0.4 * grain)
    gain_db = acoustics.automatic_gain(acoustics.transmission_db(tissue, seen.cortex, beam, probe))
    gain_db += acoustics.wall_wedge_db(tissue, beam, probe)
    gain = cv2.exp(gain_db * acoustics.NEPER_PER_DB)
    level = acoustics.backscatter(tissue, grain, beam) * gain * (clutter == 0)
    haze = clutter + acoustics.vessel_haze(tissue, beam, probe)
    mirrors = _mirrors(scene, seen, patches) * gain
    lobes = artefacts.side_lobes(mirrors, beam.side_lobe_db, probe) * (clutter == 0)
    mirrors = mirrors + lobes + acoustics.STEADY_HAZE * haze
    level += np.float32(np.sqrt(1 - acoustics.STEADY_HAZE**2)) * haze
    field = acoustics.spread_points(speckle, level, mirrors, beam, probe)
    amplitude = acoustics.leak(cv2.magnitude(*cv2.split(field)), beam, probe)
    amplitude = _with_needle(scene, seen, amplitude)

    rng = np.random.default_rng(scene.noise_seed)
    amplitude = cv2.magnitude(amplitude, _noise(scene, rng))
    streaks_L = patches[patches.shape[0] // 2]
    grey = scanner.compress(amplitude, scene.look, probe, streaks_L)
    return scanner.add_grain(grey, scene.look, scene.noise_seed)


def _tissue(scene: Scene, seen: Survey) -> tuple[TissueMap, Array]:
    """The tissue of the plane and its texture, standard deviation 1."""
    seed, depth_mm = scene.patient.texture_seed, seen.section.depth
    lateral_mm, across_mm = _tissue_plane(scene, seen)
    bend = texture.structure(lateral_mm / 14, depth_mm / 7, across_mm / 10, seed + 1)
    ripple = texture.structure(lateral_mm / 4.5, depth_mm / 2.5, across_mm / 6, seed + 7)
    bend = cv2.addWeighted(bend, 0.9, ripple, 0.35, 0.0)
    region = texture.structure(lateral_mm / 8, depth_mm / 4.5, across_mm / 8, seed + 5)
    tissue = map_tissue(seen.section, scene.patient, scene.heading_rad, bend, region)
    if scene.flow is not None:
        tissue = with_injectate(tissue, seen.section.pool, scene.flow, seen.u, seen.w)
    broad = texture.structure(tissue.along * 0.42, tissue.across * 0.36, across_mm / 6, seed + 6)
    middle = texture.structure(tissue.along, tissue.across, across_mm / 4, seed + 2)
    fine = texture.structure(tissue.along * 3.2, tissue.across * 2.1, across_mm / 3, seed + 4)
    coarse = cv2.addWeighted(broad, 0.58, middle, 0.55, 0.0)
    return tissue, cv2.addWeighted(coarse, 1.0, fine, 0.6, 0.0)


def _tissue_plane(scene: Scene, seen: Survey) -> tuple[Array, float]:
    """Coordinates in which tissue does not move: along the plane, and the plane's distance from the body's centre."""
    cos_h, sin_h = np.float32(np.cos(scene.heading_rad)), np.float32(np.sin(scene.heading_rad))
    lateral_mm = seen.section.x * cos_h - seen.section.y * sin_h
    middle = tuple(count // 2 for count in seen.section.x.shape)
    across_mm = seen.section.x[middle] * sin_h + seen.section.y[middle] * cos_h
    return lateral_mm, float(across_mm)


def _mirrors(scene: Scene, seen: Survey, patches: Array) -> Array:
    """Amplitude of all specular echoes, none from behind bone."""
    probe, cortex = scene.probe, seen.cortex
    soft = interfaces.specular_echoes(seen.coarse, seen.section, probe, patches)
    soft = np.maximum(soft, interfaces.sheet_echoes(scene.patient.sheets, seen.section, patches))
    ringing = artefacts.skin_reverberation(probe, scene.beam.skin_ring_mm, scene.beam.skin_ring_db)
    soft = np.maximum(soft, ringing * cv2.exp(np.float32(0.6) * patches))
    soft *= probe.range_mm < cortex.range_mm_L
    middle = patches.shape[0] // 2
    bone = interfaces.cortex_echo(
        cortex, probe, scene.beam.cortex_db, scene.beam.cortex_fading_db, 0.25 * patches[middle]
    )
    return np.maximum(soft, bone)


def _with_needle(scene: Scene, seen: Survey, amplitude: Array) -> Array:
    """Needles are measured against the tissue around them, and so they are drawn."""
    if scene.needle is None:
        return amplitude
    echo = needle_echo(scene.needle, seen.u, seen.w)
    probe = scene.probe
    size = tuple(max(int(_NEEDLE_NEIGHBOURHOOD_MM / pitch), 3) for pitch in (probe.line_mm, probe.sample_mm))
    around = np.clip(cv2.blur(amplitude, size), _DARKEST_NEIGHBOURHOOD, 2.0)
    haze = ring_down(scene.needle, seen.u, seen.w, probe)
    return cv2.magnitude(amplitude, echo * around) + haze


def _noise(scene: Scene, rng: np.random.Generator) -> Array:
    """Electronic noise, new in each frame: the magnitude of complex noise, less grainy where looks are averaged."""
    steady = np.float32(scene.beam.compounding)
    power = rng.standard_exponential(scene.probe.beam_shape, np.float32)
    grain = cv2.sqrt(power) * (1 - steady) + steady
    return grain * acoustics.noise_amplitude(scene.beam, scene.probe)
