"""Ultrasound-aware augmentation: how the probe was held, and how scanner and recorder render it.

The only file that imports albumentations. A sample goes onto the network's grid in one movement that takes mask,
landmarks and scale along (see `motion`); looks are changed there, where they are cheap. Needles are painted before, at
the resolution of the image: what is thin must be averaged as real echoes are.
"""

from __future__ import annotations

import dataclasses
import os
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"  # it would ask the network for a newer release
import albumentations as A  # noqa: N812

from hipseg.anatomy import LANDMARKS
from hipseg.data import effects
from hipseg.data.clips import Sway
from hipseg.data.motion import Motion, Sampling, draw_motion
from hipseg.data.needle_painting import paint_advancing_needle, paint_endless_line, paint_needle
from hipseg.data.reading import ImageHW
from hipseg.data.sample import (
    ABSENT,
    IN_IMAGE,
    GridSample,
    LandmarksK3,
    Sample,
    last_point_inside,
    on_grid,
    resampled,
)
from hipseg.errors import UsageError, nearest_name
from hipseg.runtime.grid import Grid

_SMOOTHLY = {"downscale": cv2.INTER_AREA, "upscale": cv2.INTER_LINEAR}
TIP, ENTRY = LANDMARKS.index("needle_tip"), LANDMARKS.index("needle_entry")


@dataclass
class AugmentConfig:
    """How strongly to augment; 0 switches a part off. Presets in configs/augment.

    Attributes:
        flip: probability of a horizontal flip; left and right hips, and needles from either side, are alike.
        crop: most that is cut from each border, part of the image's side: depth and zoom.
        pad: most black margin that is added at each border, part of the image's side.
        rotation_deg, shear_deg: to either side.
        aspect: most that height or width is stretched or shrunk, as a fraction.
        warp: probability of a slight elastic deformation (tissue pressed by the probe).
        look: probability of each change of look.
        look_strength: about 0.5 mild, 1 strong.
        furniture: probability that scanner furniture is drawn in.
        needle: probability that a frame without a needle gets one painted in.
        endless_line: probability that a bright line from edge to edge is painted in, which is no needle.
    """

    flip: float = 0.0
    crop: float = 0.0
    pad: float = 0.0
    rotation_deg: float = 0.0
    shear_deg: float = 0.0
    aspect: float = 0.0
    warp: float = 0.0
    look: float = 0.0
    look_strength: float = 1.0
    furniture: float = 0.0
    needle: float = 0.0
    endless_line: float = 0.0

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> AugmentConfig:
        """A configuration from a YAML file's values. Raises UsageError for an unknown key or a value below 0."""
        known = [field.name for field in dataclasses.fields(cls)]
        for name, value in values.items():
            if name not in known:
                raise UsageError(f"augment has no key '{name}'", mend=nearest_name(name, known))
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not value >= 0:
                raise UsageError(f"augment.{name} is {value!r}", expected="a number from 0 up")
        return cls(**values)


class Augmentation:
    """Augments samples; what happens to a sample depends on the generator handed in and on nothing before it."""

    def __init__(self, config: AugmentConfig) -> None:
        self.config = config
        self._look = A.Compose([look for look in _looks(config).values() if look.p > 0])
        self._moves = any((config.flip, config.crop, config.pad, config.warp)) or _is_tilted(config)

    def move(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Another hold of the probe, at the resolution of the sample: mask, landmarks and scale follow the image.

        Landmarks that leave the image become absent; a needle's entry moves along the shaft to the image's edge.
        """
        motion = draw_motion(self.config, sample.image_HW.shape, rng)
        return _moved(sample, motion, motion.whole())

    def render(self, image_HW: ImageHW, rng: np.random.Generator) -> ImageHW:
        """Another look of the same image, uint8 [H, W]."""
        _reseed(self._look, rng)
        return np.asarray(self._look(image=image_HW)["image"], np.uint8)

    def paint(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Puts in what the frame did not have: a needle, or a line that is none."""
        with_line, with_needle = rng.random(2) < (self.config.endless_line, self.config.needle)
        if with_line:
            sample = paint_endless_line(sample, rng)
        return paint_needle(sample, rng) if with_needle else sample

    def paint_clip(self, samples: Sequence[Sample], rng: np.random.Generator) -> list[Sample]:
        """As `paint`, for frames in a row: a line stays where it is, a needle is pushed forward."""
        with_line, with_needle = rng.random(2) < (self.config.endless_line, self.config.needle)
        painted, seed = list(samples), int(rng.integers(2**63))
        if with_line:
            painted = [paint_endless_line(sample, np.random.default_rng(seed)) for sample in painted]
        return paint_advancing_needle(painted, rng) if with_needle else painted

    def __call__(self, sample: Sample, size: int, rng: np.random.Generator) -> GridSample:
        """Moves a sample onto a grid of `size` cells and renders it anew; `paint` comes before, if at all."""
        if self._moves:
            motion = draw_motion(self.config, sample.image_HW.shape, rng)
            grid = Grid(motion.height, motion.width, size)
            sample = _moved(sample, motion, motion.to(*_occupied_cells(grid)))
        else:
            height, width = sample.image_HW.shape
            grid = Grid(height, width, size)
            sample = resampled(sample, grid)
        return on_grid(dataclasses.replace(sample, image_HW=self.render(sample.image_HW, rng)), grid)

    def clip(
        self, samples: Sequence[Sample], sway: Sequence[Sway], size: int, rng: np.random.Generator
    ) -> list[GridSample]:
        """Moves the frames of a clip onto a grid, all by one motion and with one look, each after its own sway."""
        motion = draw_motion(self.config, samples[0].image_HW.shape, rng)
        grid, seed = Grid(motion.height, motion.width, size), int(rng.integers(2**63))
        placed = []
        for sample, small in zip(samples, sway, strict=True):
            whole = motion.after(small.matrix_33, small.control)
            moved = _moved(sample, whole, whole.to(*_occupied_cells(grid)))
            image_HW = self.render(moved.image_HW, np.random.default_rng(seed))
            placed.append(on_grid(dataclasses.replace(moved, image_HW=image_HW), grid))
        return placed


def _moved(sample: Sample, motion: Motion, sampling: Sampling) -> Sample:
    row_mm, column_mm = sample.spacing_mm
    stretch_x, stretch_y = sampling.stretch_xy
    points_xy = sampling.points(sample.landmarks_K3[:, :2])
    landmarks_K3 = np.column_stack([points_xy, sample.landmarks_K3[:, 2]])
    return dataclasses.replace(
        sample,
        image_HW=sampling.image(sample.image_HW),
        labels_HW=sampling.labels(sample.labels_HW),
        landmarks_K3=_within(landmarks_K3, (sampling.height, sampling.width)),
        spacing_mm=(row_mm / stretch_y, column_mm / stretch_x),
        mirrored=sample.mirrored != motion.mirrored,
    )


def _occupied_cells(grid: Grid) -> tuple[npt.NDArray[np.float64], int, int]:
    """From the image's pixels to the cells it lies on, and their number of rows and columns."""
    rows, columns = grid.occupied
    matrix_23 = grid.affine()
    matrix_23[:, 2] -= (columns.start, rows.start)
    return matrix_23, rows.stop - rows.start, columns.stop - columns.start


class _Effect(A.ImageOnlyTransform):  # type: ignore[misc]
    """One of our own effects as albumentations knows transforms."""

    def __init__(self, effect: Callable[[ImageHW, np.random.Generator, float], ImageHW], strength: float, p: float):
        super().__init__(p=p)
        self.effect, self.strength = effect, strength

    def apply(self, img: ImageHW, **params: Any) -> ImageHW:  # noqa: ARG002
        return self.effect(img, self.random_generator, self.strength)


def _is_tilted(config: AugmentConfig) -> bool:
    return bool(config.rotation_deg or config.shear_deg or config.aspect)


def _looks(config: AugmentConfig) -> dict[str, A.BasicTransform]:
    """Changes of look by name, in the order in which a scanner and a recorder make them."""
    p, strength = config.look, config.look_strength
    return {
        "reverberation": _Effect(effects.reverberation, strength, p / 3),
        "haze": _Effect(effects.haze, strength, p / 2),
        "speckle": _Effect(effects.speckle, strength, p),
        "shadow wedges": _Effect(effects.shadow, strength, p / 2),
        "contact loss": _Effect(effects.contact_loss, strength, p / 3),
        "blur or edge enhancement": A.OneOf(
            [A.GaussianBlur(sigma_limit=(0.3, 0.5 + strength)), A.Sharpen(alpha=(0.1, 0.1 + 0.4 * strength))], p=p
        ),
        "time gain": _Effect(effects.time_gain, strength, p),
        "gain": _Effect(effects.overall_gain, strength, p),
        "dynamic range": _Effect(effects.dynamic_range, strength, p),
        "grey map": _Effect(effects.grey_map, strength, p / 2),
        "low resolution": A.Downscale(scale_range=(1 - 0.5 * strength, 1.0), interpolation_pair=_SMOOTHLY, p=p / 3),
        "furniture": _Effect(effects.furniture, strength, config.furniture),
        "compression": A.ImageCompression(quality_range=(int(100 - 60 * strength), 95), p=p / 2),
    }


Part = Callable[[Sample, np.random.Generator], Sample]


def parts_of(config: AugmentConfig) -> dict[str, Part]:
    """Every part of an augmentation that is switched on, by name, each alone and sure to happen."""
    chances = {"flip", "warp"}
    moves = {
        name: getattr(config, name) for name in ("flip", "crop", "pad", "rotation_deg", "shear_deg", "aspect", "warp")
    }
    parts: dict[str, Part] = {
        _TITLES.get(name, name): _surely(Augmentation(AugmentConfig(**{name: 1.0 if name in chances else value})).move)
        for name, value in moves.items()
        if value > 0
    }
    if config.needle > 0:
        parts["needle"] = paint_needle
    if config.endless_line > 0:
        parts["endless line"] = paint_endless_line
    looks = {name: look for name, look in _looks(config).items() if look.p > 0}
    return parts | {name: _look_alone(look) for name, look in looks.items()}


_TITLES = {"crop": "zoom", "pad": "depth", "rotation_deg": "rotation", "shear_deg": "shear", "warp": "pressed tissue"}
_TRIES = 20


def _surely(move: Part) -> Part:
    """Draws again until something moved: parts of a motion are drawn together and may all stay out."""

    def moved(sample: Sample, rng: np.random.Generator) -> Sample:
        for _ in range(_TRIES):
            result = move(sample, rng)
            if not np.array_equal(result.image_HW, sample.image_HW):
                break
        return result

    return moved


def _look_alone(look: A.BasicTransform) -> Part:
    look.p = 1.0
    alone = A.Compose([look])

    def changed(sample: Sample, rng: np.random.Generator) -> Sample:
        _reseed(alone, rng)
        return dataclasses.replace(sample, image_HW=np.asarray(alone(image=sample.image_HW)["image"], np.uint8))

    return changed


def _reseed(compose: A.Compose, rng: np.random.Generator) -> None:
    """Hands the generator down, so that a sample does not depend on the samples before it."""
    compose.set_random_state(rng, random.Random(int(rng.integers(2**63))))


def _within(landmarks_K3: LandmarksK3, shape: tuple[int, ...]) -> LandmarksK3:
    """Landmarks outside an image of this shape become absent, after the entry was drawn along the shaft to its edge."""
    inside_K3 = landmarks_K3.copy()
    if np.all(landmarks_K3[[TIP, ENTRY], 2] == IN_IMAGE) and _is_inside(landmarks_K3[TIP], shape):
        inside_K3[ENTRY, :2] = last_point_inside(landmarks_K3[TIP, :2], landmarks_K3[ENTRY, :2], shape)
    for row in inside_K3:
        if row[2] == IN_IMAGE and not _is_inside(row, shape):
            row[2] = ABSENT
    return inside_K3


def _is_inside(point: npt.NDArray[np.float64], shape: tuple[int, ...]) -> bool:
    return bool(-0.5 <= point[0] < shape[1] - 0.5 and -0.5 <= point[1] < shape[0] - 0.5)
