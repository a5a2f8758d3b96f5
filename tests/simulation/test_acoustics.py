"""Stages of the acoustics against what physics says of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hipseg.simulation.acoustics import Beam, draw_beam, spread_points, transmission_db
from hipseg.simulation.interfaces import bump
from hipseg.simulation.labels import Cortex
from hipseg.simulation.probe import Probe
from hipseg.simulation.texture import scatterers
from hipseg.simulation.tissue import Material, TissueMap

PROBE = Probe(aperture_mm=40.0, depth_mm=40.0, radius_mm=np.inf, frequency_mhz=10.0, pixel_mm=0.1)


def a_beam(**changes: float) -> Beam:
    return replace(draw_beam(PROBE, np.random.default_rng(0)), **changes)


def uniform_tissue(attenuation: np.ndarray) -> TissueMap:
    zeros = np.zeros(PROBE.beam_shape, np.float32)
    material = np.full(PROBE.beam_shape, Material.PSOAS, np.uint8)
    return TissueMap(material, zeros, zeros, zeros, zeros, attenuation.astype(np.float32), zeros)


def no_bone() -> Cortex:
    lines = PROBE.beam_shape[1]
    far = np.full(lines, np.inf, np.float32)
    return Cortex(far, np.zeros(lines, np.float32), np.zeros(lines, np.uint8), np.zeros(lines, bool))


def test_attenuation_counts_both_ways_and_behind_a_vessel_less() -> None:
    """2 x 10 MHz x 1 cm x (0.9 - 0.2) dB/cm/MHz = 14 dB of enhancement behind 1 cm of blood."""
    attenuation = np.full(PROBE.beam_shape, 0.9)
    lines, samples = PROBE.beam_shape[1], PROBE.beam_shape[0]
    attenuation[samples // 4 : samples // 2, lines // 3 : 2 * lines // 3] = 0.2
    beam = a_beam(attenuation_scale=1.0, compensated=0.9)
    gain_db = transmission_db(uniform_tissue(attenuation), no_bone(), beam, PROBE)
    assert gain_db[-1, lines // 2] - gain_db[-1, 5] == pytest.approx(14.0, abs=0.3)
    assert gain_db[-1, 5] == pytest.approx(0.0, abs=0.05)


def test_the_point_spread_keeps_the_mean_brightness_and_blurs_with_depth() -> None:
    lateral, depth = np.meshgrid(
        np.arange(PROBE.beam_shape[1], dtype=np.float32) * np.float32(PROBE.line_mm),
        np.arange(PROBE.beam_shape[0], dtype=np.float32) * np.float32(PROBE.sample_mm),
    )
    beam = a_beam(compounding=0.0, focus_mm=0.0, spread=0.01, lateral_mm=0.2, axial_mm=0.12)
    field = spread_points(
        scatterers(lateral, depth, 0.0, 3), np.ones_like(lateral), np.zeros_like(lateral), beam, PROBE
    )
    power = (field**2).sum(axis=-1)
    assert power[: len(power) // 4].mean() == pytest.approx(power[-len(power) // 4 :].mean(), rel=0.35)
    assert _lateral_width(field[20:80]) < 0.7 * _lateral_width(field[-80:-20])


def _lateral_width(field: np.ndarray) -> float:
    """Lag at which the intensity's correlation across beams has fallen to a half, in beams."""
    intensity = (field**2).sum(axis=-1)
    intensity = intensity - intensity.mean()
    values = [float((intensity[:, lag:] * intensity[:, : -lag or None]).mean()) for lag in range(30)]
    below = np.flatnonzero(np.array(values) < values[0] / 2)
    last = int(below[0])
    return last - 1 + (values[last - 1] - values[0] / 2) / (values[last - 1] - values[last])


def test_fully_developed_speckle_is_rayleigh() -> None:
    """Mean over standard deviation of the amplitude is 1.91 for a Rayleigh distribution."""
    lateral, depth = np.meshgrid(np.arange(300) * 0.12, np.arange(300) * 0.1)
    field = scatterers(lateral.astype(np.float32), depth.astype(np.float32), 0.4, 9)
    amplitude = np.hypot(field[..., 0], field[..., 1])
    assert amplitude.mean() / amplitude.std() == pytest.approx(1.91, abs=0.12)


def test_the_bump_is_close_to_its_gaussian() -> None:
    position = np.linspace(-1, 1, 201).astype(np.float32)
    assert np.abs(bump(position) - np.exp(-0.5 * (2.6 * position) ** 2)).max() < 0.07
