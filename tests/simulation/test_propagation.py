"""Depth error by slow fat, artefacts and scan conversion against closed forms."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hipseg import anatomy
from hipseg.simulation import SimulationConfig
from hipseg.simulation.acoustics import automatic_gain
from hipseg.simulation.artefacts import side_lobes, skin_reverberation
from hipseg.simulation.frames import draw_scene, frame_of
from hipseg.simulation.interfaces import incidence_tangent
from hipseg.simulation.probe import Probe
from hipseg.simulation.propagation import FULL_EXCESS, SlowFat
from hipseg.simulation.scene import survey
from hipseg.simulation.vendors import VENDORS, draw_vendor

LINEAR = Probe(aperture_mm=40.0, depth_mm=40.0, radius_mm=np.inf, frequency_mhz=10.0, pixel_mm=0.1)
CURVED = Probe(aperture_mm=50.0, depth_mm=90.0, radius_mm=50.0, frequency_mhz=4.0, pixel_mm=0.2)

STEERED = Probe(aperture_mm=40.0, depth_mm=40.0, radius_mm=np.inf, frequency_mhz=10.0, pixel_mm=0.1, steer_rad=0.3)


def test_thirty_millimetres_of_fat_show_almost_two_millimetres_too_deep() -> None:
    """30 mm x (1540 / 1455 - 1); clinical.md section 2 says about 1.6 mm."""
    fat = SlowFat(np.full(10, 30.0, np.float32), FULL_EXCESS)
    assert fat.displayed_mm(60.0, 4.0) == pytest.approx(60 + 1.75, abs=0.02)
    assert fat.displayed_mm(15.0, 4.0) == pytest.approx(15 * 1540 / 1455)


def test_a_picture_moves_as_its_points_do() -> None:
    fat = SlowFat(np.full(LINEAR.beam_shape[1], 12.0, np.float32), 0.05)
    depth_SL = np.broadcast_to(LINEAR.range_mm, LINEAR.beam_shape).astype(np.float32)
    shown = fat.displayed(np.ascontiguousarray(depth_SL), LINEAR)
    for true_mm in (5.0, 20.0, 35.0):
        sample = round(fat.displayed_mm(true_mm, 3.0) / LINEAR.sample_mm - 0.5)
        assert shown[sample, 3] == pytest.approx(true_mm, abs=0.06)


def test_masks_and_landmarks_lie_where_structures_appear() -> None:
    config = SimulationConfig(view="longitudinal", curvilinear_share=0.0, needle_share=0.0, furniture_share=0.0)
    scene = draw_scene(config.replace(habitus=(0.3, 0.4)), np.random.default_rng(8))
    seen = survey(scene)
    true, slow = frame_of(scene, seen), frame_of(replace(scene, fat_excess=0.06), seen)
    column = int(np.argmax((true.labels_HW == anatomy.FEMORAL_HEAD).any(axis=0)))
    tops = [int((frame.labels_HW[:, column] == anatomy.FEMORAL_HEAD).argmax()) for frame in (true, slow)]
    moved_mm = (tops[1] - tops[0]) * true.spacing.row_mm
    fat_mm = float((seen.section.fat > 0).sum(axis=0).mean() * scene.probe.sample_mm)
    assert moved_mm == pytest.approx(0.06 * fat_mm, abs=0.35)


@pytest.mark.parametrize("probe", [LINEAR, CURVED, STEERED], ids=["linear", "curved", "steered"])
def test_scan_conversion_there_and_back_keeps_a_smooth_picture(probe: Probe) -> None:
    lines = np.arange(probe.beam_shape[1], dtype=np.float32)
    beams = 100 + 50 * np.sin(probe.range_mm / 4) * np.cos(lines * 2 * np.pi / probe.beam_shape[1])[None]
    image = probe.scan_convert(beams.astype(np.float32))
    for line in (60, 150, 240):
        for range_mm in (10.0, 20.0, 30.0):
            x, y = probe.to_pixels(*probe.on_beam(line, range_mm))
            sample = range_mm / probe.sample_mm - 0.5
            expected = beams[round(sample), line]
            assert image[round(y), round(x)] == pytest.approx(expected, abs=4)


def test_points_on_beams_are_found_again() -> None:
    for probe in (LINEAR, CURVED, STEERED):
        line, sample = probe.to_beams(*probe.on_beam(37.25, 21.5))
        assert float(line) == pytest.approx(37.25, abs=0.01)
        assert (float(sample) + 0.5) * probe.sample_mm == pytest.approx(21.5, abs=0.01)


def test_enhancement_saturates_and_shadow_does_not() -> None:
    gain_db = automatic_gain(np.array([0.5, 30.0, -30.0], np.float32))
    assert gain_db[0] == pytest.approx(0.5, abs=0.01)
    assert 4 < gain_db[1] < 6
    assert gain_db[2] == -30


def test_reverberation_repeats_at_its_spacing_and_weakens() -> None:
    lines = skin_reverberation(LINEAR, spacing_mm=1.5, level_db=0.0)[:, 0]
    peaks = [
        float(lines[(LINEAR.range_mm[:, 0] > place - 0.3) & (LINEAR.range_mm[:, 0] < place + 0.3)].max())
        for place in (1.5, 3.0, 4.5)
    ]
    assert 20 * np.log10(peaks[1] / peaks[0]) == pytest.approx(-5, abs=1.5)
    assert 20 * np.log10(peaks[2] / peaks[0]) == pytest.approx(-10, abs=2.0)


def test_side_lobes_lie_beside_a_mirror_at_its_range() -> None:
    mirrors = np.zeros(LINEAR.beam_shape, np.float32)
    mirrors[100, 160] = 50.0
    lobes = side_lobes(mirrors, -20.0, LINEAR)
    assert lobes[100, 170] > 0
    assert lobes[100, 170] < 0.1 * mirrors.max()
    assert lobes[90].max() == 0


def test_every_family_of_scanners_is_drawn_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    names = [draw_vendor(rng) for _ in range(2000)]
    for name, vendor in VENDORS.items():
        assert names.count(name) / 2000 == pytest.approx(vendor.share, abs=0.03)


def test_a_steered_picture_is_a_parallelogram() -> None:
    image = STEERED.scan_convert(np.full(STEERED.beam_shape, 80, np.float32))
    shown = image > 0
    left = shown.argmax(axis=1)
    assert left[-10] - left[10] == pytest.approx((len(image) - 20) * np.tan(0.3), abs=2)
    assert np.ptp(shown.sum(axis=1)) <= 2
    assert shown.sum(axis=1)[50] == pytest.approx(400, abs=2)


def test_steered_beams_meet_a_level_surface_at_their_angle() -> None:
    _, w, _ = STEERED.coarse_positions()
    tangent = incidence_tangent(np.ascontiguousarray(w - 20.0, np.float32), STEERED)
    assert tangent[20, 20] == pytest.approx(np.tan(0.3), abs=0.01)
