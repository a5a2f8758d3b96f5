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

_COLUMN_PX = 300
_BACKDROP = 40
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
    pairs = [_pair(frame) for frame in frames]
    columns = min(_COLUMNS, len(pairs))
    rows = [_row(pairs[first : first + columns], columns) for first in range(0, len(pairs), columns)]
    sheet = np.vstack(rows)
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


def _pair(frame: SimulatedFrame) -> npt.NDArray[np.uint8]:
    """The plain image over the painted one, as wide as a column."""
    pair = np.vstack([cv2.cvtColor(frame.image_HW, cv2.COLOR_GRAY2BGR), painted(frame)])
    height = max(round(pair.shape[0] * _COLUMN_PX / pair.shape[1]), 1)
    return cv2.resize(pair, (_COLUMN_PX, height), interpolation=cv2.INTER_AREA).astype(np.uint8)


def _row(pairs: Sequence[npt.NDArray[np.uint8]], columns: int) -> npt.NDArray[np.uint8]:
    """Pairs side by side, top edges level."""
    row = np.full((max(len(pair) for pair in pairs), columns * _COLUMN_PX, 3), _BACKDROP, np.uint8)
    for column, pair in enumerate(pairs):
        row[: len(pair), column * _COLUMN_PX : (column + 1) * _COLUMN_PX] = pair
    return row
