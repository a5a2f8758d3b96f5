"""Polygons and run lengths as the COCO tools draw them; the only file that imports pycocotools.

CVAT and datumaro turn polygons into masks with the same code, so that what comes in is what those tools show.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from hipseg.data.importers.rasterise import MaskHW
from hipseg.errors import SourceError

_FARTHEST = 4.0
"""Points may lie outside the image, but not further than this many times its size."""


def polygons_mask(polygons: Sequence[Sequence[float]], height: int, width: int, *, where: str, field: str) -> MaskHW:
    """The union of polygons, [x0, y0, x1, y1, ...] in pixels with the corner of the image at 0, bool [H, W].

    Raises:
        SourceError: a polygon of fewer than three points, or a point that is no number or far outside.
    """
    flat = [
        checked_points(polygon, height, width, where=where, field=f"{field}[{number}]", least=3).ravel().tolist()
        for number, polygon in enumerate(polygons)
    ]
    if not flat:
        raise SourceError(f"field '{field}' is empty", where=where, expected="at least one polygon")
    return np.asarray(coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects(flat, height, width))), bool)


def checked_points(values: object, height: int, width: int, *, where: str, field: str, least: int = 1) -> np.ndarray:
    """Points [N, 2] of a flat list or of pairs, all of them finite and near the image.

    Raises:
        SourceError: not pairs of numbers, too few, NaN, or far outside.
    """
    try:
        points = np.asarray(values, np.float64)
        points = points.reshape(-1, 2)
    except (ValueError, TypeError, OverflowError) as error:
        raise SourceError(f"field '{field}' is not a list of points", where=where, expected="x and y each") from error
    if len(points) < least:
        raise SourceError(f"field '{field}' has {len(points)} points", where=where, expected=f"at least {least}")
    if not np.isfinite(points).all():
        number = int(np.flatnonzero(~np.isfinite(points).all(axis=1))[0])
        raise SourceError(f"field '{field}' has no number at point {number}", where=where, expected="finite x and y")
    if (np.abs(points) > _FARTHEST * np.array([width, height])).any():
        what = f"field '{field}' has a point far outside the image"
        raise SourceError(what, where=where, expected=f"pixels of {width} x {height}")
    return points


def run_length_mask(segmentation: Any, height: int, width: int, *, where: str, field: str) -> MaskHW:
    """A mask of COCO's run lengths, compressed (text) or not (a list), bool [H, W].

    Raises:
        SourceError: of another size than the image, or the counts do not fill it.
    """
    size = segmentation.get("size")
    if size != [height, width]:
        raise SourceError(f"field '{field}.size' is {size}", where=where, expected=f"[{height}, {width}] as the image")
    counts = segmentation.get("counts")
    runs = _uncompressed(counts) if isinstance(counts, str) else counts
    if not isinstance(runs, list) or not all(isinstance(run, int) and run >= 0 for run in runs):
        raise SourceError(f"field '{field}.counts' is no list of run lengths", where=where)
    if sum(runs) != height * width:
        what = f"field '{field}.counts' covers {sum(runs)} pixels"
        raise SourceError(what, where=where, expected=f"{height * width} of {height} x {width}")
    packed = coco_mask.frPyObjects({"size": size, "counts": runs}, height, width)
    return np.asarray(coco_mask.decode(packed), bool)


def _uncompressed(text: str) -> list[int] | None:
    """The counts of COCO's text form (maskApi.c, rleFrString); None when it is not whole.

    pycocotools decodes such texts without looking at their end, so they are read here first.
    """
    counts: list[int] = []
    value = shift = 0
    for character in text:
        bits = ord(character) - 48
        if not 0 <= bits < 64 or shift > 30:
            return None
        value |= (bits & 0x1F) << shift
        shift += 5
        if bits & 0x20:
            continue
        if bits & 0x10:  # the sign
            value -= 1 << shift
        counts.append(value + counts[-2] if len(counts) > 2 else value)
        value = shift = 0
    return counts if shift == 0 else None
