"""What CVAT's two XML formats have in common: labels, shapes, and distrust.

After https://docs.cvat.ai/docs/manual/advanced/xml_format/ (version 1.1).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError

import numpy as np
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import parse

from hipseg.data.importers import rasterise
from hipseg.data.importers.drawing import Drawing
from hipseg.data.importers.rasterise import MaskHW
from hipseg.data.importers.run_lengths import checked_points, polygons_mask
from hipseg.data.importers.source_files import files_below
from hipseg.errors import SourceError
from hipseg.io.file_kind import unreadable

SHAPES = ("polygon", "mask", "box", "ellipse", "polyline", "points")
# CVAT's coordinates begin at the corner of the first pixel, ours at its centre.
_CORNER = 0.5
_HEAD_BYTES = 1 << 15


def xml_files(source: Path) -> list[Path]:
    """The XML files of an export."""
    paths = [source] if source.is_file() else list(files_below(source))
    return [path for path in paths if path.suffix.lower() == ".xml"]


def speaks_of(path: Path, element: str) -> bool:
    """Whether a file is CVAT's and has such an element, by a look at its beginning and end."""
    with path.open("rb") as file:
        text = file.read(_HEAD_BYTES)
        file.seek(max(0, path.stat().st_size - _HEAD_BYTES))
        text += file.read()
    return b"<annotations" in text and f"<{element} ".encode() in text


def read_annotations(path: Path) -> Element:
    """The root of a CVAT file.

    Raises:
        SourceError: it cannot be read, is not XML, is something else, or brings entities or a document type along.
    """
    try:
        root = parse(path, forbid_dtd=True).getroot()
    except OSError as error:
        raise unreadable(path, error) from error
    except DefusedXmlException as error:
        what = f"declares entities or a document type ({type(error).__name__})"
        raise SourceError(what, where=path, expected="plain XML as CVAT writes it") from error
    except (ParseError, ValueError, LookupError) as error:
        raise SourceError(f"not XML ({error})", where=path, mend="export it again") from error
    if root is None or root.tag != "annotations":
        tag = None if root is None else root.tag
        raise SourceError(f"its root is <{tag}>", where=path, expected="<annotations>")
    assert isinstance(root, Element)
    return root


def label_names(root: Element, path: Path) -> list[str]:
    """The labels of the task or project.

    Raises:
        SourceError: a label is its own ancestor.
    """
    parents: dict[str, str] = {}
    for label in root.iterfind("meta//labels/label"):
        name = (label.findtext("name") or "").strip()
        if name:
            parents[name] = (label.findtext("parent") or "").strip()
    for name in parents:
        _refuse_circle(name, parents, path)
    return list(parents)


def _refuse_circle(name: str, parents: dict[str, str], path: Path) -> None:
    seen, at = {name}, parents.get(name, "")
    while at:
        if at in seen:
            raise SourceError(f"label '{name}' is its own ancestor", where=path, expected="parents without a circle")
        seen.add(at)
        at = parents.get(at, "")


def shapes_of(element: Element) -> Iterator[Element]:
    """The shapes directly below an element."""
    return (child for child in element if child.tag in SHAPES)


def integer(element: Element, name: str, where: str) -> int:
    """A whole number from 0 in an attribute. Raises SourceError when it is missing or something else."""
    text = element.get(name)
    if text is None or not text.isdecimal() or len(text) > 12:
        got = "is missing" if text is None else f"is '{text[:40]}'"
        raise SourceError(f"attribute '{name}' {got}", where=where, expected="a whole number from 0")
    return int(text)


def number(element: Element, name: str, where: str, default: float | None = None) -> float:
    """A finite number in an attribute. Raises SourceError when it is missing or something else."""
    text = element.get(name)
    try:
        value = float("nan") if text is None else float(text)
    except ValueError:
        value = float("nan")
    if text is None and default is not None:
        return default
    if not np.isfinite(value) or abs(value) > 1e6:
        got = "is missing" if text is None else f"is '{text[:40]}'"
        raise SourceError(f"attribute '{name}' {got}", where=where, expected="a number")
    return value


def flag(element: Element, name: str) -> bool:
    """Whether an attribute is 1."""
    return element.get(name) == "1"


def drawing_of(shape: Element, label: str, height: int, width: int, where: str) -> list[Drawing]:
    """What a shape draws: a region, a line, or one or more points. Raises SourceError when it cannot be drawn."""
    occluded = flag(shape, "occluded")
    if shape.tag in ("polyline", "points"):
        least = 2 if shape.tag == "polyline" else 1
        points = points_of(shape, height, width, where, least) - _CORNER
        if shape.tag == "polyline":
            return [Drawing(label, line_xy=points, occluded=occluded)]
        return [Drawing(label, point_xy=(float(x), float(y)), occluded=occluded) for x, y in points]
    return [Drawing(label, _REGIONS[shape.tag](shape, height, width, where), occluded=occluded)]


def points_of(shape: Element, height: int, width: int, where: str, least: int) -> np.ndarray:
    """The points of a shape, [N, 2] in CVAT's coordinates. Raises SourceError for too few, NaN or far away ones."""
    text = shape.get("points")
    if text is None:
        raise SourceError("attribute 'points' is missing", where=where, expected="x,y;x,y;...")
    pairs: Sequence[Sequence[str]] = [pair.split(",") for pair in text.split(";") if pair]
    return checked_points(pairs, height, width, where=where, field="points", least=least)


def _polygon(shape: Element, height: int, width: int, where: str) -> MaskHW:
    points = points_of(shape, height, width, where, least=3)
    return polygons_mask([points.ravel().tolist()], height, width, where=where, field="points")


def _box(shape: Element, height: int, width: int, where: str) -> MaskHW:
    left, top, right, bottom = (number(shape, name, where) for name in ("xtl", "ytl", "xbr", "ybr"))
    corners = np.array([(left, top), (right, top), (right, bottom), (left, bottom)])
    angle = np.deg2rad(number(shape, "rotation", where, default=0.0))
    centre = corners.mean(axis=0)
    rotation = np.array([(np.cos(angle), -np.sin(angle)), (np.sin(angle), np.cos(angle))])
    turned = (corners - centre) @ rotation.T + centre
    return polygons_mask([turned.ravel().tolist()], height, width, where=where, field="box")


def _ellipse(shape: Element, height: int, width: int, where: str) -> MaskHW:
    cx, cy, rx, ry = (number(shape, name, where) for name in ("cx", "cy", "rx", "ry"))
    if min(rx, ry) <= 0:
        raise SourceError("an ellipse without size", where=where, expected="rx and ry above 0")
    angle_deg = number(shape, "rotation", where, default=0.0)
    return rasterise.ellipse((cx - _CORNER, cy - _CORNER), (rx, ry), angle_deg, height, width)


def _mask(shape: Element, height: int, width: int, where: str) -> MaskHW:
    left, top, mask_width, mask_height = (integer(shape, name, where) for name in ("left", "top", "width", "height"))
    if left + mask_width > width or top + mask_height > height:
        what = f"a mask of {mask_width} x {mask_height} pixels at {left}, {top}"
        raise SourceError(what, where=where, expected=f"inside {width} x {height}")
    runs = [run.strip() for run in (shape.get("rle") or "").split(",")]
    if not all(run.isdecimal() and len(run) < 12 for run in runs):
        raise SourceError("attribute 'rle' is no list of run lengths", where=where)
    lengths = np.array(runs, np.int64)
    if lengths.sum() != mask_width * mask_height:
        what = f"attribute 'rle' covers {lengths.sum()} pixels"
        raise SourceError(what, where=where, expected=f"{mask_width * mask_height} of its box")
    inside = np.repeat(np.arange(len(lengths)) % 2 == 1, lengths)
    mask_HW = np.zeros((height, width), bool)
    mask_HW[top : top + mask_height, left : left + mask_width] = inside.reshape(mask_height, mask_width)
    return mask_HW


_REGIONS = {"polygon": _polygon, "box": _box, "ellipse": _ellipse, "mask": _mask}
