"""The formats of annotation tools: one reader a file, found by name or by what lies in a folder."""

from __future__ import annotations

from pathlib import Path

from hipseg.data.importers.drawing import Format
from hipseg.data.importers.formats.coco import Coco
from hipseg.data.importers.formats.coloured_png import ColouredPng
from hipseg.data.importers.formats.cvat_images import CvatImages
from hipseg.data.importers.formats.cvat_video import CvatVideo
from hipseg.data.importers.formats.dicom_seg import DicomSeg
from hipseg.data.importers.formats.indexed_png import IndexedPng
from hipseg.data.importers.formats.labelme import Labelme
from hipseg.data.importers.formats.monai_label import MonaiLabel
from hipseg.data.importers.formats.slicer import Slicer
from hipseg.errors import SourceError, UsageError, nearest_name

AUTO = "auto"

# The order counts: what is told apart by its content comes first, plain folders of pictures last.
FORMATS: dict[str, Format] = {
    format_.name: format_
    for format_ in (
        DicomSeg(), MonaiLabel(), Slicer(), CvatVideo(), CvatImages(), Coco(), Labelme(), ColouredPng(), IndexedPng(),
    )
}  # fmt: skip


def format_named(name: str, source: Path) -> Format:
    """The reader of a format, or with "auto" the first that recognises the source.

    Raises:
        UsageError: there is no such format.
        SourceError: no format recognises the source.
    """
    if name != AUTO:
        if name not in FORMATS:
            raise UsageError(f"is '{name}'", where="--format", mend=nearest_name(name, [AUTO, *FORMATS]))
        return FORMATS[name]
    for format_ in FORMATS.values():
        if format_.recognises(source):
            return format_
    expected = f"an export as {', '.join(FORMATS)}"
    raise SourceError("of no format that is recognised", where=source, expected=expected, mend="name it with --format")
