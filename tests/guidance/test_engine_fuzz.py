"""Whatever a model says, and however the clip jumps: an answer, finite or unknown, never a crash."""

from __future__ import annotations

import math

import numpy as np
import pytest
from drawn_scenes import segmentation_of
from hypothesis import given, settings
from hypothesis import strategies as st

from hipseg.frame import ScanRegion, Spacing
from hipseg.guidance.config import GuidanceConfig
from hipseg.guidance.engine import Guidance, GuidanceEngine
from hipseg.guidance.record import frame_record
from hipseg.guidance.tracking import NeedleState
from hipseg.runtime.segmentation import Landmark, Segmentation

ODD = st.sampled_from([-1e9, -5.0, 0.0, 0.5, 60.0, 1e9, math.nan, math.inf])


def random_segmentation(seed: int, boxes: int, landmark: tuple[float, float, float, float]) -> Segmentation:
    """Boxes of any class over one another, a landmark anywhere, at times a probability that is none."""
    random = np.random.default_rng(seed)
    labels_HW = np.zeros((96, 128), np.uint8)
    for _ in range(boxes):
        top, left, height, width = (int(random.integers(1, limit)) for limit in (96, 128, 60, 90))
        labels_HW[top : top + height, left : left + width] = random.integers(0, 11)
    found = segmentation_of(labels_HW)
    if seed % 5 == 0:
        found.probabilities_CHW[int(random.integers(0, 11)), 10, 10] = random.choice([np.nan, np.inf, -3.0])
    found.landmarks["needle_tip"] = found.landmarks["head_neck_junction"] = Landmark(*landmark)
    return found


def numbers_of(found: Guidance) -> list[float]:
    every = (found.distances, found.measurements, found.distances_sigma, found.measurements_sigma)
    values = [getattr(part, name) for part in every for name in part.__slots__]
    return [value for value in values if value is not None]


@settings(max_examples=40, deadline=None)
@given(
    frames=st.lists(
        st.tuples(
            st.integers(0, 2**20),
            st.integers(0, 14),
            st.tuples(ODD, ODD, ODD, ODD),
            st.sampled_from([-1.0, 0.0, 0.03, 0.03, 20.0, math.nan]),
            st.sampled_from([None, 0.05, 0.3, 0.3, 3.0]),
        ),
        min_size=1,
        max_size=6,
    ),
    with_echo=st.booleans(),
)
def test_random_clips_are_answered_with_finite_numbers_or_unknown(
    frames: list[tuple[int, int, tuple[float, float, float, float], float, float | None]], with_echo: bool
) -> None:
    engine, time_s = GuidanceEngine(GuidanceConfig()), 0.0
    for index, (seed, boxes, landmark, elapsed_s, spacing_mm) in enumerate(frames):
        time_s = elapsed_s if math.isnan(elapsed_s) else (0.0 if math.isnan(time_s) else time_s) + elapsed_s
        seen = random_segmentation(seed, boxes, landmark)
        rows, columns = (part.stop - part.start for part in seen.grid.occupied)
        echo = np.full((rows, columns), seed % 256, np.uint8) if with_echo else None
        spacing = None if spacing_mm is None else Spacing(spacing_mm, 2 * spacing_mm, "user")
        region = ScanRegion(0, 0, 128, 96, "full")
        found = engine.step(seen, frame=index, time_s=time_s, spacing=spacing, region=region, echo=echo)
        assert np.isfinite(numbers_of(found)).all()
        frame_record(found)
        if spacing is None:
            assert not numbers_of(found)


@pytest.mark.parametrize("seed", range(6))
def test_masks_that_never_move_along_a_line_never_become_a_needle(seed: int) -> None:
    engine = GuidanceEngine(GuidanceConfig())
    for index in range(12):
        seen = random_segmentation(10 * seed + 1, 10, (60.0, 40.0, 2.0, 0.9))
        found = engine.step(
            seen, frame=index, time_s=index / 30, spacing=Spacing(0.3, 0.3, "user"),
            region=ScanRegion(0, 0, 128, 96, "full"),
        )  # fmt: skip
        assert found.needle is not None
        assert found.needle.state is NeedleState.ABSENT
