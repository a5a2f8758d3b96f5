"""Signed distances of simple bodies and how they blend. Negative is inside, millimetres, any array shape.

Distances are exact for spheres and cones of small taper and first-order for ellipses, after I. Quilez,
"Distance functions" (the ellipse bound k0 (k0 - 1) / k1).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
"""float32 throughout the simulator: twice as fast as float64, and what OpenCV filters."""


def sphere(x: Array, y: Array, z: Array, radius: float) -> Array:
    """Distance to a sphere about the origin."""
    distance: Array = np.sqrt(x * x + y * y + z * z) - radius
    return distance


def ellipse(x: Array, y: Array, semi_x: float | Array, semi_y: float | Array) -> Array:
    """First-order distance to an axis-aligned ellipse about the origin."""
    scaled = np.sqrt((x / semi_x) ** 2 + (y / semi_y) ** 2) + 1e-6
    slope = np.sqrt((x / semi_x**2) ** 2 + (y / semi_y**2) ** 2) + 1e-6
    return scaled * (scaled - 1) / slope


def ellipsoid(x: Array, y: Array, z: Array, semi_x: float, semi_y: float, semi_z: float) -> Array:
    """First-order distance to an axis-aligned ellipsoid about the origin."""
    scaled = np.sqrt((x / semi_x) ** 2 + (y / semi_y) ** 2 + (z / semi_z) ** 2) + 1e-6
    slope = np.sqrt((x / semi_x**2) ** 2 + (y / semi_y**2) ** 2 + (z / semi_z**2) ** 2) + 1e-6
    distance: Array = scaled * (scaled - 1) / slope
    return distance


def rod(
    x: Array, y: Array, z: Array, start: tuple[float, float, float], end: tuple[float, float, float], radius: float
) -> Array:
    """Distance to a round rod with hemispherical ends; exact."""
    axis = np.subtract(end, start)
    dx, dy, dz = (value - np.float32(origin) for value, origin in zip((x, y, z), start, strict=True))
    ax, ay, az = (np.float32(component) for component in axis)
    share = np.clip((dx * ax + dy * ay + dz * az) / np.float32(max(float(axis @ axis), 1e-6)), 0, 1)
    return sphere(dx - share * ax, dy - share * ay, dz - share * az, radius)


def blend(first: Array, second: Array, width: float | Array) -> Array:
    """Union whose crease is filled over `width` mm by a parabola (a polynomial smooth minimum)."""
    overlap = np.maximum(width - np.abs(first - second), 0)
    distance: Array = np.minimum(first, second) - overlap * overlap / (4 * width)
    return distance


def blend_intersection(first: Array, second: Array, width: float) -> Array:
    """Intersection whose edge is rounded over `width` mm."""
    return -blend(-first, -second, width)


def smooth_step(value: Array, start: float, end: float) -> Array:
    """0 before `start`, 1 after `end`, a cubic in between; `start` may be the larger one."""
    position = np.clip((value - start) / (end - start), 0, 1)
    return position * position * (3 - 2 * position)


def soft_ramp(value: Array, width: float) -> Array:
    """max(value, 0) with its corner rounded over about `width`."""
    return 0.5 * (value + np.sqrt(value * value + width * width))


def bump(position: Array) -> Array:
    """A smooth bump, 1 at 0 and 0 beyond +-1; close to a Gaussian of sigma 1 / 2.6 and much cheaper."""
    rest = np.maximum(1 - position * position, 0)
    height: Array = rest * rest * rest
    return height


class Waves:
    """A smooth random height over a plane: a few sinusoids of random direction, standard deviation 1."""

    def __init__(self, rng: np.random.Generator, wavelengths_mm: tuple[float, float], count: int = 5) -> None:
        shortest, longest = wavelengths_mm
        wavelengths = np.exp(rng.uniform(np.log(shortest), np.log(longest), size=count))
        directions = rng.uniform(0, 2 * np.pi, size=count)
        self._frequency_x = (2 * np.pi / wavelengths * np.cos(directions)).astype(np.float32)
        self._frequency_y = (2 * np.pi / wavelengths * np.sin(directions)).astype(np.float32)
        self._phase = rng.uniform(0, 2 * np.pi, size=count).astype(np.float32)

    def __call__(self, x: Array, y: Array) -> Array:
        """Heights at coordinates of equal shape."""
        total = np.zeros(np.broadcast(x, y).shape, np.float32)
        for fx, fy, phase in zip(self._frequency_x, self._frequency_y, self._phase, strict=True):
            total += np.sin(fx * x + fy * y + phase)
        return total * np.float32(np.sqrt(2 / len(self._phase)))
