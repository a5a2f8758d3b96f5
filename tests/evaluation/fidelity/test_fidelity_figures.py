"""Fidelity measures on drawn pictures whose answer is known."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from hipseg import anatomy
from hipseg.evaluation.fidelity.comparison import compare, measure
from hipseg.evaluation.fidelity.geometry import fit_circle, geometry
from hipseg.evaluation.fidelity.pictures import Picture
from hipseg.evaluation.fidelity.structures import bone, vessels
from hipseg.evaluation.fidelity.texture import amplitude_statistics, brightness_by_depth, correlation_width, spectrum

SPACING_MM = 0.1


def picture(image: np.ndarray, labels: np.ndarray | None = None) -> Picture:
    return Picture("drawn", np.clip(image, 0, 255).astype(np.uint8), labels, SPACING_MM, "nobody")


def drawn_head(radius_mm: float = 22.0, apex_mm: float = 15.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, and each pixel's height above the cortex, of a head in the middle of a 50 x 35 mm picture."""
    y, x = np.mgrid[:350, :500] * SPACING_MM
    above_mm = np.hypot(x - 25.0, y - apex_mm - radius_mm) - radius_mm
    columns_top = np.where((above_mm <= 0).any(axis=0), (above_mm <= 0).argmax(axis=0), 10_000)
    rows = np.arange(350)[:, None]
    band = (rows >= columns_top) & (rows < columns_top + 50) & (np.abs(x - 25.0) < 14)
    return np.where(band, anatomy.FEMORAL_HEAD, 0).astype(np.uint8), above_mm, columns_top


def test_the_circle_through_points_is_found() -> None:
    angle = np.linspace(-1, 1, 50)
    assert fit_circle(3 + 7 * np.sin(angle), 20 - 7 * np.cos(angle)) == pytest.approx((3, 20, 7))


def test_geometry_is_in_millimetres() -> None:
    labels, _, _ = drawn_head()
    cv2.ellipse(labels, (80, 90), (40, 30), 0, 0, 360, anatomy.FEMORAL_ARTERY, cv2.FILLED)
    figures = geometry(picture(np.zeros(labels.shape), labels))
    assert figures["artery_width_mm"] == pytest.approx(8.1, abs=0.1)
    assert figures["artery_height_mm"] == pytest.approx(6.1, abs=0.1)
    assert figures["head_radius_mm"] == pytest.approx(22, abs=0.4)
    assert figures["head_apex_depth_mm"] == pytest.approx(15, abs=0.1)
    assert figures["head_beside_artery_mm"] == pytest.approx(17, abs=0.6)
    assert figures["head_arc_deg"] == pytest.approx(2 * np.degrees(np.arcsin(14 / 22)), abs=2)


def test_a_structure_cut_by_the_frame_has_no_size() -> None:
    labels = np.zeros((350, 500), np.uint8)
    cv2.ellipse(labels, (10, 90), (40, 30), 0, 0, 360, anatomy.FEMORAL_ARTERY, cv2.FILLED)
    assert "artery_width_mm" not in geometry(picture(np.zeros(labels.shape), labels))


def test_the_cortex_profile_follows_the_normal() -> None:
    """A line of known width and place below the edge, a dark line of known place above it."""
    labels, above_mm, _ = drawn_head()
    line = 180 * np.exp(-0.5 * ((above_mm + 0.3) / 0.25) ** 2)
    tissue = np.where(above_mm > 1.2, 80.0, 20.0)
    figures = bone(picture(line + tissue, labels))
    assert figures["cortex_width_mm"] == pytest.approx(0.25 * 2.355, abs=0.12)
    assert figures["cortex_peak"] == pytest.approx(200, abs=8)
    assert figures["cortex_at_+2mm"] == pytest.approx(80, abs=2)
    assert figures["cartilage_grey"] == pytest.approx(20, abs=3)
    assert figures["shadow_5mm"] == pytest.approx(20, abs=2)


def test_enhancement_is_the_ratio_behind_the_artery() -> None:
    labels = np.zeros((350, 500), np.uint8)
    cv2.ellipse(labels, (250, 100), (40, 30), 0, 0, 360, anatomy.FEMORAL_ARTERY, cv2.FILLED)
    image = np.full(labels.shape, 40.0)
    image[131:, 210:291] = 100
    image[labels > 0] = 10
    figures = vessels(picture(image, labels))
    assert figures["enhancement"] == pytest.approx(2.5, abs=0.05)
    assert figures["artery_haze_upper"] == pytest.approx(10)
    assert figures["beside_artery_grey"] == pytest.approx(40)


@pytest.mark.parametrize(("sigma_x", "sigma_y"), [(4.0, 2.0), (2.0, 3.0)])
def test_the_correlation_width_of_filtered_noise_is_the_filters(sigma_x: float, sigma_y: float) -> None:
    """The autocorrelation of Gaussian-filtered white noise is a Gaussian wider by the square root of two."""
    noise = np.random.default_rng(0).standard_normal((400, 600)).astype(np.float32)
    filtered = cv2.GaussianBlur(noise, (0, 0), sigmaX=sigma_x, sigmaY=sigma_y)
    assert correlation_width(filtered, 1) == pytest.approx(2.355 * np.sqrt(2) * sigma_x, rel=0.06)
    assert correlation_width(filtered, 0) == pytest.approx(2.355 * np.sqrt(2) * sigma_y, rel=0.06)


def test_the_spectrum_puts_a_wave_into_its_band() -> None:
    wave = np.sin(2 * np.pi * 1.5 * np.arange(400) * SPACING_MM)[None].repeat(60, axis=0).astype(np.float32)
    shares = spectrum(wave, SPACING_MM, 1)
    assert shares[2] == pytest.approx(0, abs=0.1)
    assert max(shares[0], shares[1], shares[3]) < -20


def test_rayleigh_speckle_is_recognised() -> None:
    """Mean over deviation 1.91, Nakagami shape 1; compounding of four looks doubles the ratio."""
    rng = np.random.default_rng(1)
    looks = np.abs(rng.standard_normal((4, 400, 400)) + 1j * rng.standard_normal((4, 400, 400)))
    one = amplitude_statistics(_compressed(looks[0]), SPACING_MM)
    four = amplitude_statistics(_compressed(looks.mean(axis=0)), SPACING_MM)
    assert one["amplitude_snr"] == pytest.approx(1.91, abs=0.1)
    assert one["nakagami"] == pytest.approx(1.0, abs=0.1)
    assert four["amplitude_snr"] == pytest.approx(2 * 1.91, rel=0.06)


def _compressed(amplitude: np.ndarray) -> np.ndarray:
    return (128 + 20 * np.log10(np.maximum(amplitude, 1e-6)) * 255 / 60).astype(np.float32)


def test_brightness_falls_by_its_slope() -> None:
    image = np.repeat((120 - 3 * np.arange(300) * SPACING_MM)[:, None], 200, axis=1).astype(np.float32)
    figures = brightness_by_depth(image, SPACING_MM)
    assert figures["fall_per_mm"] == pytest.approx(-3)
    assert figures["grey_6_10mm"] == pytest.approx(120 - 3 * 8, abs=0.2)


def test_equal_samples_lie_inside_and_brighter_ones_outside() -> None:
    rng = np.random.default_rng(2)
    pictures = [picture(rng.normal(80, 10, (300, 400)) + shift) for shift in np.linspace(-10, 10, 9)]
    brighter = [picture(one.image_HW.astype(float) + 60) for one in pictures]
    same = {row.name: row for row in compare(measure(pictures), measure(pictures))}
    other = {row.name: row for row in compare(measure(pictures), measure(brighter))}
    assert same["grey_median"].inside is True
    assert same["grey_median"].overlap == pytest.approx(7 / 9)
    assert other["grey_median"].inside is False
