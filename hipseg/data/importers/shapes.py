"""Polylines, ellipses and polygons in one JSON an image, as the femoral images carry them.

{"image": "images/a.jpg", "size": [width, height], "spacing_mm": [row, column] | null, "view": "transverse",
 "shapes": {"femoral_head": [[x, y], ...], "femoral_artery": {"cx", "cy", "rx", "ry", "angle_deg"}, ...},
 "visible": {"femoral_head": true, "needle": false, ...}, "unsure": ["femoral_vein"]}

Bones are the polyline of the cortex, the capsule and the vein polygons, the artery an ellipse. A class named in
"visible" was looked for; a class that is not named is unknown.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hipseg.anatomy import IGNORED, structure_named
from hipseg.data.importers import rasterise
from hipseg.data.importers.case import Annotated, ImportedCase, files_of, read_grey
from hipseg.data.importers.rasterise import MaskHW
from hipseg.data.importers.runs import NumberedRuns
from hipseg.data.reading import LabelsHW
from hipseg.data.records import PointXY
from hipseg.errors import SourceError, nearest_name

BONES = ("femoral_head", "femoral_neck", "acetabulum")
PAINTING_ORDER = (
    "acetabulum",
    "femoral_neck",
    "femoral_head",
    "anterior_capsule",
    "femoral_vein",
    "femoral_artery",
    "artery_other",
    "needle",
)
CLASS_OF_SHAPE = {name: name for name in PAINTING_ORDER} | {"artery_other": "femoral_artery"}

BONE_BAND_MM = 5.0
BONE_BAND_PX_WITHOUT_SCALE = 60.0


class ShapeFolder:
    """Importer of a folder with `labels/*.json` and the images they name.

    Args:
        runs: [{"first", "last", "split"}, ...]: the numbers in the file names that are one person, and where that
            person goes.
        hip_view_by: the class whose visibility makes an image a hip view; without it the view is unknown.
    """

    def __init__(self, runs: Sequence[Mapping[str, Any]], hip_view_by: str = "femoral_head") -> None:
        self._runs, self._hip_view_by = NumberedRuns(runs), hip_view_by

    def cases(self, source: Path) -> list[ImportedCase]:
        """One case a JSON file. Raises SourceError when there is none, or a number lies in no run."""
        return [self._case(path, source) for path in files_of(source / "labels", "*.json")]

    def _case(self, path: Path, source: Path) -> ImportedCase:
        patient, split = self._runs.patient_and_split(path)
        return ImportedCase(path.stem, patient, split, functools.partial(self._load, path, source))

    def _load(self, path: Path, source: Path) -> Annotated:
        annotation = _read_annotation(path)
        image_HW = read_grey(source / annotation["image"])
        if [image_HW.shape[1], image_HW.shape[0]] != list(annotation["size"]):
            raise SourceError(f"field 'size' is {annotation['size']}", where=path, expected=f"{image_HW.shape[::-1]}")
        visible = annotation.get("visible", {})
        return Annotated(
            image_HW=image_HW,
            labels_HW=paint(annotation, where=path),
            spacing_mm=annotation.get("spacing_mm"),
            view=annotation.get("view"),
            annotated=known_classes(annotation),
            unsure=_unsure_classes(annotation) or None,
            landmarks=absent_landmarks(annotation),
            hip_view=True if visible.get(self._hip_view_by) else None,
        )


def known_classes(annotation: Mapping[str, Any]) -> tuple[str, ...]:
    """The classes that were looked for in an image, so that where they are not drawn they are not.

    A class seen but not drawn stays unknown. Bones are judged together: where someone decided about the head, the
    neck is decided too (these views cross one of them), and where no head is, no acetabulum was passed over.
    """
    visible, shapes = annotation.get("visible", {}), annotation["shapes"]
    known = {name for name, seen in visible.items() if not seen or name in shapes}
    if "femoral_head" in known:
        known.add("femoral_neck")
        if not visible["femoral_head"]:
            known.add("acetabulum")
    return tuple(name for name in PAINTING_ORDER if name in known)


def _unsure_classes(annotation: Mapping[str, Any]) -> tuple[str, ...]:
    doubted = set(annotation.get("unsure", ())) & set(annotation["shapes"])
    return tuple(dict.fromkeys(CLASS_OF_SHAPE[name] for name in PAINTING_ORDER if name in doubted))


def absent_landmarks(annotation: Mapping[str, Any]) -> dict[str, PointXY | None]:
    """The landmarks that are surely not in an image: those of a structure that was looked for and is not there."""
    absent = set(known_classes(annotation)) - set(annotation["shapes"])
    names = {"needle_tip": "needle", "needle_entry": "needle", "head_neck_junction": "femoral_neck"}
    return {landmark: None for landmark, structure in names.items() if structure in absent}


def paint(annotation: Mapping[str, Any], *, where: Path) -> LabelsHW:
    """The mask of one annotation, uint8 [H, W]: ids of the label scheme, 255 where the annotator was unsure."""
    width, height = annotation["size"]
    shapes, unsure = annotation["shapes"], set(annotation.get("unsure", ()))
    for name in shapes:
        if name not in PAINTING_ORDER:
            raise SourceError(f"unknown shape '{name}'", where=where, mend=nearest_name(name, PAINTING_ORDER))
    labels_HW = np.zeros((height, width), np.uint8)
    for name in PAINTING_ORDER:
        if name in shapes:
            mask_HW = _shape_mask(name, shapes[name], annotation, height, width, where=where)
            labels_HW[mask_HW] = IGNORED if name in unsure else structure_named(CLASS_OF_SHAPE[name]).id
    return labels_HW


def _shape_mask(
    name: str, shape: Any, annotation: Mapping[str, Any], height: int, width: int, *, where: Path
) -> MaskHW:
    try:
        if name in BONES:
            return rasterise.band_below(shape, _band_depth_px(annotation), height, width)
        if CLASS_OF_SHAPE[name] == "femoral_artery":
            centre, radii = (shape["cx"], shape["cy"]), (shape["rx"], shape["ry"])
            return rasterise.ellipse(centre, radii, shape.get("angle_deg", 0.0), height, width)
        if name == "needle":
            return rasterise.thick_line(shape["entry"], shape["tip"], shape["width_px"], height, width)
        return rasterise.polygon(shape, height, width)
    except (KeyError, TypeError, ValueError) as error:
        raise SourceError(f"shape '{name}' cannot be drawn ({error!r})", where=where) from error


def _band_depth_px(annotation: Mapping[str, Any]) -> float:
    spacing_mm = annotation.get("spacing_mm")
    return BONE_BAND_MM / spacing_mm[0] if spacing_mm else BONE_BAND_PX_WITHOUT_SCALE


def _read_annotation(path: Path) -> dict[str, Any]:
    try:
        annotation: dict[str, Any] = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise SourceError(f"not an annotation ({error})", where=path, expected="JSON") from error
    missing = {"image", "size", "shapes"} - set(annotation if isinstance(annotation, dict) else ())
    if missing:
        raise SourceError(f"field '{min(missing)}' is missing", where=path)
    return annotation
