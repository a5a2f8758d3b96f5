"""Clips to learn motion from: frames in a row of a data set, or a still that is made to move a little."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hipseg.data import warp
from hipseg.data.records import Case
from hipseg.runtime.recall import LONGEST_GAP_S

MOST_SKIPPED = 2
"""A clip takes every frame or every second one: needles are pushed at different speeds, and frames get lost."""

STILL_SHARE = 0.25
"""Of clips of a still that don't move at all, as with a steady hand and a frozen image."""

_DRIFT, _TILT_DEG, _PULSE = 0.004, 0.4, 0.006
_FRAMES_A_BEAT = (8.0, 30.0)
"""At 10 to 30 frames a second and 50 to 90 beats a minute."""


def frames_in_a_row(cases: Sequence[Case]) -> list[list[int]]:
    """For each case the positions of all frames of its clip that go on without a gap (`LONGEST_GAP_S`), in their order.

    A case that belongs to no clip, or whose time nobody knows, is alone.
    """
    by_clip: dict[tuple[str, str], list[int]] = defaultdict(list)
    rows = [[position] for position in range(len(cases))]
    for position, case in enumerate(cases):
        if case.clip is not None and case.time_s is not None:
            by_clip[case.patient, case.clip].append(position)
    for positions in by_clip.values():
        positions.sort(key=lambda position: cases[position].time_s or 0.0)
        row: list[int] = []
        for position in positions:
            if row and (cases[position].time_s or 0.0) - (cases[row[-1]].time_s or 0.0) > LONGEST_GAP_S:
                row = []
            row.append(position)
            rows[position] = row
    return rows


def draw_row(row: Sequence[int], num_frames: int, rng: np.random.Generator) -> list[int]:
    """So many positions in a row from anywhere in a longer one; one position where the row is too short."""
    if len(row) < num_frames:
        return [row[int(rng.integers(len(row)))]]
    longest_step = (len(row) - 1) // max(num_frames - 1, 1)
    step = int(rng.integers(1, min(longest_step, MOST_SKIPPED) + 1))
    first = int(rng.integers(len(row) - step * (num_frames - 1)))
    return list(row[first : first + step * num_frames : step])


@dataclass(frozen=True, slots=True)
class Sway:
    """Where a frame of a still that is made to move lies.

    Attributes:
        matrix_33: from the still's pixels to the frame's.
        control: shifts of a coarse net, see `warp.random_control`: tissue that pulsates.
    """

    matrix_33: npt.NDArray[np.float64]
    control: warp.Control


def draw_sway(num_frames: int, shape: tuple[int, ...], rng: np.random.Generator) -> list[Sway]:
    """A hand that drifts and tilts, and tissue that moves with the pulse; the first frame lies as the still does.

    Args:
        num_frames: of the clip.
        shape: of the still, pixels.
    """
    height, width = shape[:2]
    moves = float(rng.random() >= STILL_SHARE)
    drift_xy = moves * rng.uniform(-_DRIFT, _DRIFT, size=2) * min(height, width)
    tilt_rad = moves * math.radians(rng.uniform(-_TILT_DEG, _TILT_DEG))
    pulse = warp.random_control(rng) * np.float32(moves * rng.uniform(0, _PULSE) / warp.LARGEST_SHIFT)
    frames_a_beat = rng.uniform(*_FRAMES_A_BEAT)
    return [
        Sway(
            _turned(height, width, number * tilt_rad, number * drift_xy),
            pulse * np.float32(math.sin(2 * math.pi * number / frames_a_beat)),
        )
        for number in range(num_frames)
    ]


def _turned(height: int, width: int, angle_rad: float, shift_xy: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    middle_xy = np.array([(width - 1) / 2, (height - 1) / 2])
    cos, sin = math.cos(angle_rad), math.sin(angle_rad)
    matrix_33 = np.eye(3)
    matrix_33[:2, :2] = [[cos, -sin], [sin, cos]]
    matrix_33[:2, 2] = middle_xy + shift_xy - matrix_33[:2, :2] @ middle_xy
    return matrix_33
