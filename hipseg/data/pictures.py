"""Images with their masks in colour, as contact sheets and previews show them."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np
import numpy.typing as npt

from hipseg.anatomy import IGNORED, STRUCTURES
from hipseg.data.reading import ImageHW, LabelsHW
from hipseg.data.sample import IN_IMAGE, GridSample, Sample

RgbHW3 = npt.NDArray[np.uint8]

_OPACITY = 0.35
_IGNORED_RGB = (120, 120, 120)
_MARK_PX = 11


def painted(image_HW: ImageHW, labels_HW: LabelsHW | None, points_xy: Iterable[tuple[float, float]] = ()) -> RgbHW3:
    """The image with structures tinted and outlined in their colours, ignored regions in grey, landmarks crossed."""
    grey = np.asarray(cv2.cvtColor(image_HW, cv2.COLOR_GRAY2RGB), np.uint8)
    if labels_HW is not None:
        tint = _palette()[labels_HW]
        mixed = cv2.addWeighted(grey, 1 - _OPACITY, tint, _OPACITY, 0.0)
        edge = cv2.morphologyEx(labels_HW, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
        shown = np.where((edge & (labels_HW > 0))[..., None], tint, mixed)
        grey = np.where((labels_HW > 0)[..., None], shown, grey).astype(np.uint8)
    for x, y in points_xy:
        cv2.drawMarker(grey, (round(x), round(y)), (255, 255, 255), cv2.MARKER_TILTED_CROSS, _MARK_PX)
    return grey


def painted_sample(sample: Sample) -> RgbHW3:
    """A sample in its own pixels."""
    points = [(float(x), float(y)) for x, y, state in sample.landmarks_K3 if state == IN_IMAGE]
    return painted(sample.image_HW, sample.labels_HW, points)


def painted_grid(sample: GridSample) -> RgbHW3:
    """What a network is given, whole grid."""
    image_SS = np.clip(sample.image_SS * 255, 0, 255).astype(np.uint8)
    points = [(float(x), float(y)) for x, y, state in sample.landmarks_K3 if state == IN_IMAGE]
    return painted(image_SS, np.where(image_SS > 0, sample.labels_SS, 0).astype(np.uint8), points)


def fitted(picture: RgbHW3, width_px: int, height_px: int) -> RgbHW3:
    """A picture shrunk or enlarged into a box of this size, on black, so that a gallery stands in line."""
    scale = min(width_px / picture.shape[1], height_px / picture.shape[0])
    size = max(round(picture.shape[1] * scale), 1), max(round(picture.shape[0] * scale), 1)
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    framed = np.zeros((height_px, width_px, 3), np.uint8)
    top, left = (height_px - size[1]) // 2, (width_px - size[0]) // 2
    framed[top : top + size[1], left : left + size[0]] = small
    return framed


def as_jpeg(picture: RgbHW3) -> bytes:
    """Encoded small enough that a page with a hundred pictures stays light."""
    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 82])[1].tobytes()


def _palette() -> npt.NDArray[np.uint8]:
    colours = np.full((256, 3), 255, np.uint8)
    for structure in STRUCTURES:
        colours[structure.id] = structure.colour
    colours[IGNORED] = _IGNORED_RGB
    return colours
