"""Corruptions that cover a part of the picture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt

from hipseg.evaluation.robustness.scene import Scene, hidden
from hipseg.frame import ImageHW

Generator = np.random.Generator

_RING_DOWN_MM = 1.5
"""Distance of the bands that an unloaded probe shows: its lens and matching layers ring."""
_DECAY_MM = 6.0
_EDGE_SHARE = 0.02


def furniture(scene: Scene, num_items: float, rng: Generator) -> Scene:
    """`num_items` marks that a scanner or its user draws over the picture: callipers, text, arrows, boxes."""
    image_HW = scene.image_HW.copy()
    for _ in range(round(num_items)):
        _ITEMS[rng.integers(len(_ITEMS))](image_HW, rng)
    return replace(scene, image_HW=image_HW)


def lost_contact(scene: Scene, lost_share: float, rng: Generator) -> Scene:
    """One side of the probe off the skin: `lost_share` of the lines ring down and are dark below.

    What lies under them cannot be seen, so nobody is asked for it: it is ignored in the mask, landmarks are unknown.
    """
    height, width = scene.image_HW.shape
    from_left = bool(rng.random() < 0.5)
    columns = np.arange(width) if from_left else np.arange(width)[::-1]
    lost_W = np.clip((lost_share * width - columns) / max(_EDGE_SHARE * width, 1.0), 0, 1)
    depth_mm_H = np.arange(height) * scene.mm_per_px[0]
    ring_H = 150 * np.exp(-depth_mm_H / _DECAY_MM) * (0.6 + 0.4 * np.cos(2 * np.pi * depth_mm_H / _RING_DOWN_MM))
    grain_HW = rng.rayleigh(6.0, (height, width))
    image_HW = (1 - lost_W) * scene.image_HW + lost_W * (ring_H[:, None] + grain_HW)
    covered_HW = np.broadcast_to(lost_W > 0, (height, width))
    return hidden(replace(scene, image_HW=np.clip(np.rint(image_HW), 0, 255).astype(np.uint8)), covered_HW)


def _calliper(image_HW: ImageHW, rng: Generator) -> None:
    """Two crosses and the dotted line between them."""
    start, end = _point(image_HW, rng), _point(image_HW, rng)
    grey, arm = _ink(rng), _size(image_HW, 0.012)
    for x, y in (start, end):
        cv2.line(image_HW, (x - arm, y), (x + arm, y), grey, 1)
        cv2.line(image_HW, (x, y - arm), (x, y + arm), grey, 1)
    for x, y in np.rint(np.linspace(start, end, 24)).astype(int):
        image_HW[y, x] = grey


def _text(image_HW: ImageHW, rng: Generator) -> None:
    letters = "".join(chr(code) for code in rng.integers(65, 91, size=rng.integers(3, 10)))
    scale = _size(image_HW, 0.05) / 22
    cv2.putText(image_HW, letters, _point(image_HW, rng), cv2.FONT_HERSHEY_SIMPLEX, scale, _ink(rng), 1, cv2.LINE_AA)


def _arrow(image_HW: ImageHW, rng: Generator) -> None:
    x, y = _point(image_HW, rng)
    reach = _size(image_HW, 0.08)
    tip = (x + int(rng.integers(-reach, reach + 1)), y + int(rng.integers(-reach, reach + 1)))
    cv2.arrowedLine(image_HW, (x, y), tip, _ink(rng), 2, cv2.LINE_AA, tipLength=0.3)


def _box(image_HW: ImageHW, rng: Generator) -> None:
    """A filled box with a grey ramp or a number: a colour bar, a thumbnail, a measurement."""
    x, y = _point(image_HW, rng)
    width, height = _size(image_HW, 0.1), _size(image_HW, 0.05)
    cv2.rectangle(image_HW, (x, y), (x + width, y + height), int(rng.integers(20, 70)), cv2.FILLED)
    cv2.rectangle(image_HW, (x, y), (x + width, y + height), _ink(rng), 1)
    number = f"{rng.uniform(1, 99):.1f}"
    cv2.putText(image_HW, number, (x + 3, y + height - 3), cv2.FONT_HERSHEY_SIMPLEX, height / 40, _ink(rng), 1)


_ITEMS: tuple[Callable[[ImageHW, Generator], None], ...] = (_calliper, _text, _arrow, _box)


def _point(image_HW: npt.NDArray[np.uint8], rng: Generator) -> tuple[int, int]:
    height, width = image_HW.shape
    return int(rng.integers(0, width)), int(rng.integers(0, height))


def _size(image_HW: npt.NDArray[np.uint8], share: float) -> int:
    shorter: int = min(image_HW.shape)
    return max(round(share * shorter), 4)


def _ink(rng: Generator) -> int:
    return int(rng.integers(170, 256))
