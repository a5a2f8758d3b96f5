"""One decoded picture of a video as grey levels and colour flow."""

from __future__ import annotations

from functools import lru_cache

import av
import cv2
import numpy as np
import numpy.typing as npt

from hipseg.frame import ImageHW
from hipseg.io.doppler import Decoded, decoded

_PLANAR = frozenset(f"yuv{j}{sampling}p" for j in ("", "j") for sampling in ("420", "422", "444"))
"""FFmpeg's names of formats with luma and both colour differences in planes of 8 bits."""
_NEUTRAL, _NOISE = 128, 2
"""A colour difference without colour, and how far compression moves it."""
_LEVELS = 256
_TABLE_HEIGHT = 16


def picture_of(frame: av.VideoFrame) -> Decoded:
    """Grey levels and flow of a decoded picture.

    Most are grey, although coded in colour: what FFmpeg would make of their luma is looked up in a table, which costs
    a fraction of a conversion to RGB and back.
    """
    if frame.format.name in _PLANAR and _is_grey(frame):
        levels = _levels(frame.format.name, int(frame.colorspace), int(frame.color_range))
        return Decoded(np.asarray(cv2.LUT(_plane(frame, 0), levels), np.uint8))
    return decoded(np.asarray(frame.to_ndarray(format="rgb24"), np.uint8))


def _is_grey(frame: av.VideoFrame) -> bool:
    extremes = [(int(plane_HW.min()), int(plane_HW.max())) for plane_HW in (_plane(frame, 1), _plane(frame, 2))]
    return all(low >= _NEUTRAL - _NOISE and high <= _NEUTRAL + _NOISE for low, high in extremes)


def _plane(frame: av.VideoFrame, index: int) -> ImageHW:
    plane = frame.planes[index]
    rows: ImageHW = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    return rows[: plane.height, : plane.width]


@lru_cache(maxsize=32)
def _levels(format_: str, colorspace: int, color_range: int) -> npt.NDArray[np.uint8]:
    """The grey level that FFmpeg makes of each value of luma."""
    frame = av.VideoFrame(_LEVELS, _TABLE_HEIGHT, format_)
    frame.colorspace, frame.color_range = colorspace, color_range
    luma, *differences = frame.planes
    values = np.zeros((luma.height, luma.line_size), np.uint8)
    values[:, :_LEVELS] = np.arange(_LEVELS)
    luma.update(values.tobytes())
    for plane in differences:
        plane.update(np.full(plane.buffer_size, _NEUTRAL, np.uint8).tobytes())
    return np.ascontiguousarray(frame.to_ndarray(format="rgb24")[0, :, 1])
