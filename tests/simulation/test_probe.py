"""Beams, planes and pixels map onto each other, for straight and curved probes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hipseg.simulation.probe import Pose, Probe

LINEAR = Probe(aperture_mm=42.0, depth_mm=40.0, radius_mm=np.inf, frequency_mhz=11.0, pixel_mm=0.1)
CURVED = Probe(aperture_mm=50.0, depth_mm=80.0, radius_mm=55.0, frequency_mhz=4.0, pixel_mm=0.2)
PROBES = pytest.mark.parametrize("probe", [LINEAR, CURVED], ids=["linear", "curved"])


@PROBES
@given(across=st.floats(0, 1), down=st.floats(0, 1))
@settings(max_examples=30, deadline=None)
def test_a_point_on_a_beam_is_found_on_that_beam(probe: Probe, across: float, down: float) -> None:
    _, num_lines = probe.beam_shape
    line, range_mm = across * (num_lines - 1), down * probe.depth_mm
    found_line, found_sample = probe.to_beams(*probe.on_beam(line, range_mm))
    assert found_line == pytest.approx(line, abs=2e-3)
    assert (found_sample + 0.5) * probe.sample_mm == pytest.approx(range_mm, abs=2e-3)


@PROBES
def test_pixels_and_plane_are_inverse(probe: Probe) -> None:
    u, w = probe.to_plane(np.float32(17.0), np.float32(93.0))
    assert probe.to_pixels(float(u), float(w)) == pytest.approx((17.0, 93.0), abs=1e-3)


@PROBES
def test_coarse_positions_interpolate_to_those_of_the_samples(probe: Probe) -> None:
    coarse_u, coarse_w, _ = probe.coarse_positions()
    u, w = (probe.refine(np.ascontiguousarray(values)) for values in (coarse_u, coarse_w))
    assert u.shape == probe.beam_shape
    for sample, line in ((0, 0), (5, 30), (probe.beam_shape[0] - 1, probe.beam_shape[1] - 1)):
        expected = probe.on_beam(line, (sample + 0.5) * probe.sample_mm)
        assert (u[sample, line], w[sample, line]) == pytest.approx(expected, abs=0.01)


def test_a_curved_probe_shows_a_sector_and_black_beside_it() -> None:
    image = CURVED.scan_convert(np.full(CURVED.beam_shape, 200, np.uint8), nearest=True)
    assert image.shape == CURVED.image_shape
    assert image[0, 0] == 0
    assert image[-1, 0] == 0
    x, y = CURVED.to_pixels(0.0, 40.0)
    assert image[round(y), round(x)] == 200


def test_a_linear_scan_lies_where_its_pixels_say() -> None:
    u = np.broadcast_to(np.linspace(-20, 20, LINEAR.beam_shape[1], dtype=np.float32), LINEAR.beam_shape)
    image = LINEAR.scan_convert(np.ascontiguousarray(u))
    assert np.all(np.diff(image[50]) >= 0)


def test_the_plane_of_a_pose_is_orthonormal_and_moves_along_itself() -> None:
    pose = Pose(3.0, -4.0, heading_rad=0.7, tilt_rad=0.1, rock_rad=-0.05, skin_z_mm=-40.0)
    axes = np.array(pose.axes())
    np.testing.assert_allclose(axes @ axes.T, np.eye(3), atol=1e-9)
    level = Pose(3.0, -4.0, 0.7, 0.0, 0.0, -40.0)
    here = np.array(level.to_patient(np.float32(5.0), np.float32(10.0)))
    there = np.array(level.moved(5.0, 0.0).to_patient(np.float32(0.0), np.float32(10.0)))
    np.testing.assert_allclose(here, there, atol=1e-5)
