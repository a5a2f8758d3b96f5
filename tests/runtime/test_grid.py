"""How images of any size lie on the network's grid."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hipseg.runtime.grid import Grid

SIDES = st.integers(1, 5000)
SIZES = st.sampled_from([16, 96, 192, 256])


@given(SIDES, SIDES, SIZES, st.floats(-10, 5010), st.floats(-10, 5010))
def test_points_come_back_from_the_grid(height: int, width: int, size: int, x: float, y: float) -> None:
    grid = Grid(height, width, size)
    np.testing.assert_allclose(grid.to_image(grid.to_grid([x, y])), [x, y], atol=1e-6)


@given(SIDES, SIDES, SIZES)
def test_the_longer_side_fills_the_grid_and_the_image_is_centred_under_its_top_edge(
    height: int, width: int, size: int
) -> None:
    grid = Grid(height, width, size)
    top_left, bottom_right = grid.to_grid([[-0.5, -0.5], [width - 0.5, height - 0.5]])
    assert top_left[1] == pytest.approx(-0.5)
    assert max(bottom_right - top_left) == pytest.approx(size)
    assert top_left[0] + bottom_right[0] == pytest.approx(size - 1)


@given(SIDES, SIDES, SIZES)
def test_occupied_cells_are_those_whose_centres_lie_on_the_image(height: int, width: int, size: int) -> None:
    grid = Grid(height, width, size)
    rows, columns = grid.occupied
    assert 0 <= rows.start < rows.stop <= size
    assert 0 <= columns.start < columns.stop <= size
    first, last = grid.to_image([[columns.start, rows.start], [columns.stop - 1, rows.stop - 1]])
    is_thinner_than_a_cell = min(height, width) < grid.scale
    if not is_thinner_than_a_cell:
        assert (first >= -0.5 - 1e-6).all()
        assert last[0] <= width - 0.5 + 1e-6
        assert last[1] <= height - 0.5 + 1e-6


def test_opencv_takes_the_same_mapping() -> None:
    grid = Grid(480, 640, 256)
    points = np.array([[0.0, 0.0], [639.0, 479.0], [320.25, 100.5]])
    by_matrix = points @ grid.affine()[:, :2].T + grid.affine()[:, 2]
    np.testing.assert_allclose(by_matrix, grid.to_grid(points))
