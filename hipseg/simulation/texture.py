"""Random textures fixed in tissue, read from tiles that a process makes once.

A tile is periodic noise. Reading it at tissue coordinates moves the texture with the tissue; a position out of the
image plane blends between planes of the same tile, so that only motion across the plane changes the pattern.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from hipseg.simulation.surfaces import Array

Complex2 = Array
"""Arrays [..., 2] of real and imaginary parts, as OpenCV filters them."""

TILE_SHAPE = (1024, 2048)
"""Rows and columns; a column's period lies beyond the width of any probe."""
SCATTERER_MM = 0.04
"""Pitch of the scatterer tile: finer than any point spread here, so that reading between its points is safe."""
STRUCTURE_PIXELS = 4.0
"""Pixels of the structure tile per correlation length."""
_SEED = 20_240_229


@lru_cache(maxsize=1)
def scatterer_tile() -> Complex2:
    """Complex Gaussian scatterers [*TILE_SHAPE, 2], mean power 1, correlated over less than any point spread."""
    rng = np.random.default_rng(_SEED)
    return _normalised(_smooth(rng.standard_normal((*TILE_SHAPE, 2), np.float32), 1.3), np.sqrt(0.5))


@lru_cache(maxsize=1)
def structure_tile() -> Array:
    """Smooth Gaussian noise [*TILE_SHAPE], standard deviation 1, correlation length `STRUCTURE_PIXELS`."""
    rng = np.random.default_rng(_SEED + 1)
    return _normalised(_smooth(rng.standard_normal(TILE_SHAPE, np.float32), STRUCTURE_PIXELS / 2.35), 1.0)


def scatterers(lateral_mm: Array, depth_mm: Array, across_mm: float, seed: int) -> Complex2:
    """Complex scatterers at tissue coordinates [S, L]; result [S, L, 2] of mean power 1.

    Args:
        lateral_mm, depth_mm: in the plane.
        across_mm: out of the plane; the pattern is new after about a slice thickness.
        seed: which patient.
    """
    return _read(scatterer_tile(), lateral_mm / SCATTERER_MM, depth_mm / SCATTERER_MM, across_mm / 1.2, seed)


def structure(along: Array, across: Array, plane: float, seed: int) -> Array:
    """Smooth noise [S, L] of standard deviation 1; coordinates in correlation lengths."""
    return _read(structure_tile(), along * STRUCTURE_PIXELS, across * STRUCTURE_PIXELS, plane, seed)


def _read(tile: Array, x_px: Array, y_px: Array, plane: float, seed: int) -> Array:
    """Blends the two nearest planes with weights that keep the power."""
    lower = int(np.floor(plane))
    phase = (plane - lower) * np.pi / 2
    first = _read_plane(tile, x_px, y_px, lower, seed)
    if phase < 1e-3:
        return first
    second = _read_plane(tile, x_px, y_px, lower + 1, seed)
    return cv2.addWeighted(first, float(np.cos(phase)), second, float(np.sin(phase)), 0.0)


def _read_plane(tile: Array, x_px: Array, y_px: Array, plane: int, seed: int) -> Array:
    """A plane is the tile at an offset of its own."""
    down, right = np.random.default_rng((seed, plane + (1 << 20))).uniform(0, TILE_SHAPE)
    x, y = x_px + np.float32(right), y_px + np.float32(down)
    return cv2.remap(tile, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)


def _smooth(noise: Array, sigma_px: float) -> Array:
    """A Gaussian filter that wraps round, so that the tile's edges fit."""
    margin = int(np.ceil(4 * sigma_px))
    pad = [(margin, margin), (margin, margin)] + [(0, 0)] * (noise.ndim - 2)
    smooth = cv2.GaussianBlur(np.pad(noise, pad, mode="wrap"), (0, 0), sigma_px)
    return smooth[margin:-margin, margin:-margin]


def _normalised(noise: Array, deviation: float) -> Array:
    return np.ascontiguousarray((noise - noise.mean()) * (deviation / noise.std()), dtype=np.float32)
