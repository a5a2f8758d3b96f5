"""Speckle belongs to tissue."""

from __future__ import annotations

import numpy as np
import pytest

from hipseg.simulation.texture import scatterers, structure


def grid(shift_mm: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    lateral, depth = np.meshgrid(np.arange(0, 30, 0.12), np.arange(0, 30, 0.1))
    return (lateral + shift_mm).astype(np.float32), depth.astype(np.float32)


def correlation(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.corrcoef(first.ravel(), second.ravel())[0, 1])


def test_scatterers_have_unit_power_and_uniform_phase() -> None:
    field = scatterers(*grid(), 0.0, seed=4)
    power = (field**2).sum(axis=-1)
    assert power.mean() == pytest.approx(1.0, abs=0.15)
    # Complex Gaussian: the intensity is exponential, its standard deviation equals its mean.
    assert power.std() / power.mean() == pytest.approx(1.0, abs=0.1)


def test_moving_along_the_plane_moves_the_pattern() -> None:
    still, moved = scatterers(*grid(), 0.0, seed=4), scatterers(*grid(shift_mm=1.2), 0.0, seed=4)
    assert correlation(still[:, 10:], moved[:, :-10]) > 0.98
    assert abs(correlation(still, moved)) < 0.1


def test_moving_across_the_plane_changes_the_pattern_slowly() -> None:
    near, tenth, far = (scatterers(*grid(), across, seed=4) for across in (0.0, 0.12, 2.4))
    assert correlation(near, tenth) > 0.9
    assert abs(correlation(near, far)) < 0.1


def test_patients_have_patterns_of_their_own() -> None:
    assert abs(correlation(scatterers(*grid(), 0.0, seed=4), scatterers(*grid(), 0.0, seed=5))) < 0.1


def test_structure_has_unit_deviation() -> None:
    assert structure(*grid(), 0.3, seed=1).std() == pytest.approx(1.0, abs=0.15)
