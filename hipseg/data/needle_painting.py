"""Needles painted onto real frames, with their exact line and tip: the only way that real texture gets a needle.

No real frame with a needle is at hand for training, and a crisp bright line teaches nothing that holds on real ones.
Three looks in the proportions seen on real scanners are painted instead, and endless lines as counter-examples: a
needle has an end.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from hipseg.anatomy import BONES, LANDMARKS, NEEDLE
from hipseg.data.effects import grains
from hipseg.data.reading import ImageHW, LabelsHW
from hipseg.data.sample import IN_IMAGE, Sample, last_point_inside

Generator = np.random.Generator
FieldHW = npt.NDArray[Any]

TYPICAL_WIDTH_MM = 40.0
"""Aperture assumed where an image has no scale; linear probes show 38 to 50 mm."""

OUTER_DIAMETERS_MM = (0.51, 0.64, 0.72, 0.82, 0.91, 1.27)
"""25, 23, 22, 21, 20 and 18 gauge."""

STEEPEST_DEG, FLATTEST_DEG = 65.0, 8.0
SEEN_BEFORE_TIP_MM = 10.0
"""No look changes anything so far before the tip: the side lobes above a steep needle reach 8 mm across it."""

FASTEST_STEP_MM = 1.2
"""From frame to frame of a clip: 30 mm/s at 25 frames a second, the fastest push in plane."""

NUM_TRIES = 8
FEWEST_POINTS = 20
DARKEST_TISSUE = 6.0
BORDER = cv2.BORDER_REFLECT


@dataclass(frozen=True, slots=True)
class Shaft:
    """A straight needle in an image.

    Attributes:
        tip_xy, entry_xy: pixels; the entry lies at the image's edge.
        spacing_mm: pixel size as (row, column).
        diameter_mm: outer.
    """

    tip_xy: npt.NDArray[np.float64]
    entry_xy: npt.NDArray[np.float64]
    spacing_mm: tuple[float, float]
    diameter_mm: float

    def withdrawn(self, length_mm: float) -> Shaft:
        """The needle pulled back, by at most half of what is seen of it."""
        way_xy = self.entry_xy - self.tip_xy
        seen_mm = float(np.hypot(*(way_xy * self.spacing_mm[::-1])))
        return dataclasses.replace(self, tip_xy=self.tip_xy + way_xy * min(length_mm / max(seen_mm, 1e-6), 0.5))

    def coordinates_mm(self, shape: tuple[int, ...]) -> tuple[FieldHW, FieldHW]:
        """Of every pixel: how far behind the tip along the shaft, and how far below its axis (across it)."""
        row_mm, column_mm = self.spacing_mm
        back = (self.entry_xy - self.tip_xy) * (column_mm, row_mm)
        back = back / max(float(np.hypot(*back)), 1e-6)
        down = np.array([back[1], -back[0]]) * (1 if back[0] < 0 else -1)
        x_mm = (np.arange(shape[1], dtype=np.float32) - np.float32(self.tip_xy[0])) * np.float32(column_mm)
        y_mm = (np.arange(shape[0], dtype=np.float32) - np.float32(self.tip_xy[1]))[:, None] * np.float32(row_mm)
        along = x_mm * np.float32(back[0]) + y_mm * np.float32(back[1])
        across = x_mm * np.float32(down[0]) + y_mm * np.float32(down[1])
        return along, across

    def columns(self, width: int) -> slice:
        """Of an image of this width: from what is seen before the tip to the side where the needle comes in."""
        before_px = round(SEEN_BEFORE_TIP_MM / self.spacing_mm[1])
        tip_x = int(self.tip_xy[0])
        if self.entry_xy[0] > self.tip_xy[0]:
            return slice(max(tip_x - before_px, 0), width)
        return slice(0, min(tip_x + before_px + 1, width))

    def seen_from(self, column: int) -> Shaft:
        """The same needle in an image that begins at this column."""
        shift = np.array([column, 0.0])
        return dataclasses.replace(self, tip_xy=self.tip_xy - shift, entry_xy=self.entry_xy - shift)


def paint_needle(sample: Sample, rng: Generator) -> Sample:
    """Adds a needle in plane: image, labels, tip and entry. Frames that show one, or have no room, stay as they are."""
    shaft = _shaft_with_room(sample, rng)
    return sample if shaft is None else _with_needle(sample, shaft, rng)


def paint_advancing_needle(samples: Sequence[Sample], rng: Generator) -> list[Sample]:
    """Adds one needle to all frames of a clip, pushed forward from each to the next, or held still now and then."""
    shaft = _shaft_with_room(samples[-1], rng)
    if shaft is None or any(_shows_needle(sample) for sample in samples):
        return list(samples)
    step_mm, seed = max(float(rng.uniform(-0.2, FASTEST_STEP_MM)), 0.0), int(rng.integers(2**63))
    moments = zip(samples, reversed(range(len(samples))), strict=True)
    return [
        _with_needle(sample, shaft.withdrawn(number * step_mm), np.random.default_rng(seed))
        for sample, number in moments
    ]


def paint_endless_line(sample: Sample, rng: Generator) -> Sample:
    """Adds a bright line from edge to edge, as deep fascia makes it: what a needle is not."""
    spacing_mm = _spacing(sample)
    height, width = sample.image_HW.shape
    middle = np.array([rng.uniform(0.2, 0.8) * width, rng.uniform(0.15, 0.9) * height])
    angle = math.radians(rng.uniform(-50, 50))
    far = middle + np.array([math.cos(angle), math.sin(angle)]) * 2 * math.hypot(height, width)
    along, across = Shaft(middle, far, spacing_mm, 1.0).coordinates_mm(sample.image_HW.shape)
    across = across + np.float32(rng.uniform(-0.01, 0.01)) * along**2 / 4
    thickness = rng.uniform(0.3, 1.6)
    echo_HW = _ridge(across, thickness) * _patches(along, rng)
    for copy in range(1, int(rng.integers(1, 4))):
        echo_HW += 0.3**copy * _ridge(across - np.float32(copy * 2.5 * thickness), thickness) * _patches(along, rng)
    echo_HW *= np.float32(rng.uniform(40, 200)) * _grain(across.shape, rng)
    return dataclasses.replace(sample, image_HW=_added(sample.image_HW, echo_HW))


def _shaft_with_room(sample: Sample, rng: Generator) -> Shaft | None:
    if _shows_needle(sample):
        return None
    behind_bone_HW = _behind_bone(sample.labels_HW)
    for _ in range(NUM_TRIES):
        shaft = _random_shaft(sample, rng)
        if _has_room(shaft, sample.image_HW, behind_bone_HW):
            return shaft
    return None


def _shows_needle(sample: Sample) -> bool:
    return bool((sample.labels_HW == NEEDLE).any() or (sample.landmarks_K3[:2, 2] == IN_IMAGE).any())


def _random_shaft(sample: Sample, rng: Generator) -> Shaft:
    height, width = sample.image_HW.shape
    row_mm, column_mm = _spacing(sample)
    tip_xy = np.array([rng.uniform(0.12, 0.88) * width, rng.uniform(0.15, 0.85) * height])
    angle, side = math.radians(rng.uniform(FLATTEST_DEG, STEEPEST_DEG)), rng.choice([-1, 1])
    way = np.array([side * math.cos(angle) / column_mm, -math.sin(angle) / row_mm])
    beyond = tip_xy + way * (height * row_mm + width * column_mm) * 2
    entry_xy = last_point_inside(tip_xy, beyond, sample.image_HW.shape)
    return Shaft(tip_xy, entry_xy, (row_mm, column_mm), float(rng.choice(OUTER_DIAMETERS_MM)))


def _behind_bone(labels_HW: LabelsHW) -> npt.NDArray[np.bool_]:
    bone_HW = np.isin(labels_HW, BONES)
    return np.logical_or.accumulate(bone_HW, axis=0) if bone_HW.any() else bone_HW


def _has_room(shaft: Shaft, image_HW: ImageHW, behind_bone_HW: npt.NDArray[np.bool_]) -> bool:
    """Whether there is a shaft to see, through tissue that shows something, and nowhere behind bone."""
    height, width = image_HW.shape
    way = shaft.entry_xy - shaft.tip_xy
    num_points = max(int(np.abs(way).max()), 1)
    axis_xy = shaft.tip_xy + np.linspace(0, 1, num_points)[:, None] * way
    half_rows = shaft.diameter_mm / shaft.spacing_mm[0] / 2
    x = np.clip(np.rint(axis_xy[:, 0]).astype(np.intp), 0, width - 1)
    y = np.rint(axis_xy[:, 1] + half_rows * np.array([[-1.0], [0.0], [1.0]])).clip(0, height - 1).astype(np.intp)
    return bool(
        num_points >= FEWEST_POINTS and image_HW[y, x].mean() > DARKEST_TISSUE and not behind_bone_HW[y, x].any()
    )


def _with_needle(sample: Sample, shaft: Shaft, rng: Generator) -> Sample:
    """The sample with a needle; only the columns from a little before its tip to its entry's side are painted."""
    columns = shaft.columns(sample.image_HW.shape[1])
    image_HW, labels_HW = sample.image_HW.copy(), sample.labels_HW.copy()
    image_HW[:, columns], body_HW = _painted(image_HW[:, columns], shaft.seen_from(columns.start), rng)
    labels_HW[:, columns][body_HW] = NEEDLE
    landmarks_K3 = sample.landmarks_K3.copy()
    landmarks_K3[LANDMARKS.index("needle_tip")] = (*shaft.tip_xy, IN_IMAGE)
    landmarks_K3[LANDMARKS.index("needle_entry")] = (*shaft.entry_xy, IN_IMAGE)
    return dataclasses.replace(sample, image_HW=image_HW, labels_HW=labels_HW, landmarks_K3=landmarks_K3)


def _painted(image_HW: ImageHW, shaft: Shaft, rng: Generator) -> tuple[ImageHW, npt.NDArray[np.bool_]]:
    """An image with a needle, and the pixels of its body."""
    along, across = shaft.coordinates_mm(image_HW.shape)
    look = _LOOKS[rng.integers(len(_LOOKS))]
    echo_HW = look(image_HW, shaft, along, across, rng)
    shade_HW = 1 - np.float32(rng.uniform(0, 0.3)) * _smooth_step(across / 2) * _smooth_step(along / 3)
    body_HW = (along >= 0) & (np.abs(across) <= shaft.diameter_mm / 2)
    return _added(image_HW * shade_HW, echo_HW * _grain(echo_HW.shape, rng)), body_HW


def thin_needle(image_HW: ImageHW, shaft: Shaft, along: FieldHW, across: FieldHW, rng: Generator) -> FieldHW:
    """Thin needle, fine probe: a dim patchy line of 0.3 mm, about 2:1, and a thicker, brighter last 3 mm."""
    bevel_mm = rng.uniform(2.0, 3.5)
    upper = _ridge(across + np.float32(shaft.diameter_mm / 2), 0.35) * _patches(along, rng)
    lower = 0.2 * _ridge(across - np.float32(shaft.diameter_mm / 2), 0.35) * _patches(along, rng)
    distal = _smooth_step((bevel_mm - along) / 0.5) * _ridge(across, 0.4 + 0.3 * rng.random()) * rng.uniform(0.7, 1.6)
    shaft_only = _smooth_step((along - bevel_mm / 2) / 0.8)
    tissue = cv2.blur(image_HW.astype(np.float32), (25, 25))
    ratio = rng.uniform(0.6, 1.6)
    return ((upper + lower) * shaft_only + distal) * _ends_at_tip(along) * (ratio * tissue + 12)


def granular_needle(image_HW: ImageHW, shaft: Shaft, along: FieldHW, across: FieldHW, rng: Generator) -> FieldHW:
    """Thick needle, high gain: a band of short dashes, brightest at the tip, ring-down haze under its distal half."""
    thickness = shaft.diameter_mm * rng.uniform(1.1, 1.7)
    toward_tip = (0.35 + 0.65 * np.exp(-np.maximum(along, 0) / rng.uniform(6, 20))).astype(np.float32)
    dashes = np.clip(2.2 * _grain(image_HW.shape, rng, contrast=0.6) - 1.2, 0, 1.6)
    band = _ridge(across, thickness) * dashes * toward_tip
    columns = _smooth_columns(image_HW.shape[1], rng)
    distal = _smooth_step(along / 1.0) * _smooth_step((rng.uniform(8, 20) - along) / 3)
    haze = 0.35 * columns * distal * _smooth_step(across / 0.8) * np.exp(-np.maximum(across, 0) / rng.uniform(4, 15))
    lobes = 0.12 * _ridge(across + np.float32(rng.uniform(5, 8)), 0.6) * _patches(along, rng)
    return np.asarray(((band + lobes) * _ends_at_tip(along) + haze) * rng.uniform(70, 190), np.float32)


def double_needle(image_HW: ImageHW, shaft: Shaft, along: FieldHW, across: FieldHW, rng: Generator) -> FieldHW:
    """Homogeneous surroundings: both walls as crisp lines, thickest in the middle, fading at both ends."""
    length_mm = float(along[along.shape[0] // 2].max()) if along.size else 1.0
    middle = np.clip(along / max(length_mm, 1.0), 0, 1)
    envelope = (0.35 + 0.65 * np.sin(np.pi * middle)).astype(np.float32)
    gap = max(shaft.diameter_mm, 0.6) / 2
    walls = _ridge(across + np.float32(gap), 0.25) + rng.uniform(0.5, 1.0) * _ridge(across - np.float32(gap), 0.25)
    copies = rng.uniform(0, 0.3) * _ridge(across - np.float32(3 * gap), 0.3)
    tissue = float(image_HW.mean())
    return (walls + copies) * envelope * _patches(along, rng) * _ends_at_tip(along) * (tissue + rng.uniform(40, 120))


_LOOKS: tuple[Callable[[ImageHW, Shaft, FieldHW, FieldHW, Generator], FieldHW], ...] = (
    thin_needle,
    thin_needle,
    granular_needle,
    double_needle,
)


def _spacing(sample: Sample) -> tuple[float, float]:
    """The sample's scale, or a plausible one where it has none."""
    if math.isnan(sample.spacing_mm[0]):
        side_mm = TYPICAL_WIDTH_MM / sample.image_HW.shape[1]
        return side_mm, side_mm
    return sample.spacing_mm


def _ridge(distance_mm: FieldHW, width_mm: float) -> FieldHW:
    """A Gaussian profile of this full width at half maximum."""
    return np.asarray(np.exp(np.float32(-4 * math.log(2) / width_mm**2) * distance_mm * distance_mm))


def _smooth_step(x: FieldHW) -> FieldHW:
    """0 below -0.5, 1 above 0.5."""
    return np.asarray(np.clip(x + np.float32(0.5), 0, 1))


def _ends_at_tip(along: FieldHW) -> FieldHW:
    return _smooth_step(along / np.float32(0.3))


def _patches(along: FieldHW, rng: Generator) -> FieldHW:
    """Brightness that varies along the line in patches of 2 to 6 mm."""
    knots = rng.uniform(0.35, 1.5, size=64).astype(np.float32)
    position = np.abs(along) * np.float32(1 / rng.uniform(2, 6))
    return np.asarray(cv2.remap(knots[None], position, np.zeros_like(position), cv2.INTER_LINEAR, None, BORDER))


def _grain(shape: tuple[int, ...], rng: Generator, contrast: float = 0.3) -> FieldHW:
    """Speckle around 1, wider across the beam than along it."""
    height, width = shape[:2]
    coarse = grains(height, max(width // 4, 1), rng)
    return np.asarray(np.maximum(1 + contrast * cv2.resize(coarse, (width, height)), 0), np.float32)


def _smooth_columns(width: int, rng: Generator) -> FieldHW:
    coarse = rng.exponential(0.5, size=(1, width)).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(coarse, (0, 0), rng.uniform(1.0, 3.0)))


def _added(image_HW: FieldHW, echo_HW: FieldHW) -> ImageHW:
    """Echo on top of tissue; a log-compressed sum grows less where the tissue is bright already."""
    grey = np.asarray(image_HW, np.float32)
    return np.clip(grey + echo_HW * (1 - grey / 400), 0, 255).astype(np.uint8)
