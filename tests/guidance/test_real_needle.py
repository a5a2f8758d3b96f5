"""Ideal masks of a real needle clip: what guidance makes of a needle that moves as real ones do.

The masks are drawn from the clip's reference, so that only the rules are judged, not a network. Where the reference's
reader saw no tip, the mask ends before it and the landmark is not visible; elsewhere the mask alone shows the tip.
"""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from hipseg import anatomy
from hipseg.frame import ScanRegion, Spacing
from hipseg.guidance.config import GuidanceConfig
from hipseg.guidance.engine import Guidance, GuidanceEngine
from hipseg.guidance.tracking import NeedleState
from hipseg.runtime.grid import Grid
from hipseg.runtime.segmentation import Landmark, Segmentation

GRID_SIZE, NEEDLE_MM, LINE_MM = 256, 0.5, 1.0
RELIABLE = ("high", "medium")
_SUBPIXEL_BITS = 4
_Plane = npt.NDArray[np.uint8]


@pytest.fixture
def reference(shared_data: Path) -> list[dict[str, Any]]:
    lines = (shared_data / "needle" / "ph_1_3_1.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def followed(reference: list[dict[str, Any]], *, false_line: bool = False) -> list[Guidance]:
    engine = GuidanceEngine(GuidanceConfig(view_check=False))
    return [_step(engine, line, false_line=false_line) for line in reference]


def _step(engine: GuidanceEngine, line: dict[str, Any], *, false_line: bool) -> Guidance:
    width, height = line["size"]
    row_mm, column_mm = line["spacing_mm"]
    spacing = Spacing(row_mm, column_mm, "user")
    grid = Grid(height, width, GRID_SIZE)
    needle_HW = np.zeros((height, width), np.uint8)
    path_xy = line["shapes"]["needle"]["path"]
    _draw(needle_HW, path_xy if line["tip_visible"] else path_xy[:-1], NEEDLE_MM / spacing.column_mm)
    if false_line:
        _draw(needle_HW, line["shapes"]["distractors"][0], LINE_MM / spacing.column_mm)
    return engine.step(
        _segmentation(needle_HW, grid, tip_visible=line["tip_visible"]),
        frame=line["frame"],
        time_s=line["t_s"],
        spacing=spacing,
        region=ScanRegion(0, 0, width, height, "full"),
    )


def _draw(needle_HW: _Plane, path_xy: list[list[float]], width_px: float) -> None:
    corners = np.rint(np.array(path_xy) * 2**_SUBPIXEL_BITS).astype(int)
    for start, end in itertools.pairwise(corners):
        cv2.line(needle_HW, start.tolist(), end.tolist(), 1, round(width_px), shift=_SUBPIXEL_BITS)


def _segmentation(needle_HW: _Plane, grid: Grid, *, tip_visible: bool) -> Segmentation:
    side = round(grid.scale)
    soft_HW = cv2.blur(needle_HW.astype(np.float32), (side, side))
    probabilities_CHW = np.zeros((anatomy.NUM_CLASSES, grid.size, grid.size), np.float32)
    probabilities_CHW[anatomy.NEEDLE] = cv2.warpAffine(soft_HW, grid.affine(), (grid.size, grid.size))
    probabilities_CHW[anatomy.BACKGROUND] = 1 - probabilities_CHW[anatomy.NEEDLE]
    landmarks = {} if tip_visible else {"needle_tip": Landmark(0.0, 0.0, 1e3, 0.0)}
    return Segmentation(needle_HW * np.uint8(anatomy.NEEDLE), probabilities_CHW, grid, landmarks, 1.0)


def _reliable(reference: list[dict[str, Any]], found: list[Guidance]) -> list[tuple[dict[str, Any], Guidance]]:
    pairs = zip(reference, found, strict=True)
    return [(line, guidance) for line, guidance in pairs if line["shapes"]["needle"]["tip_conf"] in RELIABLE]


def _tip_errors_mm(pairs: list[tuple[dict[str, Any], Guidance]]) -> list[float]:
    """Of the frames in which the tip is tracked."""
    return [
        float(np.hypot(*(needle.tip_mm - np.multiply(line["tip"], line["spacing_mm"]))))
        for line, guidance in pairs
        if (needle := guidance.needle) is not None and needle.state is NeedleState.TRACKED and needle.tip_mm is not None
    ]


def _is_followed(pairs: list[tuple[dict[str, Any], Guidance]]) -> bool:
    errors_mm = _tip_errors_mm(pairs)
    return len(errors_mm) >= 0.9 * len(pairs) and float(np.median(errors_mm)) <= 1.0


def test_the_needle_is_followed_through_the_reliable_frames(reference: list[dict[str, Any]]) -> None:
    assert _is_followed(_reliable(reference, followed(reference)))


def test_a_static_oblique_line_is_never_the_needle_and_does_not_disturb_it(reference: list[dict[str, Any]]) -> None:
    found = followed(reference, false_line=True)
    false_line_mm = min(y * line["spacing_mm"][0] for line in reference for _, y in line["shapes"]["distractors"][0])
    needles = [guidance.needle for guidance in found if guidance.needle is not None]
    places_mm = [needle.tip_mm for needle in needles if needle.tip_mm is not None]
    places_mm += [needle.shaft.end_mm for needle in needles if needle.shaft is not None]
    assert all(place_mm[1] < false_line_mm for place_mm in places_mm)
    assert _is_followed(_reliable(reference, found))
