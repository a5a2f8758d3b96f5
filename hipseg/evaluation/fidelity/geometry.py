"""Where structures lie and how large they are drawn: millimetres, from label maps alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from hipseg.anatomy import FEMORAL_ARTERY, FEMORAL_HEAD, FEMORAL_VEIN
from hipseg.evaluation.fidelity.pictures import Picture

Mask = npt.NDArray[np.bool_]
Figures = dict[str, float]
_SMALLEST_MM2 = 4.0


def geometry(picture: Picture) -> Figures:
    """The geometry table of simulation.md for one picture; what is not in it, or cut by its frame, is left out."""
    height, width = picture.image_HW.shape
    figures = {"shown_width_mm": width * picture.spacing_mm, "shown_depth_mm": height * picture.spacing_mm}
    artery, vein = (picture.mask(label) for label in (FEMORAL_ARTERY, FEMORAL_VEIN))
    if is_whole(artery, picture.spacing_mm):
        figures |= _artery(artery, picture.spacing_mm)
        if is_whole(vein, picture.spacing_mm):
            figures |= _vein(vein, artery, picture.spacing_mm)
    head = _head(picture.mask(FEMORAL_HEAD), picture.spacing_mm)
    if "head_apex_depth_mm" in head and is_whole(artery, picture.spacing_mm):
        centre = _centre_mm(artery, picture.spacing_mm)
        head["head_beside_artery_mm"] = abs(head["_apex_x_mm"] - centre[0])
        head["head_below_artery_mm"] = head["head_apex_depth_mm"] - centre[1]
    head.pop("_apex_x_mm", None)
    return figures | head


def is_whole(mask: Mask, spacing_mm: float) -> bool:
    """Whether a structure is in the picture and not cut by its frame."""
    cut = mask[0].any() or mask[-1].any() or mask[:, 0].any() or mask[:, -1].any()
    return bool(mask.sum() * spacing_mm**2 > _SMALLEST_MM2 and not cut)


def cortex_line(head: Mask) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Columns and rows of the upper edge of a bone's band, without columns where it begins at the image's edge."""
    columns = np.flatnonzero(head.any(axis=0))
    rows = head[:, columns].argmax(axis=0)
    inside = rows > 0
    return columns[inside], rows[inside]


def _artery(artery: Mask, spacing_mm: float) -> Figures:
    width, height = _size_mm(artery, spacing_mm)
    return {
        "artery_width_mm": width,
        "artery_height_mm": height,
        "artery_ratio": height / width,
        "artery_depth_mm": _centre_mm(artery, spacing_mm)[1],
    }


def _vein(vein: Mask, artery: Mask, spacing_mm: float) -> Figures:
    width, height = _size_mm(vein, spacing_mm)
    from_artery = np.subtract(_centre_mm(vein, spacing_mm), _centre_mm(artery, spacing_mm))
    return {
        "vein_width_mm": width,
        "vein_height_mm": height,
        "vein_beside_artery_mm": abs(float(from_artery[0])),
        "vein_below_artery_mm": float(from_artery[1]),
    }


def _head(head: Mask, spacing_mm: float) -> Figures:
    columns, rows = cortex_line(head)
    if len(columns) * spacing_mm < 10.0:
        return {}
    x, y = columns * spacing_mm, rows * spacing_mm
    centre_x, centre_y, radius = fit_circle(x, y)
    figures = {"head_radius_mm": radius}
    angles = np.degrees(np.arctan2(x - centre_x, centre_y - y))
    figures["head_arc_deg"] = float(angles.max() - angles.min())
    top = int(rows.argmin())
    if 2.0 < columns[top] * spacing_mm < (head.shape[1] - 1) * spacing_mm - 2.0:
        figures |= {"head_apex_depth_mm": float(y[top]), "_apex_x_mm": float(x[top])}
    return figures


def fit_circle(x: npt.NDArray[Any], y: npt.NDArray[Any]) -> tuple[float, float, float]:
    """Centre and radius of the circle of least algebraic error (Kasa 1976)."""
    system = np.column_stack([x, y, np.ones_like(x)])
    a, b, c = np.linalg.lstsq(system, x**2 + y**2, rcond=None)[0]
    return float(a / 2), float(b / 2), float(np.sqrt(max(c + a**2 / 4 + b**2 / 4, 0.0)))


def _size_mm(mask: Mask, spacing_mm: float) -> tuple[float, float]:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return float(np.ptp(columns) + 1) * spacing_mm, float(np.ptp(rows) + 1) * spacing_mm


def _centre_mm(mask: Mask, spacing_mm: float) -> tuple[float, float]:
    rows, columns = np.nonzero(mask)
    return float(columns.mean()) * spacing_mm, float(rows.mean()) * spacing_mm
