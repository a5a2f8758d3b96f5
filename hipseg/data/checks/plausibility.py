"""Whether a mask can be true: sizes in millimetres, what lies over what, and where bone echoes.

Limits are wider than any patient: beyond them the scale, the class or the drawing is wrong. They follow from the
dimensions in the design's clinical notes (femoral artery 6-10 mm, vein 10-14, head 20-100 mm deep) with room for
aneurysm, effusion and children.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import cv2
import numpy as np
import numpy.typing as npt

from hipseg.anatomy import BONES, CLASS_NAMES, LANDMARKS, NEEDLE, structure_named
from hipseg.data.checks.findings import Finding
from hipseg.data.checks.shapes import Shape
from hipseg.data.reading import ImageHW, LabelsHW
from hipseg.data.records import Case

LARGEST_THICKNESS_MM = {
    "femoral_head": 20.0,
    "femoral_neck": 20.0,
    "anterior_capsule": 15.0,
    "needle": 5.0,
    "femoral_artery": 22.0,
    "femoral_vein": 30.0,
    "femoral_nerve": 20.0,
    "acetabulum": 25.0,
    "labrum": 15.0,
    "joint_recess": 30.0,
}
SHALLOWEST_MM = {"femoral_head": 5.0, "femoral_neck": 5.0, "acetabulum": 5.0, "femoral_artery": 1.5}
PIXEL_MM = (0.01, 1.0)
IMAGE_DEPTH_MM = (8.0, 300.0)

_TYPICAL_DEPTH_MM = 50.0  # of an image without scale
_BONE_NAMES = tuple(CLASS_NAMES[id] for id in BONES)
_VESSELS_AND_NERVE = ("femoral_artery", "femoral_vein", "femoral_nerve")
_SHADOWED_SHARE = 0.5
_TIP_REACH_MM = 3.0
_FEWEST_NEEDLE_PX = 12


def implausible(case: Case, image_HW: ImageHW, labels_HW: LabelsHW, shapes: Mapping[str, Shape]) -> Iterator[Finding]:
    """Everything about a case that cannot be, the mask being of the image's size."""
    where = str(case.mask)
    yield from _sizes(case, where, shapes)
    yield from _places(case, where, image_HW.shape, shapes)
    yield from _behind_bone(case, where, labels_HW, shapes)
    yield from _below_shadow(case, where, image_HW, labels_HW, shapes)
    yield from _tip(case, where, labels_HW, shapes)


def scale_faults(case: Case, shape: tuple[int, ...]) -> Iterator[Finding]:
    """Whether the scale is known, and one that an ultrasound image can have."""
    if case.spacing_mm is None:
        yield Finding("scale_missing", case.image, "spacing_mm is null", case.id)
        return
    row_mm, column_mm = case.spacing_mm
    depth_mm = shape[0] * row_mm
    if not all(PIXEL_MM[0] <= side <= PIXEL_MM[1] for side in case.spacing_mm):
        why = f"a pixel of {row_mm:g} x {column_mm:g} mm (possible: {PIXEL_MM[0]:g}-{PIXEL_MM[1]:g})"
        yield Finding("scale_impossible", case.image, why, case.id)
    elif not IMAGE_DEPTH_MM[0] <= depth_mm <= IMAGE_DEPTH_MM[1]:
        why = f"{shape[0]} rows of {row_mm:g} mm make an image {depth_mm:.0f} mm deep (possible: 8-300)"
        yield Finding("scale_impossible", case.image, why, case.id)


def landmark_faults(case: Case, shape: tuple[int, ...]) -> Iterator[Finding]:
    """Landmarks that are said to be in the image and lie outside it."""
    for name, point in (case.landmarks or {}).items():
        if point is not None and not (-0.5 <= point[0] <= shape[1] - 0.5 and -0.5 <= point[1] <= shape[0] - 0.5):
            why = f"{name} at x {point[0]:g}, y {point[1]:g} of an image of {shape[1]} x {shape[0]}"
            yield Finding("landmark_outside", case.image, why, case.id)


def _sizes(case: Case, where: str, shapes: Mapping[str, Shape]) -> Iterator[Finding]:
    if case.spacing_mm is None:
        return
    pixel_mm = min(case.spacing_mm)
    for name, shape in shapes.items():
        thickness_mm, largest_mm = shape.thickness_px * pixel_mm, LARGEST_THICKNESS_MM[name]
        if thickness_mm > largest_mm:
            why = f"a {_title(name)} {thickness_mm:.0f} mm thick at {pixel_mm:g} mm a pixel (at most {largest_mm:g})"
            yield Finding("size_impossible", where, why, case.id)


def _places(case: Case, where: str, shape: tuple[int, ...], shapes: Mapping[str, Shape]) -> Iterator[Finding]:
    row_mm = _row_mm(case, shape[0])
    for name, shallowest_mm in SHALLOWEST_MM.items():
        if name in shapes and shapes[name].centre_y * row_mm < shallowest_mm:
            why = f"the middle of the {_title(name)} lies {shapes[name].centre_y * row_mm:.1f} mm below the skin"
            yield Finding("out_of_place", where, f"{why} (at least {shallowest_mm:g})", case.id)
    head = shapes.get("femoral_head")
    for name in _VESSELS_AND_NERVE:
        if head is not None and name in shapes and shapes[name].top > head.bottom:
            why = f"the whole {_title(name)} lies deeper than the femoral head"
            yield Finding("out_of_place", where, why, case.id)


def _behind_bone(case: Case, where: str, labels_HW: LabelsHW, shapes: Mapping[str, Shape]) -> Iterator[Finding]:
    bones = [name for name in _BONE_NAMES if name in shapes]
    if not bones:
        return
    lowest = _lowest_bone_row(labels_HW)
    rows = np.arange(labels_HW.shape[0])[:, None]
    for name, shape in shapes.items():
        if name in _BONE_NAMES:
            continue
        box = np.s_[shape.top : shape.bottom + 1, shape.left : shape.right + 1]
        hidden = (labels_HW[box] == structure_named(name).id) & (rows[box[0]] > lowest[box[1]])
        share = float(hidden.sum()) / shape.area_px
        if share > _SHADOWED_SHARE:
            why = f"{share:.0%} of the {_title(name)} lies behind bone, where no echo comes from"
            yield Finding("behind_bone", where, why, case.id)


def _lowest_bone_row(labels_HW: LabelsHW) -> npt.NDArray[np.int64]:
    """The last row of bone in each column, the image's last where there is none."""
    bone_HW = np.isin(labels_HW, BONES)
    height = labels_HW.shape[0]
    last = height - 1 - bone_HW[::-1].argmax(axis=0)
    return np.asarray(np.where(bone_HW.any(axis=0), last, height), np.int64)


def _below_shadow(
    case: Case, where: str, image_HW: ImageHW, labels_HW: LabelsHW, shapes: Mapping[str, Shape]
) -> Iterator[Finding]:
    for name in ("femoral_head", "femoral_neck"):
        if name not in shapes:
            continue
        echo, above = band_echo(image_HW, labels_HW == structure_named(name).id, _row_mm(case, image_HW.shape[0]))
        if echo < _DARK_ECHO and echo < _DARK_SHARE * above:
            why = f"at the upper edge of the {_title(name)} the image is dark ({echo:.0f} of 255; {above:.0f} above it)"
            yield Finding("below_shadow", where, why, case.id)


_DARK_ECHO, _DARK_SHARE = 25.0, 0.25
_EDGE_ABOVE_MM, _EDGE_BELOW_MM = 1.5, 3.0


def band_echo(image_HW: ImageHW, band_HW: npt.NDArray[np.bool_], row_mm: float) -> tuple[float, float]:
    """How bright a bone's surface is where its band begins, and the brightest echo above it (medians over columns).

    A band from the bright cortex down begins with an echo; one drawn in the shadow begins in the dark.
    """
    columns = np.flatnonzero(band_HW.any(axis=0))[::2]
    tops = band_HW[:, columns].argmax(axis=0)
    from_row, to_row = tops - _EDGE_ABOVE_MM / row_mm, tops + _EDGE_BELOW_MM / row_mm
    grey = cv2.blur(image_HW[: int(to_row.max()) + 2], (5, 3))[:, columns]
    rows = np.arange(len(grey))[:, None]
    at_edge = np.where((rows >= from_row) & (rows <= to_row), grey, 0).max(axis=0)
    above = np.where(rows < from_row, grey, 0).max(axis=0)
    return float(np.median(at_edge)), float(np.median(above))


def _tip(case: Case, where: str, labels_HW: LabelsHW, shapes: Mapping[str, Shape]) -> Iterator[Finding]:
    needle = shapes.get("needle")
    landmarks = case.landmarks or {}
    tip = landmarks.get(LANDMARKS[0])
    if needle is None or needle.area_px < _FEWEST_NEEDLE_PX:
        return
    if tip is None and LANDMARKS[0] in landmarks and (_leaves_the_image(needle, labels_HW.shape) or _is_hidden(case)):
        return
    if tip is None:
        why = "needle_tip is null (not in the image)" if LANDMARKS[0] in landmarks else "needle_tip is not marked"
        yield Finding("needle_without_tip", where, f"{needle.area_px} pixels of needle, but {why}", case.id)
        return
    rows, columns = np.nonzero(labels_HW == NEEDLE)
    row_mm, column_mm = case.spacing_mm or (_row_mm(case, labels_HW.shape[0]),) * 2
    away_mm = float(np.hypot((columns - tip[0]) * column_mm, (rows - tip[1]) * row_mm).min())
    if away_mm > _TIP_REACH_MM:
        yield Finding("tip_without_needle", where, f"needle_tip is {away_mm:.1f} mm from the drawn needle", case.id)


def _leaves_the_image(needle: Shape, shape: tuple[int, ...]) -> bool:
    """Whether the shaft runs out at the bottom or at both sides, and takes the tip with it."""
    return needle.bottom >= shape[0] - 2 or (needle.left <= 1 and needle.right >= shape[1] - 2)


def _is_hidden(case: Case) -> bool:
    """Whether the truth that came with a case says that its tip is not seen: out of plane, or without contact."""
    needle = (case.truth or {}).get("needle")
    return isinstance(needle, Mapping) and needle.get("tip_visible") is False


def _row_mm(case: Case, height: int) -> float:
    """Millimetres a row; of a typical image where the scale is unknown."""
    return _TYPICAL_DEPTH_MM / height if case.spacing_mm is None else case.spacing_mm[0]


def _title(name: str) -> str:
    return structure_named(name).title
