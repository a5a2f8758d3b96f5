"""Contact sheets: what was simulated, at a glance."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from hipseg.anatomy import STRUCTURES
from hipseg.io.writing import write_atomically
from hipseg.simulation.frames import SimulatedFrame

_TILE_PX = 300
_COLUMNS = 6
_OPACITY = 0.4


def write_preview(path: Path, frames: Sequence[SimulatedFrame]) -> None:
    """Writes a contact sheet of frames with their labels painted below each. Nothing for no frames.

    The format is WebP, which `hipseg infer` does not take for a recording.

    Raises:
        OutputError: the file cannot be written.
    """
    if not frames:
        return
    tiles = [_tile(frame) for frame in frames]
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % min(_COLUMNS, len(tiles)))
    columns = min(_COLUMNS, len(tiles))
    sheet = np.vstack([np.hstack(tiles[row : row + columns]) for row in range(0, len(tiles), columns)])
    _, encoded = cv2.imencode(path.suffix, sheet, [cv2.IMWRITE_WEBP_QUALITY, 85])
    write_atomically(path, encoded.tobytes())


def painted(frame: SimulatedFrame) -> npt.NDArray[np.uint8]:
    """The image with its labels and landmarks in colour, BGR [H, W, 3]."""
    palette = np.array([structure.colour[::-1] for structure in STRUCTURES], np.uint8)
    grey = cv2.cvtColor(frame.image_HW, cv2.COLOR_GRAY2BGR)
    mixed = cv2.addWeighted(grey, 1 - _OPACITY, palette[frame.labels_HW], _OPACITY, 0.0)
    image = np.where(frame.labels_HW[..., None] > 0, mixed, grey)
    for point in (*frame.landmarks.values(), frame.target_px):
        if point is not None:
            cv2.drawMarker(image, (round(point[0]), round(point[1])), (255, 255, 255), cv2.MARKER_TILTED_CROSS, 9)
    return image


def _tile(frame: SimulatedFrame) -> npt.NDArray[np.uint8]:
    """The plain image over the painted one, in a square."""
    pair = np.vstack([cv2.cvtColor(frame.image_HW, cv2.COLOR_GRAY2BGR), painted(frame)])
    scale = min(_TILE_PX / pair.shape[1], 2 * _TILE_PX / pair.shape[0])
    size = (max(int(pair.shape[1] * scale), 1), max(int(pair.shape[0] * scale), 1))
    small = cv2.resize(pair, size, interpolation=cv2.INTER_AREA)
    tile = np.full((2 * _TILE_PX, _TILE_PX, 3), 40, np.uint8)
    tile[: small.shape[0], : small.shape[1]] = small
    return tile
