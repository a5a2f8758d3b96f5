"""Anatomy over time: noise goes, motion stays, leaps wait, and the recess tells when it widens."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from drawn_scenes import DrawnScene

from hipseg.guidance.config import RecessConfig, SmoothingConfig
from hipseg.guidance.geometry import ScanPlane
from hipseg.guidance.recess import RecessHistory
from hipseg.guidance.smoothing import PointSmoother
from hipseg.guidance.tissue import TissueMotion
from hipseg.runtime.grid import Grid

RATE_HZ = 25.0


def test_jitter_is_taken_out() -> None:
    rng, smoother = np.random.default_rng(0), PointSmoother(SmoothingConfig())
    noise = rng.normal(0, 0.4, (200, 2))
    found = np.array([smoother.step(np.array([30.0, 20.0]) + e, k / RATE_HZ) for k, e in enumerate(noise)])
    assert np.std(found[20:] - (30, 20)) < 0.9 * np.std(noise)


@pytest.mark.parametrize("rate_hz", [15.0, 25.0, 60.0])
def test_motion_that_begins_and_ends_lags_less_than_a_frame(rate_hz: float) -> None:
    smoother, place, lags = PointSmoother(SmoothingConfig()), 0.0, []
    for k in range(round(3 * rate_hz)):
        place += 5 / rate_hz * (rate_hz <= k < 2 * rate_hz)
        found = smoother.step(np.array([20 + place, 30.0]), k / rate_hz)
        assert found is not None
        lags.append(abs(found[0] - 20 - place))
    assert max(lags) <= 5 / rate_hz


def test_a_leap_is_believed_when_it_lasts_and_an_unseen_point_is_not_known() -> None:
    smoother = PointSmoother(SmoothingConfig(hold_s=0.15))
    for k in range(25):
        smoother.step(np.array([20.0, 30.0]), k / RATE_HZ)
    found = [smoother.step(np.array([40.0, 30.0]), 1 + k / RATE_HZ) for k in range(6)]
    assert found[0] == pytest.approx(np.array([20, 30]), abs=0.2)
    assert found[-1] == pytest.approx(np.array([40, 30]), abs=0.2)
    assert smoother.step(None, 1.3) is None


def test_time_that_stands_still_or_runs_back_is_survived() -> None:
    smoother = PointSmoother(SmoothingConfig())
    for time_s in (1.0, 1.0, 0.5, 0.5):
        assert smoother.step(np.array([20.0, 30.0]), time_s) == pytest.approx(np.array([20, 30]))


def test_a_recess_that_widens_is_told_with_its_doubt() -> None:
    history, rng = RecessHistory(RecessConfig()), np.random.default_rng(0)
    for k in range(250):
        wider = max(k / RATE_HZ - 7, 0) * 0.5
        trend = history.step(3 + wider + rng.normal(0, 0.1), 80 + 20 * wider, k / RATE_HZ)
    assert trend.width_change_mm == pytest.approx(1.35, abs=0.25)
    assert trend.width_rate_mm_s == pytest.approx(0.5, abs=0.15)
    assert trend.area_change_mm2 == pytest.approx(27, abs=5)
    assert trend.sigma_mm is not None
    assert 0 < trend.sigma_mm < 0.15


def test_no_trend_is_told_from_too_little() -> None:
    history = RecessHistory(RecessConfig())
    for k in range(20):
        trend = history.step(3.0, None, k / RATE_HZ)
    assert trend.width_mm == 3.0
    assert trend.width_change_mm is None
    assert trend.area_mm2 is None


@pytest.mark.parametrize("shift", [(0, 0), (3, 0), (-2, 4), (0, -5)])
def test_the_tissue_is_followed_whatever_the_pixels(shift: tuple[int, int]) -> None:
    rng = np.random.default_rng(2)
    speckle = cv2.GaussianBlur(rng.normal(size=(220, 280)).astype(np.float32), (0, 0), 2.5)
    levels = np.clip(120 + 300 * speckle, 0, 255).astype(np.uint8)
    plane = ScanPlane.of(Grid(480, 640, 256), DrawnScene().spacing, DrawnScene().region)
    motion = TissueMotion()
    assert motion.step(levels[10:202, 10:266], plane) is None
    right, down = shift
    moved = levels[10 - down : 202 - down, 10 - right : 266 - right]
    assert motion.step(moved, plane) == pytest.approx(np.array(shift) * 0.25, abs=0.15)


def test_pictures_that_have_nothing_in_common_tell_no_motion() -> None:
    plane = ScanPlane.of(Grid(480, 640, 256), DrawnScene().spacing, DrawnScene().region)
    motion, rng = TissueMotion(), np.random.default_rng(3)
    motion.step(rng.integers(0, 256, (192, 256), dtype=np.uint8), plane)
    assert motion.step(rng.integers(0, 256, (192, 256), dtype=np.uint8), plane) is None
    assert motion.step(None, plane) is None
