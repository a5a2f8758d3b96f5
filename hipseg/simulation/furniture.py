"""What screens lay over and around a scan: marks, ticks, text, a logo, a grey bar, a colour box.

None of it moves truth: the image keeps its size and scale.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

from hipseg.simulation.probe import Probe

ImageHW = npt.NDArray[np.uint8]
_WORDS = (
    "MSK",
    "Hip",
    "B",
    "Res",
    "L12-5",
    "MI 0.9",
    "TIS 0.4",
    "G 58",
    "DR 65",
    "0.7",
    "2D",
    "Gen",
    "RT HIP",
    "LT HIP",
)


def paint_furniture(image_HW: ImageHW, probe: Probe, rng: np.random.Generator) -> None:
    """Lays a random choice of marks over the scan's edge; always an orientation mark. Changes the image."""
    level = int(rng.integers(110, 230))
    _orientation_mark(image_HW, level, rng)
    for painter, share in _PAINTERS:
        if rng.random() < share:
            painter(image_HW, probe, level, rng)


def _orientation_mark(image_HW: ImageHW, level: int, rng: np.random.Generator) -> None:
    width = image_HW.shape[1]
    radius = max(int(0.008 * width), 2)
    x = int(width * rng.choice([rng.uniform(0.01, 0.12), rng.uniform(0.88, 0.99)]))
    cv2.circle(image_HW, (x, int(rng.uniform(0.2, 2.5) * radius)), radius, level, cv2.FILLED, cv2.LINE_AA)


def _ticks(image_HW: ImageHW, probe: Probe, level: int, rng: np.random.Generator) -> None:
    """Every 5 or 10 mm of depth, at the right edge."""
    height, width = image_HW.shape
    step_px, length = float(rng.choice([5.0, 10.0])) / probe.pixel_mm, int(rng.integers(3, 8))
    for y in np.arange(step_px, height, step_px):
        image_HW[int(y), width - length :] = level


def _text(image_HW: ImageHW, probe: Probe, level: int, rng: np.random.Generator) -> None:
    """One to four settings, in a corner or along the left edge."""
    del probe
    height, width = image_HW.shape
    size = 0.0011 * height
    line_px = max(int(34 * size), 8)
    x, y = int(width * rng.choice([0.01, 0.8])), int(rng.choice([line_px, 0.85 * height]))
    for number, word in enumerate(rng.choice(_WORDS, size=int(rng.integers(1, 5)), replace=False)):
        place = (x, y + number * line_px)
        cv2.putText(image_HW, str(word), place, cv2.FONT_HERSHEY_SIMPLEX, size, level, 1, cv2.LINE_AA)


def _logo(image_HW: ImageHW, probe: Probe, level: int, rng: np.random.Generator) -> None:
    """A few strokes in an upper corner."""
    del probe
    height, width = image_HW.shape
    size = int(rng.uniform(0.03, 0.06) * height)
    left, top = int(width * rng.choice([0.01, 0.93])), int(0.02 * height)
    points = np.array([left, top]) + rng.integers(0, max(size, 2), (5, 2))
    cv2.polylines(image_HW, [points.astype(np.int32)], bool(rng.random() < 0.5), level, 2, cv2.LINE_AA)


def _grey_bar(image_HW: ImageHW, probe: Probe, level: int, rng: np.random.Generator) -> None:
    """The grey map, white above, at the left or right edge."""
    del probe, level
    height, width = image_HW.shape
    length, thickness = int(rng.uniform(0.25, 0.5) * height), max(int(0.012 * width), 3)
    left = int(rng.choice([2, width - thickness - 2]))
    top = int(rng.uniform(0.05, 0.4) * height)
    image_HW[top : top + length, left : left + thickness] = np.linspace(255, 0, length).astype(np.uint8)[:, None]


def _colour_box(image_HW: ImageHW, probe: Probe, level: int, rng: np.random.Generator) -> None:
    """The frame of a Doppler box without flow, upright or steered."""
    del probe
    height, width = image_HW.shape
    left, top = int(rng.uniform(0.1, 0.45) * width), int(rng.uniform(0.1, 0.4) * height)
    size_x, size_y = int(rng.uniform(0.25, 0.45) * width), int(rng.uniform(0.3, 0.5) * height)
    lean = int(size_y * np.tan(np.radians(rng.choice([-15.0, 0.0, 15.0]))))
    corners = [(left, top), (left + size_x, top), (left + size_x + lean, top + size_y), (left + lean, top + size_y)]
    cv2.polylines(
        image_HW, [np.array(corners, np.int32)], isClosed=True, color=level, thickness=1, lineType=cv2.LINE_AA
    )


_PAINTERS: tuple[tuple[Callable[[ImageHW, Probe, int, np.random.Generator], None], float], ...] = (
    (_ticks, 0.6),
    (_text, 0.35),
    (_logo, 0.25),
    (_grey_bar, 0.2),
    (_colour_box, 0.06),
)
"""What is painted, and how often."""
