"""Where the ultrasound is on a screen: declared, given by the user, or found from the content."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from hipseg.errors import UsageError
from hipseg.frame import ImageHW, ScanRegion

SMALLEST_SIDE_PX = 16
"""Nothing smaller can be an ultrasound image."""

_DARKEST_SCREEN = 16
"""A screen's own background is never lighter than this: a lighter border is tissue."""

# Chosen on the screens of the shared data (linear and sector scans of five makers, 320x240 to 2083x1455 pixels).
_TISSUE_ABOVE_BLACK, _FAINT_ABOVE_BLACK = 4, 2
_DENSE_SHARE = 0.45
_DENSITY_WINDOW, _BODY_WIDTH = 0.02, 0.08  # of the image's shorter side
_EDGE_SHARE, _FAINT_EDGE_SHARE, _DEEP_SHARE = 0.05, 0.02, 0.01
_AREA_SIDE_PX = 256
_PART_SHARE, _PART_OVERLAP = 0.2, 0.5
_RIM = 0.04  # of the body's height
_DEEP_GAP = 0.08  # of the image's height
_SHARP_STEP, _STROKE_REACH_PX = 64, 9
_SMALLEST_SHARE = 0.03  # of the image's area


class _Box(NamedTuple):
    top: int
    bottom: int
    left: int
    right: int


class _Body(NamedTuple):
    """The box of an area, and the columns that it fills along its upper and lower edge (a fan's upper ones are few)."""

    box: _Box
    upper: slice
    lower: slice


def find_scan_region(image_HW: ImageHW) -> ScanRegion:
    """Finds the ultrasound on a screen by what sets it apart: a large, dense, textured body.

    Speckle leaves hardly a constant pixel, while a screen's panels are plain; letters, ticks and rulers are thin
    and stand apart by black pixels; grey bars and logos are narrow. The largest body that a disc of 8 % of the
    image fits into is the scan, of a linear as of a sector probe; its box is then led to the exact edges and down
    into the faint depth, where a shadow or attenuation leaves only sparse noise.

    Args:
        image_HW: grey levels, uint8 [H, W]; for a clip the brightest of several frames, so that less is dark.

    Returns:
        The box around the scan, origin "content"; the whole image, origin "full", where no such body is found.
    """
    height, width = image_HW.shape
    black = _black_level(image_HW)
    step_HW = np.asarray(cv2.morphologyEx(image_HW, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)), np.uint8)
    tissue_HW = (image_HW > black + _TISSUE_ABOVE_BLACK) & (step_HW > 1)
    body = _largest_body(tissue_HW)
    if body is None:
        return full_region(height, width)
    faint_HW = image_HW > black + _FAINT_ABOVE_BLACK
    soft_HW = faint_HW & ~_lettering(step_HW)
    box = _down_into_the_depth(soft_HW, _grown(faint_HW, soft_HW, _trimmed(tissue_HW, body.box), body))
    region = ScanRegion(box.left, box.top, box.right - box.left, box.bottom - box.top, "content")
    is_scan = min(region.width, region.height) >= SMALLEST_SIDE_PX
    is_scan &= region.width * region.height >= _SMALLEST_SHARE * height * width
    return region if is_scan else full_region(height, width)


def _black_level(image_HW: ImageHW) -> int:
    border = np.concatenate([image_HW[0], image_HW[-1], image_HW[:, 0], image_HW[:, -1]])
    return min(int(np.median(border)), _DARKEST_SCREEN)


def _odd(length: float) -> int:
    return max(5, round(length)) | 1


def _largest_body(tissue_HW: npt.NDArray[np.bool_]) -> _Body | None:
    """The largest dense area after what is thinner than a disc is taken away."""
    side = min(tissue_HW.shape)
    window = _odd(_DENSITY_WINDOW * side)
    density_HW = cv2.blur(tissue_HW.astype(np.float32), (window, window), borderType=cv2.BORDER_REPLICATE)
    # Areas need no full resolution; the edges are sought in the full image afterwards.
    stride = max(1, side // _AREA_SIDE_PX)
    dense_HW = (density_HW[::stride, ::stride] > _DENSE_SHARE).astype(np.uint8)
    disc = _odd(_BODY_WIDTH * min(dense_HW.shape))
    # Beyond the image's edge there is nothing, so that text in a corner does not count as wide.
    framed_HW = cv2.copyMakeBorder(dense_HW, disc, disc, disc, disc, cv2.BORDER_CONSTANT, value=0)
    element = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (disc, disc))
    opened_HW = cv2.morphologyEx(framed_HW, cv2.MORPH_OPEN, element)[disc:-disc, disc:-disc]
    num_areas, areas_HW, boxes, _ = cv2.connectedComponentsWithStats(opened_HW)
    if num_areas < 2:
        return None
    return _describe_body(np.isin(areas_HW, _belonging_together(np.asarray(boxes, np.int32))), stride)


def _belonging_together(boxes: npt.NDArray[np.int32]) -> npt.NDArray[np.intp]:
    """The largest area, and large ones above or below it that a dark layer or a shadow cuts off.

    Args:
        boxes: left, top, width, height and size of every area, the first one the background.
    """
    left, width, size = boxes[:, cv2.CC_STAT_LEFT], boxes[:, cv2.CC_STAT_WIDTH], boxes[:, cv2.CC_STAT_AREA]
    largest = 1 + int(size[1:].argmax())
    shared = np.minimum(left + width, left[largest] + width[largest]) - np.maximum(left, left[largest])
    belongs = (size >= _PART_SHARE * size[largest]) & (shared > _PART_OVERLAP * width)
    belongs[0] = False
    return np.flatnonzero(belongs)


def _describe_body(area_HW: npt.NDArray[np.bool_], stride: int) -> _Body:
    """Box and edges of an area, in pixels of an image `stride` times as fine."""
    rows, (left, right) = np.flatnonzero(area_HW.any(axis=1)), _reach(area_HW)
    rim = max(1, round(_RIM * len(rows)))
    upper, lower = _reach(area_HW[rows[0] : rows[0] + rim]), _reach(area_HW[rows[-1] + 1 - rim : rows[-1] + 1])
    return _Body(
        _Box(int(rows[0]) * stride, (int(rows[-1]) + 1) * stride, left * stride, right * stride),
        slice(upper[0] * stride, upper[1] * stride),
        slice(lower[0] * stride, lower[1] * stride),
    )


def _reach(area_HW: npt.NDArray[np.bool_]) -> tuple[int, int]:
    """The first column of an area, and the one after its last."""
    columns = np.flatnonzero(area_HW.any(axis=0))
    return int(columns[0]), int(columns[-1]) + 1


def _trimmed(tissue_HW: npt.NDArray[np.bool_], box: _Box) -> _Box:
    """Without the outer rows and columns that hold hardly any tissue (the density's window reaches over edges)."""
    inside_HW = tissue_HW[box.top : box.bottom, box.left : box.right]
    rows = np.flatnonzero(inside_HW.mean(axis=1) > _EDGE_SHARE)
    columns = np.flatnonzero(inside_HW.mean(axis=0) > _EDGE_SHARE)
    if not (rows.size and columns.size):
        return box
    top, left = box.top + int(rows[0]), box.left + int(columns[0])
    return _Box(top, box.top + int(rows[-1]) + 1, left, box.left + int(columns[-1]) + 1)


def _lettering(step_HW: ImageHW) -> npt.NDArray[np.bool_]:
    """Pixels beside sharp strokes, as of text."""
    strokes_HW = (step_HW > _SHARP_STEP).astype(np.uint8)
    return cv2.dilate(strokes_HW, np.ones((_STROKE_REACH_PX, _STROKE_REACH_PX), np.uint8)) > 0


def _grown(faint_HW: npt.NDArray[np.bool_], soft_HW: npt.NDArray[np.bool_], box: _Box, body: _Body) -> _Box:
    """Outwards, as long as each further row and column holds faint pixels: black ones stop at the furniture.

    Sharp pixels count above and below the body only, not beside it: text stands in the corners beside a fan.
    """

    def share_of_rows(reach: slice) -> npt.NDArray[np.floating]:
        counted_HW = soft_HW.copy()
        counted_HW[:, reach] = faint_HW[:, reach]
        return np.asarray(counted_HW[:, box.left : box.right].mean(axis=1))

    top = box.top - _run(share_of_rows(body.upper)[: box.top][::-1])
    bottom = box.bottom + _run(share_of_rows(body.lower)[box.bottom :])
    share_of_columns = soft_HW[top:bottom].mean(axis=0)
    left = box.left - _run(share_of_columns[: box.left][::-1])
    return _Box(top, bottom, left, box.right + _run(share_of_columns[box.right :]))


def _run(share: npt.NDArray[np.floating]) -> int:
    """How many rows or columns hold something before the first black one."""
    black = np.flatnonzero(share <= _FAINT_EDGE_SHARE)
    return int(black[0]) if black.size else len(share)


def _down_into_the_depth(soft_HW: npt.NDArray[np.bool_], box: _Box) -> _Box:
    """Over small black gaps to deeper echoes."""
    bottom = box.bottom
    share = soft_HW[:, box.left : box.right].mean(axis=1)
    for row in np.flatnonzero(share[bottom:] > _DEEP_SHARE) + bottom:
        if row - bottom > _DEEP_GAP * len(soft_HW):
            break
        bottom = int(row) + 1
    return box._replace(bottom=bottom)


def full_region(height: int, width: int) -> ScanRegion:
    """The whole frame."""
    return ScanRegion(0, 0, width, height, "full")


def clipped(region: ScanRegion, height: int, width: int) -> ScanRegion | None:
    """The part of a region that lies in the frame, None when nothing does."""
    left, top = max(region.x, 0), max(region.y, 0)
    right, bottom = min(region.x + region.width, width), min(region.y + region.height, height)
    if right <= left or bottom <= top:
        return None
    return ScanRegion(left, top, right - left, bottom - top, region.origin)


def parse_region(text: str) -> ScanRegion | None:
    """Reads the region option: None for "auto" and "full", else the box "x,y,width,height".

    Raises:
        UsageError: something else, or a box smaller than 16 pixels.
    """
    if text in ("auto", "full"):
        return None
    try:
        x, y, width, height = (int(part) for part in text.split(","))
    except ValueError as error:
        raise _refusal(f"'{text}' is not a region") from error
    if min(width, height) < SMALLEST_SIDE_PX:
        raise _refusal(f"a region of {width} x {height} pixels")
    return ScanRegion(x, y, width, height, "user")


def _refusal(what: str) -> UsageError:
    expected = f"auto, full, or x,y,width,height in pixels with sides of at least {SMALLEST_SIDE_PX}"
    return UsageError(what, where="region", expected=expected, mend="for example 120,40,512,400")
