"""Points and their doubt, from heat maps whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from hipseg.export.landmarks import LandmarkReader
from hipseg.models.outputs import NUM_LANDMARKS, NetworkOutput
from hipseg.runtime.grid import Grid

SIZE = 64


def gaussian(x: float, y: float, sigma: float, weight: float = 1.0) -> Tensor:
    """A normal distribution over the cells, [S, S]."""
    rows, columns = torch.meshgrid(torch.arange(SIZE), torch.arange(SIZE), indexing="ij")
    density = torch.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * sigma**2))
    return weight * density / density.sum()


def read(mass_HW: Tensor, height: int = SIZE, width: int = SIZE, visibility: float = 0.0) -> list[float]:
    """x, y, sigma, visibility of one heat map."""
    logits = (mass_HW + 1e-30).log().expand(1, NUM_LANDMARKS, SIZE, SIZE)
    nothing = torch.zeros(1, 1, SIZE, SIZE)
    output = NetworkOutput(nothing, logits, torch.full((1, NUM_LANDMARKS), visibility), torch.zeros(1))
    return LandmarkReader(SIZE)(output, height, width)[0, 0].tolist()


@pytest.mark.parametrize(("x", "y"), [(20.0, 30.0), (20.4, 30.7), (8.5, 50.25)])
def test_a_point_is_read_between_cells_and_its_sigma_is_the_spread(x: float, y: float) -> None:
    found_x, found_y, sigma, _ = read(gaussian(x, y, 1.5))
    assert (found_x, found_y) == (pytest.approx(x, abs=0.02), pytest.approx(y, abs=0.02))
    assert sigma == pytest.approx(1.5, abs=0.02)


def test_a_second_mode_moves_the_doubt_and_not_the_point() -> None:
    x, y, sigma, _ = read(gaussian(15, 20, 1.5, 0.6) + gaussian(45, 20, 1.5, 0.4))
    assert (x, y) == (pytest.approx(15, abs=0.02), pytest.approx(20, abs=0.02))
    assert sigma == pytest.approx(np.sqrt(1.5**2 + 0.4 * 30**2 / 2), rel=0.01)


def test_a_flat_heat_map_is_finite_and_in_great_doubt() -> None:
    values = read(torch.full((SIZE, SIZE), 1 / SIZE**2))
    assert np.isfinite(values).all()
    assert values[2] > SIZE / 4


def test_a_heat_map_of_huge_logits_is_finite() -> None:
    output = NetworkOutput(
        torch.zeros(1, 1, SIZE, SIZE),
        1e4 * torch.randn(1, NUM_LANDMARKS, SIZE, SIZE, generator=torch.manual_seed(0)),
        torch.tensor([[-1e4, 0.0, 1e4]]),
        torch.zeros(1),
    )
    landmarks = LandmarkReader(SIZE)(output, 100, 100)
    assert landmarks.isfinite().all()
    assert landmarks[0, :, 3].tolist() == [0, 0.5, 1]


@pytest.mark.parametrize(("height", "width"), [(480, 640), (640, 480), (37, 53)])
def test_cells_become_pixels_by_the_grid(height: int, width: int) -> None:
    grid = Grid(height, width, SIZE)
    x_px, y_px, sigma_px, _ = read(gaussian(31.3, 20.6, 1.5), height, width)
    np.testing.assert_allclose([x_px, y_px], grid.to_image([31.3, 20.6]), atol=0.02 * grid.scale)
    assert sigma_px == pytest.approx(1.5 * grid.scale, rel=0.02)


def test_a_point_at_the_border_is_read_there() -> None:
    x, y, _, _ = read(gaussian(0, 63, 0.2))
    assert (x, y) == (pytest.approx(0, abs=0.01), pytest.approx(63, abs=0.01))
