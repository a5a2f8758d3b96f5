"""Texture and brightness of whole pictures, which needs no labels: speckle, spectra, histograms, depth.

Displayed grey is log-compressed by an unknown range; amplitude statistics assume 60 dB for simulated and real alike.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from hipseg.evaluation.fidelity.geometry import Figures
from hipseg.evaluation.fidelity.pictures import Picture, trimmed

ASSUMED_RANGE_DB = 60.0
BANDS_PER_MM = ((0.25, 0.5), (0.5, 1.0), (1.0, 2.0), (2.0, 4.0))
SHALLOW_MM, DEEP_MM = (3.0, 9.0), (15.0, 25.0)
_HIGH_PASS_MM = 0.7
_STREAK_HIGH_PASS_MM = 4.0
Image = npt.NDArray[np.float32]


def texture(picture: Picture) -> Figures:
    """All figures of one picture that need no labels."""
    image = trimmed(picture).astype(np.float32)
    return histogram(image) | brightness_by_depth(image, picture.spacing_mm) | speckle(image, picture.spacing_mm)


def histogram(image: Image) -> Figures:
    """Quantiles of the grey levels and the share of black."""
    levels = np.percentile(image, (10, 25, 50, 75, 90, 99))
    names = ("grey_p10", "grey_p25", "grey_median", "grey_p75", "grey_p90", "grey_p99")
    return dict(zip(names, map(float, levels), strict=True)) | {"black_share": float((image < 3).mean())}


def brightness_by_depth(image: Image, spacing_mm: float) -> Figures:
    """Mean grey by depth, and its fall in grey levels per millimetre between 4 and 20 mm."""
    rows = image[:, image.shape[1] // 10 : -image.shape[1] // 10].mean(axis=1)
    depth_mm = np.arange(len(rows)) * spacing_mm
    figures: Figures = {}
    for top, bottom in ((2, 6), (6, 10), (10, 15), (15, 20), (20, 26)):
        if depth_mm[-1] >= bottom - 2:
            figures[f"grey_{top}_{bottom}mm"] = float(rows[(depth_mm >= top) & (depth_mm < bottom)].mean())
    middle = (depth_mm >= 4) & (depth_mm < 20)
    if middle.sum() > 20:
        figures["fall_per_mm"] = float(
            np.polynomial.Polynomial.fit(depth_mm[middle], rows[middle], 1).convert().coef[1]
        )
    return figures


def speckle(image: Image, spacing_mm: float) -> Figures:
    """Autocorrelation widths, spectrum, local contrast and amplitude statistics, shallow and deep."""
    figures: Figures = {}
    for name, (top, bottom) in (("shallow", SHALLOW_MM), ("deep", DEEP_MM)):
        rows = image[round(top / spacing_mm) : round(bottom / spacing_mm)]
        if rows.shape[0] * spacing_mm < 3.5 or rows.shape[1] * spacing_mm < 10:
            continue
        figures |= {f"{key}_{name}": value for key, value in _statistics(rows, spacing_mm).items()}
    return figures


def _statistics(rows: Image, spacing_mm: float) -> Figures:
    fine = rows - cv2.GaussianBlur(rows, (0, 0), _HIGH_PASS_MM / spacing_mm)
    streaks = rows - cv2.GaussianBlur(rows, (0, 0), _STREAK_HIGH_PASS_MM / spacing_mm)
    axial_bands, lateral_bands = spectrum(rows, spacing_mm, 0), spectrum(rows, spacing_mm, 1)
    size = max(round(3.0 / spacing_mm), 3)
    mean = cv2.blur(rows, (size, size))
    deviation = np.sqrt(np.maximum(cv2.blur(rows * rows, (size, size)) - mean * mean, 0))
    return {
        "speckle_axial_mm": correlation_width(fine, 0) * spacing_mm,
        "speckle_lateral_mm": correlation_width(fine, 1) * spacing_mm,
        "streak_axial_mm": correlation_width(streaks, 0) * spacing_mm,
        "streak_lateral_mm": correlation_width(streaks, 1) * spacing_mm,
        "local_contrast": float(np.median(deviation / np.maximum(mean, 4))),
        **{f"axial_band_{number}": value for number, value in enumerate(axial_bands)},
        **{f"lateral_band_{number}": value for number, value in enumerate(lateral_bands)},
        **amplitude_statistics(rows, spacing_mm),
    }


def correlation_width(values: Image, axis: int) -> float:
    """Full width at half maximum of the autocorrelation along an axis, in samples, between samples."""
    values = np.moveaxis(values, axis, 0)
    values = values - values.mean()
    power = float((values * values).mean())
    previous = 1.0
    for lag in range(1, len(values) // 2):
        share = float((values[lag:] * values[:-lag]).mean()) / max(power, 1e-9)
        if share < 0.5:
            return 2 * (lag - 1 + (previous - 0.5) / (previous - share))
        previous = share
    return float(len(values))


def spectrum(rows: Image, spacing_mm: float, axis: int) -> list[float]:
    """Share of the variance in bands of spatial frequency along an axis, decibels of the whole."""
    window_shape = [1, 1]
    window_shape[axis] = rows.shape[axis]
    values = (rows - rows.mean(axis=axis, keepdims=True)) * np.hanning(rows.shape[axis]).reshape(window_shape)
    power = (np.abs(np.fft.rfft(values, axis=axis)) ** 2).mean(axis=1 - axis)
    frequency = np.fft.rfftfreq(rows.shape[axis], spacing_mm)
    total = max(float(power[1:].sum()), 1e-9)
    return [
        10 * float(np.log10(max(power[(frequency >= low) & (frequency < high)].sum() / total, 1e-6)))
        for low, high in BANDS_PER_MM
    ]


def amplitude_statistics(rows: Image, spacing_mm: float) -> Figures:
    """Of the decompressed amplitude in windows of 2 mm: mean over deviation (Rayleigh: 1.91), and Nakagami's shape.

    The shape is estimated by the inverse normalised variance of the intensity (Shankar 2000); 1 is Rayleigh, below it
    is texture, above it compounding or speckle reduction. Windows without signal are left out.
    """
    amplitude = 10 ** (rows.astype(np.float64) * (ASSUMED_RANGE_DB / 255 / 20))
    size = max(round(2.0 / spacing_mm), 4)
    height, width = (length // size * size for length in rows.shape)
    grid = amplitude[:height, :width].reshape(height // size, size, width // size, size)
    blocks = grid.transpose(0, 2, 1, 3).reshape(-1, size * size)
    seen = rows[:height, :width].reshape(height // size, size, width // size, size).mean(axis=(1, 3)).ravel() > 8
    if not seen.any():
        return {}
    blocks = blocks[seen]
    ratio = blocks.mean(axis=1) / np.maximum(blocks.std(axis=1), 1e-9)
    intensity = blocks**2
    shape = intensity.mean(axis=1) ** 2 / np.maximum(intensity.var(axis=1), 1e-9)
    return {"amplitude_snr": float(np.median(ratio)), "nakagami": float(np.median(shape))}
