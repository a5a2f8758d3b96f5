"""From echo amplitudes to the picture on a screen: compression, filters, grey map, contact."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from hipseg.simulation.config import SimulationConfig
from hipseg.simulation.probe import Probe
from hipseg.simulation.surfaces import Array, smooth_step
from hipseg.simulation.vendors import VENDORS, draw_vendor

FAT_GREY = 105.0
"""Grey level of fat's mean speckle at 0 dB gain: "skin and fat 80-110" (simulation.md)."""

_CONTACT_MM = 0.9
_SIDE_MM = np.float32(3.0)
_GRAIN_SIGMA = (1.3, 0.8)
"""Of fine noise across and along beams, in beams and samples."""


@dataclass(frozen=True, slots=True)
class Look:
    """A vendor's and an operator's settings.

    Attributes:
        vendor: name of the preset in vendors.py.
        gain_db: overall.
        near_db, far_db: sliders of the time-gain compensation at the top and bottom.
        dynamic_range_db: between black and white.
        gamma: of the grey map; above 1 darkens the middle.
        toe: grey levels over which the map bends before black, so that weak echoes keep some grey.
        grain: standard deviation of fine noise in grey levels, at 60.
        compounding: weight of a speckle-reduced copy, 0 none to 1 only it.
        edge: of detail put back after speckle reduction.
        persistence: weight of the frame before in the noise that is shown.
        lost_contact: (centre, half width) across the probe where it does not touch, as shares of its face; or None.
        lost_db: signal lost there.
        contact_db: lost in the gel and skin of the first 2 mm.
        sides_db: lost at the left and right edge, where the array ends and half of an aperture is missing.
        streaks: darker and brighter beams, dB.
    """

    vendor: str
    gain_db: float
    near_db: float
    far_db: float
    dynamic_range_db: float
    gamma: float
    toe: float
    grain: float
    compounding: float
    edge: float
    persistence: float
    lost_contact: tuple[float, float] | None
    lost_db: float
    contact_db: float
    sides_db: tuple[float, float]
    streaks: float


def draw_look(config: SimulationConfig, rng: np.random.Generator) -> Look:
    """Settings of one scanner on one day."""
    lost = rng.random() < config.contact_loss_share
    edge_of_face = rng.choice([0.0, 1.0, rng.uniform(0.0, 1.0)], p=[0.42, 0.42, 0.16])
    name = draw_vendor(rng)
    vendor = VENDORS[name]
    return Look(
        vendor=name,
        gain_db=rng.uniform(*config.gain_db),
        near_db=rng.uniform(2, 10),
        far_db=rng.uniform(-20, -5),
        dynamic_range_db=rng.uniform(*config.dynamic_range_db) + vendor.range_shift_db,
        gamma=rng.uniform(*vendor.gamma),
        toe=rng.uniform(*vendor.toe),
        grain=rng.uniform(*vendor.grain),
        compounding=rng.uniform(*vendor.smoothing),
        edge=rng.uniform(*vendor.edge),
        persistence=rng.uniform(*vendor.persistence),
        lost_contact=(float(edge_of_face), rng.uniform(0.03, 0.16)) if lost else None,
        lost_db=rng.uniform(10, 35),
        contact_db=rng.uniform(6, 18),
        sides_db=(rng.uniform(1, 12), rng.uniform(1, 12)),
        streaks=rng.uniform(0.0, 0.8),
    )


def compress(amplitude: Array, look: Look, probe: Probe, streaks_L: Array) -> Array:
    """Log-compressed grey levels [S, L], 0-255 as float32.

    Args:
        amplitude: of the echoes, relative to fat.
        look: the settings.
        probe: that gave them.
        streaks_L: smooth noise across beams.
    """
    level_db = cv2.log(np.maximum(amplitude, 1e-6)) * np.float32(20 / np.log(10))
    share = probe.range_mm / np.float32(probe.depth_mm)
    rise = smooth_step(probe.range_mm, 0.5, 6.0)
    level_db += look.gain_db + look.near_db * rise * (1 - share) ** 2 + look.far_db * share**2
    level_db += look.streaks * streaks_L - _side_loss_db(look, probe)
    level_db -= look.contact_db * cv2.exp(-((probe.range_mm / np.float32(_CONTACT_MM)) ** 1.5))
    if look.lost_contact is not None:
        level_db -= look.lost_db * _lost(look.lost_contact, share, level_db.shape[1])
    grey = level_db * np.float32(255 / look.dynamic_range_db) + np.float32(FAT_GREY)
    grey = _reduce_speckle(grey, look, probe)
    toe = np.float32(look.toe)
    grey = toe * cv2.log(1 + cv2.exp(np.minimum(grey, 400) / toe))
    shown: Array = cv2.pow(np.minimum(grey / 255, 1), look.gamma) * np.float32(255)
    return shown


def add_grain(grey: Array, look: Look, seed: int) -> Array:
    """Grey levels [S, L] with the fine noise of a chain of quantisation, video and compression.

    Args:
        grey: without it.
        look: how much, and how much of it stays from the frame before.
        seed: of this frame's noise; the frame before has the number before.
    """
    fresh, stale = (
        np.random.default_rng((number, 1)).standard_normal(grey.shape, np.float32) for number in (seed + 1, seed)
    )
    share = look.persistence
    white = cv2.addWeighted(fresh, float(np.sqrt(1 - share**2)), stale, share, 0.0)
    # Beamformed noise is as wide as a beam at its narrowest; a Gaussian filter leaves 1 / (2 sqrt(pi) sigma) an axis.
    beamed = cv2.GaussianBlur(white, (0, 0), sigmaX=_GRAIN_SIGMA[0], sigmaY=_GRAIN_SIGMA[1])
    power_left = 2 * float(np.sqrt(np.pi * _GRAIN_SIGMA[0] * _GRAIN_SIGMA[1]))
    noise = cv2.addWeighted(white, 0.85, beamed, 0.5 * power_left, 0.0) * np.float32(look.grain)
    shown: Array = np.clip(grey + noise * (0.5 + 0.5 * cv2.sqrt(grey * np.float32(1 / 60))), 0, 255)
    return shown


def _reduce_speckle(grey: Array, look: Look, probe: Probe) -> Array:
    """Compounding averages looks of less resolution; what vendors call edge enhancement gives some detail back."""
    smooth = cv2.GaussianBlur(grey, (0, 0), sigmaX=0.15 / probe.line_mm, sigmaY=0.07 / probe.sample_mm)
    mixed = cv2.addWeighted(grey, 1 - look.compounding, smooth, look.compounding, 0.0)
    wide = cv2.GaussianBlur(mixed, (0, 0), sigmaX=0.6 / probe.line_mm, sigmaY=0.35 / probe.sample_mm)
    return cv2.addWeighted(mixed, 1 + look.edge, wide, -look.edge, 0.0)


def _side_loss_db(look: Look, probe: Probe) -> Array:
    """Loss on each beam, [L], over the last millimetres of the face."""
    across_mm = (np.arange(probe.beam_shape[1], dtype=np.float32) + 0.5) * np.float32(probe.line_mm)
    from_right_mm = across_mm[::-1]
    left, right = look.sides_db
    loss: Array = left * np.exp(-across_mm / _SIDE_MM) + right * np.exp(-from_right_mm / _SIDE_MM)
    return loss.astype(np.float32)


def _lost(contact: tuple[float, float], share: Array, num_lines: int) -> Array:
    """Where sound is lost: a wedge, as sound from beside the gap reaches what lies deeper."""
    centre, half = contact
    across = (np.arange(num_lines, dtype=np.float32) + 0.5) / num_lines
    return smooth_step(np.abs(across - centre) / half, 1.8, 0.2) * (1 - np.float32(0.6) * share)
