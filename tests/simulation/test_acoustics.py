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


@pytest.mark.parametrize("depth_mm", [10.0, 20.0, 35.0])
def test_a_points_image_is_as_wide_as_its_beam(depth_mm: float) -> None:
    """Standard deviations: the pulse's along the beam; across it, that of the focus plus its growth with distance."""
    mirrors = np.zeros(PROBE.beam_shape, np.float32)
    row, line = round(depth_mm / PROBE.sample_mm), PROBE.beam_shape[1] // 2
    mirrors[row, line] = 1.0
    beam = a_beam(compounding=1.0, focus_mm=10.0, spread=0.012, lateral_mm=0.25, axial_mm=0.2)
    nothing = np.zeros((*PROBE.beam_shape, 2), np.float32)
    field = spread_points(nothing, np.zeros_like(mirrors), mirrors, beam, PROBE)[..., 0]
    assert _deviation(field.sum(axis=0)) * PROBE.line_mm == pytest.approx(0.25 + 0.012 * (depth_mm - 10), abs=0.05)
    assert _deviation(field.sum(axis=1)) * PROBE.sample_mm == pytest.approx(0.2, abs=0.02)


def _deviation(profile: np.ndarray) -> float:
    place = np.arange(profile.size)
    middle = (place * profile).sum() / profile.sum()
    return float(np.sqrt((((place - middle) ** 2) * profile).sum() / profile.sum()))


@pytest.mark.parametrize("frequency_mhz", [4.0, 10.0])
def test_attenuation_falls_by_its_slope(frequency_mhz: float) -> None:
    """dB/cm/MHz beyond what is compensated, counted both ways."""
    probe = replace(PROBE, frequency_mhz=frequency_mhz)
    tissue = uniform_tissue(np.full(probe.beam_shape, 1.1))
    gain_db = transmission_db(tissue, no_bone(), a_beam(attenuation_scale=1.0, compensated=0.7), probe)
    slope_db_per_cm = (gain_db[-20, 5] - gain_db[20, 5]) / ((probe.beam_shape[0] - 40) * probe.sample_mm / 10)
    assert slope_db_per_cm == pytest.approx(-2 * frequency_mhz * 0.4, rel=0.02)


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
