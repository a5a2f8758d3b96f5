"""Simulated images against figures of real ones (simulation.md), within wide limits."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from hipseg import anatomy
from hipseg.simulation import SimulatedFrame, SimulationConfig, simulate_frame

CONFIG = SimulationConfig(
    view="transverse", needle_share=0.0, curvilinear_share=0.0, furniture_share=0.0, contact_loss_share=0.0,
    look_alike_share=0.0, habitus=(0.0, 0.5),
)  # fmt: skip


@pytest.fixture(scope="module")
def frames() -> list[SimulatedFrame]:
    return [simulate_frame(CONFIG, np.random.default_rng(100 + seed)) for seed in range(40)]


def rows(frame: SimulatedFrame, top_mm: float, bottom_mm: float) -> slice:
    return slice(round(top_mm / frame.spacing.row_mm), round(bottom_mm / frame.spacing.row_mm))


def test_median_grey_varies_as_real_gain_does(frames: list[SimulatedFrame]) -> None:
    medians = [float(np.median(frame.image_HW)) for frame in frames]
    assert np.percentile(medians, 10) >= 9
    assert np.percentile(medians, 90) <= 90
    assert np.std(medians) > 8


def test_the_image_darkens_with_depth(frames: list[SimulatedFrame]) -> None:
    shallow = np.median([frame.image_HW[rows(frame, 2, 7)].mean() for frame in frames])
    deep = np.median([frame.image_HW[rows(frame, 15, 20)].mean() for frame in frames])
    assert 54 <= shallow <= 110
    assert 0.35 <= deep / shallow <= 0.9


def test_vessels_are_dark_and_veins_darker(frames: list[SimulatedFrame]) -> None:
    """Lumen without walls, against a ring of some millimetres around the artery."""
    darkness, ratios = [], []
    for frame in frames:
        artery, vein = (_lumen(frame, label) for label in (anatomy.FEMORAL_ARTERY, anatomy.FEMORAL_VEIN))
        if artery.sum() * frame.spacing.row_mm**2 < 10:
            continue
        size = round(8.0 / frame.spacing.row_mm)
        around = cv2.dilate(artery.astype(np.uint8), np.ones((size, size), np.uint8)) > 0
        ring = around & (frame.labels_HW == anatomy.BACKGROUND)
        darkness.append(frame.image_HW[artery].mean() / frame.image_HW[ring].mean())
        if vein.sum() * frame.spacing.row_mm**2 > 5:
            ratios.append(frame.image_HW[vein].mean() / frame.image_HW[artery].mean())
    assert len(darkness) >= 8
    assert 0.2 < np.median(darkness) < 0.7
    assert 0.4 < np.median(ratios) < 1.0


def _lumen(frame: SimulatedFrame, label: int) -> np.ndarray:
    """A vessel without the outermost millimetre."""
    size = 2 * round(0.8 / frame.spacing.row_mm) + 1
    return cv2.erode((frame.labels_HW == label).astype(np.uint8), np.ones((size, size), np.uint8)) > 0


def test_the_cortex_is_a_thin_bright_line_under_a_dark_one(frames: list[SimulatedFrame]) -> None:
    """Full width at half maximum 0.5-0.9 mm; the cartilage above and the shadow below are darker."""
    widths, places = [], []
    for frame in frames:
        top = np.where((frame.labels_HW == anatomy.FEMORAL_HEAD).any(0), (frame.labels_HW == 1).argmax(0), 9999)
        apex = int(top.argmin())
        lines = [x for x in range(apex - 15, apex + 15) if 0 <= x < top.size and top[x] < 9000]
        mm = np.arange(-1.5, 3.0, 0.05)
        index = [
            np.clip(np.rint(top[x] + mm / frame.spacing.row_mm), 0, len(frame.image_HW) - 1).astype(int) for x in lines
        ]
        profile = np.mean([frame.image_HW[rows_, x] for rows_, x in zip(index, lines, strict=True)], axis=0)
        peak = int(profile.argmax())
        places.append(mm[peak])
        above = profile > profile.max() / 2
        widths.append(0.05 * (above[peak:].argmin() + above[peak::-1].argmin()))
    assert 0.4 <= np.median(widths) <= 0.95
    assert np.mean((np.array(places) >= -0.1) & (np.array(places) <= 0.7)) > 0.85


def test_bone_shadow_fades_but_is_not_black(frames: list[SimulatedFrame]) -> None:
    near, far = [], []
    for frame in frames:
        head = frame.labels_HW == anatomy.FEMORAL_HEAD
        columns = np.nonzero(head.any(0))[0]
        top = head.argmax(0)
        apex = columns[top[columns].argmin()]
        start = int(top[apex])
        near.append(frame.image_HW[rows(frame, 1, 2)].size and _below(frame, apex, start, 1.0))
        far.append(_below(frame, apex, start, 5.0))
    assert np.nanmedian(far) < np.nanmedian(near)
    assert 5 < np.nanmedian(far) < 60


def _below(frame: SimulatedFrame, column: int, row: int, mm: float) -> float:
    """Mean grey around a point below the apex."""
    y = row + round(mm / frame.spacing.row_mm)
    patch = frame.image_HW[y - 3 : y + 4, max(column - 12, 0) : column + 12]
    return float(patch.mean()) if patch.size else float("nan")


def test_speckle_is_as_fine_as_real_speckle(frames: list[SimulatedFrame]) -> None:
    """Autocorrelation of shallow texture: axial 0.15-0.7 mm, lateral wider by the streaks of fat."""
    axial, lateral = [], []
    for frame in frames:
        patch = frame.image_HW[rows(frame, 3, 9)].astype(float)
        patch -= patch.mean(axis=1, keepdims=True)
        axial.append(_width(patch) * frame.spacing.row_mm)
        lateral.append(_width(patch.T) * frame.spacing.row_mm)
    assert 0.3 <= np.median(axial) <= 0.9
    assert 1.5 <= np.median(lateral) <= 4.0


def _width(values: np.ndarray) -> float:
    """Full width at half maximum of the autocorrelation along the first axis, samples."""
    power = (values * values).mean()
    for lag in range(1, len(values)):
        if (values[lag:] * values[:-lag]).mean() < power / 2:
            return 2 * lag
    return float("inf")
