"""A model of the contract that knows the answer: it reads the class of a pixel from its grey level (20 levels each).

So an image drawn with `grey_of` goes the whole way through decoding, onnxruntime and guidance, and what must come out
is known exactly, with no training and no heavy package.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx.parser

from hipseg import anatomy
from hipseg.runtime.contract import METADATA_KEY, ModelContract

LEVELS = 20
GRID_SIZE = 128

_GRAPH = """
<ir_version: 9, opset_import: ["" : 18]>
grey (uint8[N,H,W] image) => (uint8[N,H,W] labels, float[N,11,h,w] probabilities, float[N,3,4] landmarks,
                              float[N] view_score)
<float size = {SIZE}, float levels = {LEVELS}, float half = {0.5}, float two = {2}, float zero = {0}, float ten = {10},
 float[1] score = {0.97}, int64 depth = {11}, int64 first = {0}, int64 last = {SIZE}, int64 step = {1},
 int64[1] axis_1 = {1}, int64[1] at_1 = {1}, int64[1] at_2 = {2},
 int64[1] at_3 = {3}, float[2] off_on = {0, 1}, float needle = {4}, float[1,2,4] unseen = {0,0,1,0,0,0,1,0},
 int64[2] flat = {0, -1}, float[1,1] sigma = {2}>
{
    grey = Cast<to = 1>(image)
    scaled = Div(grey, levels)
    floored = Floor(scaled)
    classes = Clip(floored, zero, ten)
    labels = Cast<to = 2>(classes)
    shape = Shape(image)
    shape_f = Cast<to = 1>(shape)
    H = Slice(shape_f, at_1, at_2)
    W = Slice(shape_f, at_2, at_3)
    longer = Max(H, W)
    scale = Div(longer, size)
    taken = Div(W, scale)
    free = Sub(size, taken)
    left = Div(free, two)
    steps = Range(first, last, step)
    cells = Cast<to = 1>(steps)
    centres = Add(cells, half)
    row_f = Mul(centres, scale)
    row_r = Floor(row_f)
    shifted = Sub(centres, left)
    column_f = Mul(shifted, scale)
    column_r = Floor(column_f)
    one = Div(two, two)
    row_max = Sub(H, one)
    column_max = Sub(W, one)
    row_low = Min(row_r, row_max)
    column_low = Min(column_r, column_max)
    column_in = Max(column_low, zero)
    row_i = Cast<to = 7>(row_low)
    column_i = Cast<to = 7>(column_in)
    by_row = Gather<axis = 1>(classes, row_i)
    by_cell = Gather<axis = 2>(by_row, column_i)
    row_valid = Less(row_r, H)
    column_below = Less(column_r, W)
    column_above = GreaterOrEqual(column_r, zero)
    column_valid = And(column_below, column_above)
    row_mask = Unsqueeze(row_valid, axis_1)
    cell_valid = And(row_mask, column_valid)
    on_grid = Where(cell_valid, by_cell, zero)
    on_grid_i = Cast<to = 7>(on_grid)
    probabilities = OneHot<axis = 1>(on_grid_i, depth, off_on)
    is_needle = Equal(classes, needle)
    needle_f = Cast<to = 1>(is_needle)
    pixels = Reshape(needle_f, flat)
    visible = ReduceMax<keepdims = 1>(pixels, axis_1)
    last_pixel = ArgMax<axis = 1, keepdims = 1, select_last_index = 1>(pixels)
    index = Cast<to = 1>(last_pixel)
    row_exact = Div(index, W)
    tip_y = Floor(row_exact)
    before = Mul(tip_y, W)
    tip_x = Sub(index, before)
    sigma_n = Mul(sigma, visible)
    two_n = Add(sigma_n, sigma)
    tip = Concat<axis = 1>(tip_x, tip_y, two_n, visible)
    tip_row = Unsqueeze(tip, axis_1)
    zeros = Mul(tip_row, zero)
    others = Add(zeros, unseen)
    landmarks = Concat<axis = 1>(tip_row, others)
    brightest = ReduceMax<keepdims = 0>(grey, between)
    seen = Greater(brightest, levels)
    seen_f = Cast<to = 1>(seen)
    view_score = Mul(seen_f, score)
}
"""


def write_grey_model(folder: Path) -> Path:
    """Writes the model file into a folder."""
    text = _GRAPH.replace("SIZE", str(GRID_SIZE)).replace("LEVELS", str(LEVELS))
    text = text.replace("int64[2] flat", "int64[2] between = {1, 2}, int64[2] flat")
    model = onnx.parser.parse_model(text)
    contract = ModelContract("grey", "1.0.0", anatomy.CLASS_NAMES, anatomy.LANDMARKS, GRID_SIZE)
    onnx.helper.set_model_props(model, {METADATA_KEY: contract.to_json()})
    onnx.checker.check_model(model, full_check=True)
    path = folder / "grey.onnx"
    onnx.save(model, path)
    return path


def grey_of(labels_HW: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """The image [H, W] that this model reads these labels from; background is 10, so that no margin is black."""
    return (labels_HW * LEVELS + LEVELS // 2).astype(np.uint8)
