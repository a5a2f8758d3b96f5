"""Drawings and a mapping become a mask of the label scheme."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from hipseg.anatomy import CLASS_NAMES, IGNORED, LANDMARKS, structure_named
from hipseg.data.importers import rasterise
from hipseg.data.importers.drawing import Drawing, SourceFrame
from hipseg.data.importers.mapping import IGNORE, UNKNOWN, LabelMapping, Target
from hipseg.data.importers.rasterise import MaskHW
from hipseg.data.importers.shapes import BONE_BAND_MM, BONE_BAND_PX_WITHOUT_SCALE, BONES
from hipseg.data.reading import LabelsHW
from hipseg.data.records import PointXY
from hipseg.errors import SourceError

_NEEDLE = "needle"


@dataclass(frozen=True, slots=True)
class Painted:
    """A mask and the points beside it.

    Attributes:
        labels_HW: ids of the label scheme and 255.
        landmarks: points by name.
        num_overlapping: pixels that two structures claim; the later one has them.
    """

    labels_HW: LabelsHW
    landmarks: dict[str, PointXY | None]
    num_overlapping: int


def paint(frame: SourceFrame, mapping: LabelMapping, *, where: str) -> Painted:
    """Paints an image's drawings in order; the needle lies above all structures, what is ignored above everything.

    Raises:
        SourceError: a label that the mapping does not name, or a shape that does not fit what it shall become.
    """
    labels_HW = np.zeros(frame.image_HW.shape, np.uint8)
    num_overlapping = 0
    for _, id, mask_HW in sorted(_regions(frame, mapping, where), key=lambda region: region[0]):
        below_HW = labels_HW[mask_HW]
        if id not in (IGNORED, structure_named(_NEEDLE).id):
            num_overlapping += int(np.count_nonzero((below_HW != 0) & (below_HW != id)))
        labels_HW[mask_HW] = id
    return Painted(labels_HW, _landmarks(frame, mapping, where), num_overlapping)


def _regions(frame: SourceFrame, mapping: LabelMapping, where: str) -> Iterator[tuple[int, int, MaskHW]]:
    """Height above the others, id and pixels of each drawing that has any."""
    for drawing in frame.drawings:
        target = _target(drawing, mapping, where)
        if target.names[0] == UNKNOWN or target.names[0] in LANDMARKS:
            continue
        is_ignored = target.names[0] == IGNORE or (drawing.occluded and mapping.occluded == "ignore")
        name = target.names[0] if not target.classes else mapping.class_of(drawing.label)
        id = IGNORED if is_ignored else CLASS_NAMES.index(name)
        yield 2 * is_ignored + (name == _NEEDLE), id, _pixels(drawing, target, frame, mapping.fraction, where)


def _target(drawing: Drawing, mapping: LabelMapping, where: str) -> Target:
    target = mapping.target(drawing.label)
    if target is None:
        mend = f"add it to the mapping, for instance '{drawing.label}: {UNKNOWN}'"
        raise SourceError(f"label '{drawing.label}' stands in no mapping", where=where, mend=mend)
    return target


def _pixels(drawing: Drawing, target: Target, frame: SourceFrame, fraction: float, where: str) -> MaskHW:
    mask_HW = drawing.mask_HW if drawing.share_HW is None else drawing.share_HW >= fraction
    if mask_HW is not None:
        if mask_HW.shape != frame.image_HW.shape:
            what = f"the mask of '{drawing.label}' has {mask_HW.shape} pixels"
            raise SourceError(what, where=where, expected=f"{frame.image_HW.shape} as the image")
        return mask_HW
    if drawing.line_xy is None:
        mend = f"map '{drawing.label}' to one of {', '.join(LANDMARKS)}"
        raise SourceError(f"'{drawing.label}' is a point", where=where, expected="a region", mend=mend)
    return _line_pixels(drawing.line_xy, drawing.label, target, frame, where)


def _line_pixels(line_xy: np.ndarray, label: str, target: Target, frame: SourceFrame, where: str) -> MaskHW:
    height, width = frame.image_HW.shape
    if target.width_px is not None:
        mask_HW = np.zeros((height, width), bool)
        for start, end in itertools.pairwise(line_xy):
            mask_HW |= rasterise.thick_line(start, end, target.width_px, height, width)
        return mask_HW
    if target.band_mm is None and not set(target.classes) & set(BONES):
        mend = f"say in the mapping '{label}: {{class: {target.names[0]}, width_px: ...}}'"
        raise SourceError(f"'{label}' is an open line of unknown width", where=where, expected="a region", mend=mend)
    if frame.spacing_mm is not None:
        depth_px = (target.band_mm or BONE_BAND_MM) / frame.spacing_mm[0]
    elif target.band_mm is None:
        depth_px = BONE_BAND_PX_WITHOUT_SCALE
    else:
        mend = f"say width_px for '{label}' in the mapping"
        raise SourceError(f"a band of {target.band_mm:g} mm without scale", where=where, mend=mend)
    return rasterise.band_below(line_xy, depth_px, height, width)


def _landmarks(frame: SourceFrame, mapping: LabelMapping, where: str) -> dict[str, PointXY | None]:
    points: dict[str, PointXY | None] = {}
    for drawing in frame.drawings:
        name = _target(drawing, mapping, where).names[0]
        if name not in LANDMARKS:
            continue
        if drawing.point_xy is None:
            raise SourceError(f"'{drawing.label}' is a region", where=where, expected=f"a point, as {name} is one")
        points[name] = drawing.point_xy
    return points


def annotated_classes(frame: SourceFrame, mapping: LabelMapping) -> tuple[str, ...] | None:
    """The classes that were looked for in an image; None when they are all of the mapping."""
    if frame.looked_for is None:
        return None
    known = mapping.classes_of(frame.looked_for)
    return None if known == mapping.classes_of(mapping.labels) else known
