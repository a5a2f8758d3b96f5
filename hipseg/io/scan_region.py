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
_DEEP_GAP = 0.08  # of the image's height
_SHARP_STEP, _STROKE_REACH_PX = 64, 9
_SMALLEST_SHARE = 0.03  # of the image's area


class _Box(NamedTuple):
    top: int
    bottom: int
    left: int
    right: int


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
    box = _down_into_the_depth(_grown(faint_HW, _trimmed(tissue_HW, body)), faint_HW, step_HW)
    region = ScanRegion(box.left, box.top, box.right - box.left, box.bottom - box.top, "content")
    is_scan = min(region.width, region.height) >= SMALLEST_SIDE_PX
    is_scan &= region.width * region.height >= _SMALLEST_SHARE * height * width
    return region if is_scan else full_region(height, width)


def _black_level(image_HW: ImageHW) -> int:
    border = np.concatenate([image_HW[0], image_HW[-1], image_HW[:, 0], image_HW[:, -1]])
    return min(int(np.median(border)), _DARKEST_SCREEN)


def _odd(length: float) -> int:
    return max(5, round(length)) | 1


def _largest_body(tissue_HW: npt.NDArray[np.bool_]) -> _Box | None:
    """The box of the largest dense area after what is thinner than a disc is taken away."""
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
    num_areas, _, boxes, _ = cv2.connectedComponentsWithStats(opened_HW)
    if num_areas < 2:
        return None
    left, top, width, height, _ = (boxes[1 + int(boxes[1:, cv2.CC_STAT_AREA].argmax())] * stride).tolist()
    return _Box(top, min(top + height, tissue_HW.shape[0]), left, min(left + width, tissue_HW.shape[1]))


def _trimmed(tissue_HW: npt.NDArray[np.bool_], box: _Box) -> _Box:
    """Without the outer rows and columns that hold hardly any tissue (the density's window reaches over edges)."""
    inside_HW = tissue_HW[box.top : box.bottom, box.left : box.right]
    rows = np.flatnonzero(inside_HW.mean(axis=1) > _EDGE_SHARE)
    columns = np.flatnonzero(inside_HW.mean(axis=0) > _EDGE_SHARE)
    if not (rows.size and columns.size):
        return box
    top, left = box.top + int(rows[0]), box.left + int(columns[0])
    return _Box(top, box.top + int(rows[-1]) + 1, left, box.left + int(columns[-1]) + 1)


def _grown(faint_HW: npt.NDArray[np.bool_], box: _Box) -> _Box:
    """Outwards, as long as each further row and column holds faint pixels: black ones stop at the furniture."""
    top, bottom = _extended(faint_HW[:, box.left : box.right].mean(axis=1), box.top, box.bottom)
    left, right = _extended(faint_HW[top:bottom].mean(axis=0), box.left, box.right)
    return _Box(top, bottom, left, right)


def _extended(share: npt.NDArray[np.floating], first: int, end: int) -> tuple[int, int]:
    while first > 0 and share[first - 1] > _FAINT_EDGE_SHARE:
        first -= 1
    while end < len(share) and share[end] > _FAINT_EDGE_SHARE:
        end += 1
    return first, end


def _down_into_the_depth(box: _Box, faint_HW: npt.NDArray[np.bool_], step_HW: ImageHW) -> _Box:
    """Over small black gaps to deeper echoes; what lies beside sharp strokes is lettering."""
    if box.bottom == len(faint_HW):
        return box
    below = slice(box.bottom, None), slice(box.left, box.right)
    lettering_HW = cv2.dilate(
        (step_HW[below] > _SHARP_STEP).astype(np.uint8), np.ones((_STROKE_REACH_PX, _STROKE_REACH_PX), np.uint8)
    )
    soft_HW = faint_HW[below] & (lettering_HW == 0)
    bottom = box.bottom
    for row in np.flatnonzero(soft_HW.mean(axis=1) > _DEEP_SHARE) + box.bottom:
        if row - bottom > _DEEP_GAP * len(faint_HW):
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
