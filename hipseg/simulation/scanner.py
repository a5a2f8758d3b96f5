"""From echo amplitudes to the picture on a screen: compression, filters, grey map, contact, marks."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from hipseg.simulation.config import SimulationConfig
from hipseg.simulation.probe import Probe
from hipseg.simulation.surfaces import Array, smooth_step

FAT_GREY = 105.0
"""Grey level of fat's mean speckle at 0 dB gain: "skin and fat 80-110" (simulation.md)."""


@dataclass(frozen=True, slots=True)
class Look:
    """A vendor's and an operator's settings.

    Attributes:
        gain_db: overall.
        near_db, far_db: sliders of the time-gain compensation at the top and bottom.
        dynamic_range_db: between black and white.
        gamma: of the grey map; above 1 darkens the middle.
        toe: grey levels over which the map bends before black, so that weak echoes keep some grey.
        grain: standard deviation of fine noise in grey levels, at 60.
        compounding: weight of a speckle-reduced copy, 0 none to 1 only it.
        edge: of detail put back after speckle reduction.
        lost_contact: (centre, half width) across the probe where it does not touch, as shares of its face; or None.
        lost_db: signal lost there.
        streaks: darker and brighter beams, dB.
    """

    gain_db: float
    near_db: float
    far_db: float
    dynamic_range_db: float
    gamma: float
    toe: float
    grain: float
    compounding: float
    edge: float
    lost_contact: tuple[float, float] | None
    lost_db: float
    streaks: float


def draw_look(config: SimulationConfig, rng: np.random.Generator) -> Look:
    """Settings of one scanner on one day."""
    lost = rng.random() < config.contact_loss_share
    edge_of_face = rng.choice([0.0, 1.0, rng.uniform(0.0, 1.0)], p=[0.42, 0.42, 0.16])
    return Look(
        gain_db=rng.uniform(*config.gain_db),
        near_db=rng.uniform(-1, 5),
        far_db=rng.uniform(-15, 1),
        dynamic_range_db=rng.uniform(*config.dynamic_range_db),
        gamma=rng.uniform(0.85, 1.25),
        toe=rng.uniform(5.0, 20.0),
        grain=rng.uniform(0.5, 4.5),
        compounding=rng.uniform(0.2, 0.9),
        edge=rng.uniform(0.1, 0.9),
        lost_contact=(float(edge_of_face), rng.uniform(0.03, 0.16)) if lost else None,
        lost_db=rng.uniform(10, 35),
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
    level_db += look.gain_db + look.near_db * (1 - share) ** 2 + look.far_db * share**2
    level_db += look.streaks * streaks_L
    if look.lost_contact is not None:
        level_db -= look.lost_db * _lost(look.lost_contact, share, level_db.shape[1])
    grey = level_db * np.float32(255 / look.dynamic_range_db) + np.float32(FAT_GREY)
    grey = _reduce_speckle(grey, look, probe)
    toe = np.float32(look.toe)
    grey = toe * cv2.log(1 + cv2.exp(np.minimum(grey, 400) / toe))
    shown: Array = cv2.pow(np.minimum(grey / 255, 1), look.gamma) * np.float32(255)
    return shown


def add_grain(grey: Array, look: Look, rng: np.random.Generator) -> Array:
    """Grey levels [S, L] with the fine noise of a chain of quantisation, video and compression."""
    noise = rng.standard_normal(grey.shape, np.float32) * np.float32(look.grain)
    shown: Array = np.clip(grey + noise * cv2.sqrt(grey * np.float32(1 / 60)), 0, 255)
    return shown


def _reduce_speckle(grey: Array, look: Look, probe: Probe) -> Array:
    """Compounding averages looks of less resolution; what vendors call edge enhancement gives some detail back."""
    smooth = cv2.GaussianBlur(grey, (0, 0), sigmaX=0.15 / probe.line_mm, sigmaY=0.07 / probe.sample_mm)
    mixed = cv2.addWeighted(grey, 1 - look.compounding, smooth, look.compounding, 0.0)
    wide = cv2.GaussianBlur(mixed, (0, 0), sigmaX=0.6 / probe.line_mm, sigmaY=0.35 / probe.sample_mm)
    return cv2.addWeighted(mixed, 1 + look.edge, wide, -look.edge, 0.0)


def _lost(contact: tuple[float, float], share: Array, num_lines: int) -> Array:
    """Where sound is lost: a wedge, as sound from beside the gap reaches what lies deeper."""
    centre, half = contact
    across = (np.arange(num_lines, dtype=np.float32) + 0.5) / num_lines
    return smooth_step(np.abs(across - centre) / half, 1.8, 0.2) * (1 - np.float32(0.6) * share)


def paint_furniture(image_HW: npt.NDArray[np.uint8], probe: Probe, rng: np.random.Generator) -> None:
    """Marks that screens lay over the scan's edge: an orientation dot and depth ticks. Changes the image."""
    height, width = image_HW.shape
    level = int(rng.integers(110, 230))
    radius = max(int(0.008 * width), 2)
    x = int(width * rng.choice([rng.uniform(0.01, 0.12), rng.uniform(0.88, 0.99)]))
    cv2.circle(image_HW, (x, int(rng.uniform(0.2, 2.5) * radius)), radius, level, cv2.FILLED, cv2.LINE_AA)
    if rng.random() < 0.6:
        step_px, length = float(rng.choice([5.0, 10.0])) / probe.pixel_mm, int(rng.integers(3, 8))
        for y in np.arange(step_px, height, step_px):
            image_HW[int(y), width - length :] = level
