"""Images on the grid: as training lays them, and as the filter is defined."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hipseg.data.sample import resample_image
from hipseg.export.resampling import GridResampler
from hipseg.runtime.grid import Grid


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(height * 10_000 + width).integers(0, 256, (height, width)).astype(np.uint8)


def on_grid(image_HW: np.ndarray, size: int) -> np.ndarray:
    return GridResampler(size)(torch.from_numpy(image_HW)[None])[0].numpy()


def by_definition(image_HW: np.ndarray, size: int) -> np.ndarray:
    """The triangle filter, cell by cell, with one large matrix an axis."""
    grid = Grid(*image_HW.shape, size)
    cells = np.arange(size)
    centres = grid.to_image(np.stack([cells, cells], axis=-1))
    support = max(grid.scale, 1.0)

    def weights(centres_S: np.ndarray, length: int) -> np.ndarray:
        raw = np.maximum(1 - np.abs(np.arange(length) - centres_S[:, None]) / support, 0)
        return raw / np.maximum(raw.sum(axis=1, keepdims=True), 1e-6)

    filtered = weights(centres[:, 1], grid.height) @ image_HW @ weights(centres[:, 0], grid.width).T / 255
    placed = np.zeros((size, size))
    placed[grid.occupied] = filtered[grid.occupied]
    return placed


def rounding(longer_side_px: int) -> float:
    """What float32 may lose: a cell's centre is as exact as the side's rounding, and noise steps by up to 1 a pixel."""
    return 1e-6 + 2 * longer_side_px * float(np.finfo(np.float32).eps)


@pytest.mark.parametrize("size", [16, 48, 50, 64])
@settings(max_examples=25, deadline=None)
@given(height=st.integers(1, 150), width=st.integers(1, 150))
def test_any_size_is_filtered_as_defined(size: int, height: int, width: int) -> None:
    image_HW = noise(height, width)
    np.testing.assert_allclose(
        on_grid(image_HW, size), by_definition(image_HW, size), rtol=0, atol=rounding(max(height, width))
    )


@pytest.mark.parametrize(("height", "width"), [(480, 640), (640, 480), (1080, 1920), (200, 256), (31, 57), (1, 1)])
def test_the_network_sees_what_it_saw_in_training(height: int, width: int) -> None:
    image_HW = noise(height, width)
    in_training = resample_image(image_HW, Grid(height, width, 256)) / 255
    np.testing.assert_allclose(on_grid(image_HW, 256), in_training, atol=1e-5)


def test_brightness_is_kept_and_the_rest_of_the_grid_is_black() -> None:
    resampled = on_grid(np.full((90, 200), 200, np.uint8), 64)
    occupied = np.zeros((64, 64), bool)
    occupied[Grid(90, 200, 64).occupied] = True
    np.testing.assert_allclose(resampled[occupied], 200 / 255, atol=1e-6)
    assert (resampled[~occupied] == 0).all()
