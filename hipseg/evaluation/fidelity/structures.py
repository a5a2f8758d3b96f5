"""How bone, capsule and vessels look: grey levels measured where the labels say that they are."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from hipseg.anatomy import ANTERIOR_CAPSULE, FEMORAL_ARTERY, FEMORAL_HEAD, FEMORAL_VEIN
from hipseg.evaluation.fidelity.geometry import Figures, Mask, cortex_line, is_whole
from hipseg.evaluation.fidelity.pictures import Picture

ABOVE_MM = (-2.5, -1.0, -0.5, -0.25, 0.0, 0.25, 0.5, 0.75, 1.0, 2.0)
"""Places along the cortex' normal, above its edge (simulation.md, "Cortex")."""
SHADOW_MM = tuple(range(11))
_NEAR_APEX_MM = 5.0
_FLATTEST_DEG = 25.0
_SMOOTH_MM = 0.15
Profile = npt.NDArray[np.float64]


def bone(picture: Picture) -> Figures:
    """Profile along the normal near the apex, width of the cortex, dark line above it, shadow below it."""
    columns, rows = _near_apex(picture)
    if len(columns) * picture.spacing_mm < 3.0:
        return {}
    fine_mm = np.arange(-3.0, 4.0, 0.05)
    profile = _profile(picture, columns, rows, fine_mm)
    figures = {f"cortex_at_{place:+g}mm": float(np.interp(place, fine_mm, profile)) for place in ABOVE_MM}
    figures |= _cortex_width(fine_mm, profile) | _cartilage(fine_mm, profile)
    below = _profile(picture, columns, rows, np.array([-0.3 - mm for mm in SHADOW_MM]), vertical=True)
    shadow = {f"shadow_{mm}mm": float(grey) for mm, grey in zip(SHADOW_MM, below, strict=True) if np.isfinite(grey)}
    return figures | shadow | _fading(picture)


def _near_apex(picture: Picture) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    columns, rows = cortex_line(picture.mask(FEMORAL_HEAD))
    if len(columns) == 0:
        return columns, rows
    near = np.abs(columns - columns[rows.argmin()]) * picture.spacing_mm < _NEAR_APEX_MM
    return columns[near], rows[near]


def _profile(
    picture: Picture,
    columns: npt.NDArray[np.intp],
    rows: npt.NDArray[np.intp],
    above_mm: Profile,
    *,
    vertical: bool = False,
) -> Profile:
    """Mean grey at distances above the cortex along its normal, or straight up; NaN outside the picture."""
    slope = np.zeros(len(rows)) if vertical else _slopes(columns, rows)
    norm = np.hypot(1.0, slope)
    x = columns[None] + above_mm[:, None] / picture.spacing_mm * (slope / norm)[None]
    y = rows[None] - above_mm[:, None] / picture.spacing_mm / norm[None]
    height, width = picture.image_HW.shape
    inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 3)
    grey = cv2.remap(picture.image_HW.astype(np.float32), x.astype(np.float32), y.astype(np.float32), cv2.INTER_LINEAR)
    enough = inside.mean(axis=1) > 0.6
    sums = np.where(inside, grey, 0).sum(axis=1) / np.maximum(inside.sum(axis=1), 1)
    return np.where(enough, sums, np.nan)


def _slopes(columns: npt.NDArray[np.intp], rows: npt.NDArray[np.intp]) -> Profile:
    """Rise of the line to the right, from a parabola through it."""
    curve = np.polynomial.Polynomial.fit(columns.astype(float), rows.astype(float), min(2, len(rows) - 1))
    return np.asarray(curve.deriv()(columns.astype(float)))


def _cortex_width(place_mm: Profile, profile: Profile) -> Figures:
    """Full width at half of the peak over the darker of its two sides, within a millimetre of the edge."""
    window = np.abs(place_mm + 0.2) <= 1.2
    place_mm, profile = place_mm[window], np.nan_to_num(profile[window])
    peak = int(profile.argmax())
    floor = min(profile[:peak].min(initial=255), profile[peak:].min(initial=255))
    above = profile > (profile[peak] + floor) / 2
    after, before = above[peak:], above[peak::-1]
    samples = (len(after) if after.all() else after.argmin()) + (len(before) if before.all() else before.argmin()) - 1
    return {"cortex_width_mm": float(samples * 0.05), "cortex_peak": float(profile[peak])}


def _cartilage(place_mm: Profile, profile: Profile) -> Figures:
    """The darkest level within 2 mm above the cortex."""
    above = (place_mm > 0.2) & (place_mm < 2.0)
    if not np.isfinite(profile[above]).any():
        return {}
    values = np.where(np.isfinite(profile), profile, 255)
    return {
        "cartilage_grey": float(values[above].min()),
        "cartilage_at_mm": float(place_mm[above][values[above].argmin()]),
    }


def _fading(picture: Picture) -> Figures:
    """How bright the cortex is where it slopes by 30-45 degrees, relative to where it is flat."""
    columns, rows = cortex_line(picture.mask(FEMORAL_HEAD))
    if len(columns) * picture.spacing_mm < 15.0:
        return {}
    slope_deg = np.degrees(np.arctan(np.abs(_slopes(columns, rows))))
    peaks = _peaks(picture, columns, rows)
    flat, steep = slope_deg < 10, (slope_deg > 30) & (slope_deg < 45)
    if flat.sum() < 10 or steep.sum() < 10:
        return {}
    return {"cortex_fading": float(peaks[steep].mean() / max(peaks[flat].mean(), 1.0))}


def _peaks(picture: Picture, columns: npt.NDArray[np.intp], rows: npt.NDArray[np.intp]) -> Profile:
    """The brightest grey within 0.6 mm of the line, per column."""
    reach = max(round(0.6 / picture.spacing_mm), 1)
    offsets = np.arange(-reach, reach + 1)
    index = np.clip(rows[None] + offsets[:, None], 0, len(picture.image_HW) - 1)
    return np.asarray(picture.image_HW[index, columns[None]].max(axis=0), float)


def capsule(picture: Picture) -> Figures:
    """Grey, thickness and lamination of the anterior capsule where it is drawn."""
    mask = picture.mask(ANTERIOR_CAPSULE)
    if mask.sum() * picture.spacing_mm**2 < 8.0:
        return {}
    thickness = mask.sum(axis=0)
    middle = thickness > 0
    grey = picture.image_HW[mask].astype(float)
    return {
        "capsule_grey": float(grey.mean()),
        "capsule_variation": float(grey.std() / max(grey.mean(), 1.0)),
        "capsule_thickness_mm": float(np.median(thickness[middle])) * picture.spacing_mm,
    }


def vessels(picture: Picture) -> Figures:
    """Haze in the artery's upper part, its dark lower part, the bright wedge behind it, and the vein against it."""
    artery, vein = picture.mask(FEMORAL_ARTERY), picture.mask(FEMORAL_VEIN)
    if not is_whole(artery, picture.spacing_mm):
        return {}
    box = _box(artery)
    figures = _lumen(picture, box) | _wedge(picture, box)
    lumen = _inside(artery, picture.spacing_mm)
    vein_lumen = _inside(vein, picture.spacing_mm)
    if lumen.any():
        figures["artery_grey"] = float(picture.image_HW[lumen].mean())
        if vein_lumen.sum() * picture.spacing_mm**2 > 4.0:
            figures["vein_to_artery"] = float(picture.image_HW[vein_lumen].mean()) / max(figures["artery_grey"], 1.0)
    return figures


def _box(mask: Mask) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


def _lumen(picture: Picture, box: tuple[int, int, int, int]) -> Figures:
    """Grey of the upper and lower part, and of the central stripe against what lies beside it in the lumen."""
    top, bottom, left, right = box
    height, width = bottom - top, right - left
    image = picture.image_HW.astype(float)

    def part(y0: float, y1: float, x0: float, x1: float) -> float:
        rows = slice(top + round(y0 * height), top + max(round(y1 * height), round(y0 * height) + 1))
        columns = slice(left + round(x0 * width), left + max(round(x1 * width), round(x0 * width) + 1))
        return float(image[rows, columns].mean())

    beside = 0.5 * (part(0.25, 0.75, 0.15, 0.3) + part(0.25, 0.75, 0.7, 0.85))
    return {
        "artery_haze_upper": part(0.2, 0.45, 0.3, 0.7),
        "artery_haze_lower": part(0.6, 0.85, 0.3, 0.7),
        "artery_stripe": part(0.25, 0.75, 0.4, 0.6) / max(beside, 1.0),
    }


def _wedge(picture: Picture, box: tuple[int, int, int, int]) -> Figures:
    """Grey 0.5-4.5 mm behind the artery against the tissue 1-5 mm beside that, and beside the artery itself."""
    top, bottom, left, right = box
    px = 1 / picture.spacing_mm
    image = picture.image_HW.astype(float)
    third = (right - left) // 4
    rows = slice(bottom + round(0.5 * px), bottom + round(4.5 * px))
    sides = (
        slice(max(left - round(5 * px), 0), max(left - round(px), 0)),
        slice(right + round(px), right + round(5 * px)),
    )
    figures: Figures = {}
    around = [image[top:bottom, side].mean() for side in sides if image[top:bottom, side].shape[1] > 2 * px]
    if around:
        figures["beside_artery_grey"] = float(np.mean(around))
    if rows.stop > len(image) - 3:
        return figures
    neighbours = [image[rows, side].mean() for side in sides if image[rows, side].shape[1] > 2 * px]
    behind = float(image[rows, left + third : right - third].mean())
    if neighbours:
        figures |= {"behind_artery_grey": behind, "enhancement": behind / max(float(np.mean(neighbours)), 1.0)}
    return figures


def _inside(mask: Mask, spacing_mm: float) -> Mask:
    """A vessel without its outer 0.6 mm."""
    size = 2 * round(0.6 / spacing_mm) + 1
    return cv2.erode(mask.astype(np.uint8), np.ones((size, size), np.uint8)) > 0
