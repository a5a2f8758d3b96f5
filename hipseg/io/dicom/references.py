"""What a segmentation points back to: the images it was made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import Dataset

from hipseg.errors import SourceError, UsageError
from hipseg.io.dicom.file import open_dicom_file
from hipseg.io.dicom.pixel_format import PixelFormat, read_pixel_format
from hipseg.io.dicom.values import text_of
from hipseg.io.file_kind import FileKind, format_of


@dataclass(frozen=True, slots=True)
class ReferencedImage:
    """One source frame.

    Attributes:
        sop_class, instance: UIDs of its file.
        frame_number: from 1 in a multi-frame file, None in a single-frame one.
    """

    sop_class: str
    instance: str
    frame_number: int | None


@dataclass(frozen=True, slots=True)
class ReferencedClip:
    """The source of a segmentation.

    Attributes:
        header: of the (first) file.
        format: of its pixels.
        study, series: UIDs.
        images: one a frame.
    """

    header: Dataset
    format: PixelFormat
    study: str
    series: str
    images: tuple[ReferencedImage, ...]


def read_references(paths: Sequence[Path]) -> ReferencedClip:
    """The frames of one DICOM file, or of the files of a series, as they are referred to.

    Raises:
        UsageError: a source is not DICOM.
        SourceError: a file cannot be read, or does not tell its UIDs.
    """
    images: list[ReferencedImage] = []
    first: tuple[Dataset, PixelFormat] | None = None
    for path in paths:
        if format_of(path).kind is not FileKind.DICOM:
            mend = "leave the DICOM segmentation out; masks as PNG serve any source"
            raise UsageError("a DICOM segmentation needs a DICOM source", where=path, mend=mend)
        file = open_dicom_file(path)
        file.close()
        format_ = read_pixel_format(file)
        sop_class, instance = (_uid(file.header, f"SOP{name}UID", path) for name in ("Class", "Instance"))
        numbers = range(1, format_.num_frames + 1) if format_.num_frames > 1 else (None,)
        images += [ReferencedImage(sop_class, instance, number) for number in numbers]
        first = first or (file.header, format_)
    assert first is not None, "at least one path"
    study, series = (_uid(first[0], f"{level}InstanceUID", paths[0]) for level in ("Study", "Series"))
    return ReferencedClip(first[0], first[1], study, series, tuple(images))


def _uid(header: Dataset, keyword: str, path: Path) -> str:
    # Some writers name the instance in the file's meta information only.
    uid = text_of(header, keyword) or text_of(header, f"MediaStorage{keyword}")
    if not uid:
        raise SourceError(f"{keyword} is missing", where=path, expected="a UID to refer to")
    return uid
