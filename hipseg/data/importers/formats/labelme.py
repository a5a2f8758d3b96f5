"""Labelme: a JSON a picture."""

from __future__ import annotations

import base64
import functools
import io
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from hipseg.data.importers.drawing import Drawing, SourceCase, SourceExport, SourceFrame
from hipseg.data.importers.json_files import list_in, read_json_object
from hipseg.data.importers.rasterise import MaskHW
from hipseg.data.importers.refusals import Refusals
from hipseg.data.importers.run_lengths import checked_points
from hipseg.data.importers.source_files import PICTURE_ENDINGS, FileIndex, files_below, read_picture, relative_name
from hipseg.errors import SourceError

Draw = Callable[[ImageDraw.ImageDraw, np.ndarray], None]

_HEAD_BYTES = 1 << 15
# Labelme's coordinates begin at the corner of the first pixel, ours at its centre.
_CORNER = 0.5


class Labelme:
    """Importer of Labelme's JSON files and the pictures they name.

    Regions are drawn as by labelme's own `shape_to_mask`: with Pillow, outlines included.
    """

    name = "labelme"

    def recognises(self, source: Path) -> bool:
        """Whether a JSON file has shapes and a picture."""
        return any(_looks_like_labelme(path) for path in _json_files(source))

    def read(self, source: Path, refusals: Refusals) -> SourceExport:
        """One case a JSON file."""
        del refusals
        root = source.parent if source.is_file() else source
        files = FileIndex(root, PICTURE_ENDINGS)
        return SourceExport(
            [
                SourceCase(relative_name(path, root), functools.partial(_load, path, files))
                for path in _json_files(source)
            ]
        )


def _json_files(source: Path) -> list[Path]:
    return [source] if source.is_file() else [path for path in files_below(source) if path.suffix.lower() == ".json"]


def _looks_like_labelme(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
        file.seek(max(0, path.stat().st_size - _HEAD_BYTES))
        text = head + file.read()
    return path.suffix.lower() == ".json" and b'"shapes"' in text and b'"imagePath"' in text


def _load(path: Path, files: FileIndex) -> SourceFrame:
    content = read_json_object(path)
    picture = files.find(content.get("imagePath"), path.parent, where=str(path), field="imagePath")
    image_HW, original = read_picture(picture)
    height, width = image_HW.shape
    for field, actual in (("imageWidth", width), ("imageHeight", height)):
        if content.get(field) not in (None, actual):
            raise SourceError(
                f"field '{field}' is {content[field]}", where=path, expected=f"{actual} as {picture.name}"
            )
    shapes = list_in(content, "shapes", str(path))
    drawings = [_drawing(shape, height, width, f"{path}, shapes[{number}]") for number, shape in enumerate(shapes)]
    return SourceFrame(image_HW, drawings, original=original)


def _drawing(shape: Any, height: int, width: int, where: str) -> Drawing:
    if not isinstance(shape, Mapping) or not isinstance(shape.get("label"), str):
        raise SourceError("field 'label' is missing", where=where, expected="the name of a label")
    kind, label = shape.get("shape_type") or "polygon", shape["label"]
    if kind not in (*_LEAST_POINTS, "mask"):
        expected = f"one of {', '.join((*_LEAST_POINTS, 'mask'))}"
        raise SourceError(f"field 'shape_type' is {kind!r}", where=where, expected=expected)
    least = _LEAST_POINTS.get(kind, 2)
    points = checked_points(shape.get("points"), height, width, where=where, field="points", least=least)
    if kind == "point":
        return Drawing(label, point_xy=(float(points[0, 0]) - _CORNER, float(points[0, 1]) - _CORNER))
    if kind in ("line", "linestrip"):
        return Drawing(label, line_xy=points - _CORNER)
    if kind == "mask":
        return Drawing(label, _packed_mask(shape.get("mask"), points, height, width, where))
    return Drawing(label, _drawn(_DRAW[kind], points, height, width))


def _drawn(
    draw: Callable[[ImageDraw.ImageDraw, np.ndarray], None], points: np.ndarray, height: int, width: int
) -> MaskHW:
    canvas = Image.new("L", (width, height))
    draw(ImageDraw.Draw(canvas), points)
    return np.asarray(canvas, bool)


def _polygon(canvas: ImageDraw.ImageDraw, points: np.ndarray) -> None:
    canvas.polygon([tuple(point) for point in points.tolist()], outline=1, fill=1)


def _rectangle(canvas: ImageDraw.ImageDraw, points: np.ndarray) -> None:
    low, high = points.min(axis=0), points.max(axis=0)
    canvas.rectangle([tuple(low.tolist()), tuple(high.tolist())], outline=1, fill=1)


def _circle(canvas: ImageDraw.ImageDraw, points: np.ndarray) -> None:
    (x, y), (x_edge, y_edge) = points[:2].tolist()
    radius = math.hypot(x - x_edge, y - y_edge)
    canvas.ellipse([x - radius, y - radius, x + radius, y + radius], outline=1, fill=1)


_LEAST_POINTS = {
    "polygon": 3, "rectangle": 2, "oriented_rectangle": 4, "circle": 2, "line": 2, "linestrip": 2, "point": 1,
}  # fmt: skip
_DRAW = {"polygon": _polygon, "oriented_rectangle": _polygon, "rectangle": _rectangle, "circle": _circle}


def _packed_mask(packed: object, points: np.ndarray, height: int, width: int, where: str) -> MaskHW:
    """Labelme's "mask" shapes: a PNG in base 64 for the box between two points, both included."""
    try:
        with Image.open(io.BytesIO(base64.b64decode(str(packed), validate=True))) as image:
            if image.width > width or image.height > height:
                raise ValueError(f"{image.width} x {image.height} pixels")
            inside_HW = np.asarray(image.convert("L"), bool)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise SourceError(f"field 'mask' is no picture that fits ({error})", where=where) from error
    left, top = (int(value) for value in points.min(axis=0).round())
    if min(left, top) < 0 or left + inside_HW.shape[1] > width or top + inside_HW.shape[0] > height:
        raise SourceError("field 'mask' reaches beyond the picture", where=where, expected=f"{width} x {height}")
    mask_HW = np.zeros((height, width), bool)
    mask_HW[top : top + inside_HW.shape[0], left : left + inside_HW.shape[1]] = inside_HW
    return mask_HW
