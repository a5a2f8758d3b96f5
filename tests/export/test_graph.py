"""onnxruntime and PyTorch say the same, at sizes nobody trained on."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from exported_model import Exported
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_model import GRID_SIZE

from hipseg import anatomy
from hipseg.export.graph import softmax_over_classes
from hipseg.runtime.grid import Grid


def noise(height: int, width: int, seed: int) -> np.ndarray:
    """Blocks of random grey, so that classes fill more than single pixels."""
    blocks = np.random.default_rng(seed).integers(0, 256, (9, 9)).astype(np.uint8)
    return blocks[np.ix_(np.arange(height) * 9 // height, np.arange(width) * 9 // width)]


@settings(max_examples=40, deadline=None)
@given(height=st.integers(1, 160), width=st.integers(1, 160), seed=st.integers(0, 9))
def test_any_size_gives_what_pytorch_gives(exported: Exported, height: int, width: int, seed: int) -> None:
    image_HW = noise(height, width, seed)
    with torch.inference_mode():
        wanted = exported.graph(torch.from_numpy(image_HW)[None])
    found = exported.session.segment(image_HW)
    assert (found.labels_HW == wanted.labels[0].numpy()).mean() >= 0.999
    np.testing.assert_allclose(found.probabilities_CHW, wanted.probabilities[0].numpy(), atol=1e-4)
    assert found.view_score == pytest.approx(float(wanted.view_score[0]), abs=1e-5)


@settings(max_examples=40, deadline=None)
@given(height=st.integers(1, 160), width=st.integers(1, 160), seed=st.integers(0, 9))
def test_a_pixel_has_the_label_of_the_cell_it_lies_in(exported: Exported, height: int, width: int, seed: int) -> None:
    found = exported.session.segment(noise(height, width, seed))
    rows, columns = np.indices((height, width))
    cells_xy = found.grid.to_grid(np.stack([columns, rows], axis=-1))
    edge = np.abs(cells_xy + 0.5 - np.rint(cells_xy + 0.5)).min(axis=-1) < 1e-6  # rounding decides on cell borders
    x, y = (np.floor(cells_xy + 0.5).astype(int).clip(0, GRID_SIZE - 1)[..., axis] for axis in (0, 1))
    labels_on_grid = found.probabilities_CHW.argmax(axis=0)
    assert (found.labels_HW == labels_on_grid[y, x])[~edge].all()


def test_images_of_a_batch_do_not_touch_each_other(exported: Exported) -> None:
    images_NHW = np.stack([noise(70, 90, seed) for seed in range(3)])
    with torch.inference_mode():
        together = exported.graph(torch.from_numpy(images_NHW)).labels.numpy()
    alone = [exported.session.segment(image).labels_HW for image in images_NHW]
    np.testing.assert_array_equal(together, np.stack(alone))


def test_what_is_bright_comes_back_where_it_is(exported: Exported) -> None:
    image_HW = np.full((200, 300), 100, np.uint8)
    image_HW[60:120, 90:150], image_HW[150:190, 200:260] = 230, 5
    found = exported.session.segment(image_HW)
    assert found.labels_HW[90, 120] == anatomy.FEMORAL_HEAD
    assert found.labels_HW[170, 230] == anatomy.FEMORAL_ARTERY
    assert found.labels_HW[20, 20] == anatomy.BACKGROUND
    rows, columns = np.nonzero(found.labels_HW == anatomy.FEMORAL_HEAD)
    px_per_cell = Grid(200, 300, GRID_SIZE).scale
    assert (rows.min(), columns.min()) == (pytest.approx(60, abs=px_per_cell), pytest.approx(90, abs=px_per_cell))
    tip = found.landmarks["needle_tip"]
    assert 90 <= tip.x_px <= 150
    assert 60 <= tip.y_px <= 120


def test_probabilities_sum_to_one(exported: Exported) -> None:
    probabilities_CHW = exported.session.segment(noise(33, 77, 1)).probabilities_CHW
    np.testing.assert_allclose(probabilities_CHW.sum(axis=0), 1, atol=1e-5)


def test_the_spelt_out_softmax_is_pytorchs() -> None:
    logits_NCHW = 50 * torch.randn(2, 11, 8, 9, generator=torch.manual_seed(0))
    torch.testing.assert_close(softmax_over_classes(logits_NCHW), logits_NCHW.softmax(dim=1))
