"""CVAT for images 1.1: an XML of <image> elements beside the pictures."""

from __future__ import annotations

import functools
from pathlib import Path
from xml.etree.ElementTree import Element

from hipseg.anatomy import Code
from hipseg.data.importers.drawing import Drawing, SourceCase, SourceExport, SourceFrame
from hipseg.data.importers.formats.cvat_xml import (
    drawing_of,
    integer,
    label_names,
    number,
    read_annotations,
    shapes_of,
    speaks_of,
    xml_files,
)  # fmt: skip
from hipseg.data.importers.refusals import Refusals
from hipseg.data.importers.source_files import PICTURE_ENDINGS, FileIndex, read_picture
from hipseg.errors import SourceError


class CvatImages:
    """Importer of CVAT's export of an image task or project."""

    name = "cvat-images"

    def recognises(self, source: Path) -> bool:
        """Whether an XML file of CVAT speaks of images."""
        return any(speaks_of(path, "image") for path in xml_files(source))

    def read(self, source: Path, refusals: Refusals) -> SourceExport:
        """One case an <image>. An XML file that is broken as a whole is refused, the others come."""
        root_folder = source.parent if source.is_file() else source
        files, cases, labels = FileIndex(root_folder, PICTURE_ENDINGS), list[SourceCase](), dict[str, Code | None]()
        for path in xml_files(source):
            with refusals.noting(path.stem):
                root = read_annotations(path)
                labels |= dict.fromkeys(label_names(root, path))
                for image in root.iterfind("image"):
                    where = f"{path}, image {image.get('id', '?')}"
                    with refusals.noting(where):
                        cases.append(_case(image, path, files, where))
        return SourceExport(cases, labels or None)


def _case(image: Element, path: Path, files: FileIndex, where: str) -> SourceCase:
    name = image.get("name")
    if not name:
        raise SourceError("attribute 'name' is missing", where=where, expected="the name of a picture")
    load = functools.partial(_load, image, path, files, where)
    return SourceCase(str(Path(name.replace("\\", "/")).with_suffix("")), load)


def _load(image: Element, path: Path, files: FileIndex, where: str) -> SourceFrame:
    picture = files.find(image.get("name"), path.parent, where=where, field="name")
    image_HW, original = read_picture(picture)
    height, width = image_HW.shape
    if (integer(image, "width", where), integer(image, "height", where)) != (width, height):
        what = f"attributes 'width' and 'height' are {image.get('width')} x {image.get('height')}"
        raise SourceError(what, where=where, expected=f"{width} x {height} as {picture.name}")
    ordered = sorted(shapes_of(image), key=lambda shape: number(shape, "z_order", where, default=0.0))
    return SourceFrame(image_HW, _drawings(ordered, height, width, where), original=original)


def _drawings(shapes: list[Element], height: int, width: int, where: str) -> list[Drawing]:
    drawings = []
    for position, shape in enumerate(shapes):
        place = f"{where}, <{shape.tag}> {position}"
        label = shape.get("label")
        if not label:
            raise SourceError("attribute 'label' is missing", where=place, expected="the name of a label")
        drawings += drawing_of(shape, label, height, width, place)
    return drawings
