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
_TARGET_BGR, _TIP_BGR, _LOST_TIP_BGR = (200, 95, 130), (255, 255, 255), (120, 120, 235)
_STRIP_PX, _FONT, _FONT_SCALE = 20, cv2.FONT_HERSHEY_SIMPLEX, 0.4


class KeyFrames:
    """The frames of a clip at which something happens, as many as a sheet takes, and its first and last one."""

    def __init__(self, most: int = 2 * _COLUMNS) -> None:
        self._most, self._count = most, 0
        self._frames: list[SimulatedFrame] = []
        self._captions: list[str] = []
        self._last: tuple[SimulatedFrame, str] | None = None

    def see(self, frame: SimulatedFrame) -> None:
        """Takes the clip's next frame."""
        events = frame.truth["events"]
        caption = f"{self._count}: {', '.join(events)}"
        self._last = (frame, caption)
        if (events or self._count == 0) and len(self._frames) < self._most - 1:
            self._frames.append(frame)
            self._captions.append(caption)
        self._count += 1

    def chosen(self) -> tuple[list[SimulatedFrame], list[str]]:
        """The frames, and a caption for each."""
        if self._last is None or any(self._last[0] is frame for frame in self._frames[-1:]):
            return self._frames, self._captions
        return [*self._frames, self._last[0]], [*self._captions, self._last[1]]


def write_preview(path: Path, frames: Sequence[SimulatedFrame], captions: Sequence[str] = ()) -> None:
    """Writes a contact sheet of frames with their labels painted below each. Nothing for no frames.

    The format is WebP, which `hipseg infer` does not take for a recording.

    Args:
        path: of the file.
        frames: to be shown.
        captions: a line over each, or none.

    Raises:
        OutputError: the file cannot be written.
    """
    if not frames:
        return
    pairs = [_pair(frame) for frame in frames]
    pairs = [captioned(pair, caption) for pair, caption in zip(pairs, captions, strict=True)] if captions else pairs
    columns = min(_COLUMNS, len(pairs))
    rows = [_row(pairs[first : first + columns], columns) for first in range(0, len(pairs), columns)]
    sheet = np.vstack(rows)
    _, encoded = cv2.imencode(path.suffix, sheet, [cv2.IMWRITE_WEBP_QUALITY, 85])
    write_atomically(path, encoded.tobytes())


def painted_needle(frame: SimulatedFrame, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """A BGR picture of the frame with a ring at the tip, reddish while it is not seen, and a cross at the target."""
    image, needle = image.copy(), frame.truth["needle"]
    width = max(round(image.shape[1] / 250), 1)
    if frame.target_px is not None:
        x, y = (round(value) for value in frame.target_px)
        cv2.drawMarker(image, (x, y), _TARGET_BGR, cv2.MARKER_TILTED_CROSS, 8 * width, width, cv2.LINE_AA)
    if needle is not None:
        colour = _TIP_BGR if needle["tip_visible"] else _LOST_TIP_BGR
        x, y = (round(value) for value in needle["tip_px"])
        cv2.circle(image, (x, y), 5 * width, colour, width, cv2.LINE_AA)
    return image


def painted(frame: SimulatedFrame) -> npt.NDArray[np.uint8]:
    """The image with its labels and landmarks in colour, BGR [H, W, 3]."""
    palette = np.full((256, 3), _BACKDROP, np.uint8)
    palette[: len(STRUCTURES)] = [structure.colour[::-1] for structure in STRUCTURES]
    grey = cv2.cvtColor(frame.image_HW, cv2.COLOR_GRAY2BGR)
    mixed = cv2.addWeighted(grey, 1 - _OPACITY, palette[frame.labels_HW], _OPACITY, 0.0)
    image = np.where(frame.labels_HW[..., None] > 0, mixed, grey)
    for point in (*frame.landmarks.values(), frame.target_px):
        if point is not None:
            cv2.drawMarker(image, (round(point[0]), round(point[1])), (255, 255, 255), cv2.MARKER_TILTED_CROSS, 9)
    return image


def plain(frame: SimulatedFrame) -> npt.NDArray[np.uint8]:
    """The image alone, BGR [H, W, 3]."""
    if frame.colour_HW3 is not None:
        return np.ascontiguousarray(frame.colour_HW3[..., ::-1])
    return np.repeat(frame.image_HW[..., None], 3, axis=2)


def captioned(image: npt.NDArray[np.uint8], caption: str) -> npt.NDArray[np.uint8]:
    """A strip over the image with a line of text, shortened to its width."""
    strip = np.full((_STRIP_PX, image.shape[1], 3), _BACKDROP, np.uint8)
    text = caption.replace("_", " ")
    while text and cv2.getTextSize(text, _FONT, _FONT_SCALE, 1)[0][0] > image.shape[1] - 8:
        text = text[:-1]
    cv2.putText(strip, text, (4, _STRIP_PX - 6), _FONT, _FONT_SCALE, (235, 235, 235), 1, cv2.LINE_AA)
    return np.vstack([strip, image])


def _pair(frame: SimulatedFrame) -> npt.NDArray[np.uint8]:
    """The plain image over the painted one, as wide as a column."""
    pair = np.vstack([plain(frame), painted(frame)])
    height = max(round(pair.shape[0] * _COLUMN_PX / pair.shape[1]), 1)
    return cv2.resize(pair, (_COLUMN_PX, height), interpolation=cv2.INTER_AREA).astype(np.uint8)


def _row(pairs: Sequence[npt.NDArray[np.uint8]], columns: int) -> npt.NDArray[np.uint8]:
    """Pairs side by side, top edges level."""
    row = np.full((max(len(pair) for pair in pairs), columns * _COLUMN_PX, 3), _BACKDROP, np.uint8)
    for column, pair in enumerate(pairs):
        row[: len(pair), column * _COLUMN_PX : (column + 1) * _COLUMN_PX] = pair
    return row
