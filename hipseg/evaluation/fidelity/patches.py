"""What the classifiers look at: patches of equal size in millimetres, and whole pictures on one canvas."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hipseg.evaluation.fidelity.pictures import ImageHW, Picture, at_scale, trimmed

PATCH_PX, PATCH_MM_PER_PX = 64, 0.1
WHOLE_SHAPE, WHOLE_MM_PER_PX = (72, 128), 0.4
_DARKEST_PATCH = 2.0


@dataclass(frozen=True, slots=True)
class Sample:
    """Images of one size with where they come from.

    Attributes:
        images_NHW: grey levels.
        is_real_N: 1 for real ones.
        groups_N: names of persons.
    """

    images_NHW: npt.NDArray[np.uint8]
    is_real_N: npt.NDArray[np.int64]
    groups_N: npt.NDArray[np.str_]


def patch_sample(
    real: Sequence[Picture], simulated: Sequence[Picture], rng: np.random.Generator, *, per_picture: int = 10
) -> Sample:
    """Patches of 6.4 mm at random places, as many of each picture."""
    return _sample(real, simulated, lambda picture: _patches(picture, per_picture, rng))


def whole_sample(real: Sequence[Picture], simulated: Sequence[Picture]) -> Sample:
    """Whole pictures at 0.4 mm a pixel on a canvas of 51 x 29 mm, cut or filled with black below and at the sides."""
    return _sample(real, simulated, lambda picture: [_whole(picture)])


def _sample(
    real: Sequence[Picture], simulated: Sequence[Picture], images_of: Callable[[Picture], list[ImageHW]]
) -> Sample:
    images, is_real, groups = [], [], []
    for origin, pictures in ((1, real), (0, simulated)):
        for picture in pictures:
            for image in images_of(picture):
                images.append(image)
                is_real.append(origin)
                groups.append(picture.group)
    return Sample(np.stack(images), np.array(is_real), np.array(groups))


def _patches(picture: Picture, count: int, rng: np.random.Generator) -> list[ImageHW]:
    image = at_scale(trimmed(picture), picture.spacing_mm, PATCH_MM_PER_PX)
    height, width = image.shape
    if height < PATCH_PX or width < PATCH_PX:
        return []
    corners = zip(
        rng.integers(0, height - PATCH_PX + 1, 3 * count), rng.integers(0, width - PATCH_PX + 1, 3 * count), strict=True
    )
    cut = (image[y : y + PATCH_PX, x : x + PATCH_PX] for y, x in corners)
    return [patch for patch in cut if patch.mean() > _DARKEST_PATCH][:count]


def _whole(picture: Picture) -> ImageHW:
    image = at_scale(trimmed(picture), picture.spacing_mm, WHOLE_MM_PER_PX)[: WHOLE_SHAPE[0], : WHOLE_SHAPE[1]]
    canvas = np.zeros(WHOLE_SHAPE, np.uint8)
    left = (WHOLE_SHAPE[1] - image.shape[1]) // 2
    canvas[: image.shape[0], left : left + image.shape[1]] = image
    return canvas
