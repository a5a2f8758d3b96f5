"""DICOM Segmentation objects and the images they were made on; the only file that imports highdicom to read."""

from __future__ import annotations

import functools
import threading
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import highdicom
import numpy as np

from hipseg.anatomy import Code
from hipseg.data.clip_reading import read_clip_frame
from hipseg.data.importers.case import ClipFrame
from hipseg.data.importers.clip_files import ClipFacts, read_clip_facts
from hipseg.data.importers.drawing import Drawing, SourceCase, SourceExport, SourceFrame
from hipseg.data.importers.refusals import Refusals
from hipseg.data.importers.source_files import files_below, relative_name
from hipseg.errors import SourceError
from hipseg.io.dicom.file import open_dicom_file
from hipseg.io.dicom.values import text_of
from hipseg.io.file_kind import FileKind, format_of
from hipseg.io.quiet import quiet_pydicom

MAX_SEGMENTS = 255
_SEGMENTATION_CLASSES = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")
_ENDINGS = (".dcm", ".dicom", ".ima", "")
_FRACTIONAL = "FRACTIONAL"


class DicomSeg:
    """Importer of binary, fractional and label map segmentations and the DICOM images or clips they refer to."""

    name = "dicom-seg"

    def recognises(self, source: Path) -> bool:
        """Whether one of the DICOM files is a segmentation."""
        return any(_sop_class(path) in _SEGMENTATION_CLASSES for path in _dicom_files(source))

    def read(self, source: Path, refusals: Refusals) -> SourceExport:
        """One case a frame that a segmentation refers to. Segmentations that cannot be read are refused."""
        root = source.parent if source.is_file() else source
        images: dict[str, Path] = {}
        segmentations: list[Path] = []
        for path in _dicom_files(root):
            with refusals.noting(relative_name(path, root)):
                header = _header(path)
                if text_of(header, "SOPClassUID") in _SEGMENTATION_CLASSES:
                    segmentations.append(path)
                else:
                    images[text_of(header, "SOPInstanceUID")] = path
        labels: dict[str, Code | None] = {}
        shown: dict[_Place, list[_Segmentation]] = defaultdict(list)
        for path in segmentations:
            with refusals.noting(relative_name(path, root)):
                segmentation = _Segmentation(path)
                labels |= segmentation.codes
                for place in segmentation.places:
                    shown[place].append(segmentation)
        return SourceExport(_cases(shown, images, root, refusals), labels)


class _Place(NamedTuple):
    """A source frame: the image's SOP instance UID, and the frame's number from 1."""

    instance: str
    number: int


def _dicom_files(source: Path) -> list[Path]:
    paths = [source] if source.is_file() else files_below(source)
    return [path for path in paths if path.suffix.lower() in _ENDINGS and _is_dicom(path)]


def _is_dicom(path: Path) -> bool:
    try:
        return format_of(path).kind is FileKind.DICOM
    except SourceError:
        return False


def _header(path: Path) -> Any:
    file = open_dicom_file(path)
    file.close()
    return file.header


def _sop_class(path: Path) -> str:
    try:
        return text_of(_header(path), "SOPClassUID")
    except SourceError:
        return ""


class _Segmentation:
    """A segmentation whose pixels are read when they are asked for.

    Raises:
        SourceError: too many segments, or not a segmentation that can be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        header = _header(path)
        count = len(header.get("SegmentSequence") or [])
        if not 0 < count <= MAX_SEGMENTS:
            what = f"SegmentSequence has {count} items"
            raise SourceError(what, where=path, expected=f"1-{MAX_SEGMENTS} segments")
        items = self._items(header)
        self.names = {int(item.SegmentNumber): str(item.SegmentLabel) for item in items}
        self.codes = {str(item.SegmentLabel): _code(item) for item in items}
        self._is_fractional = text_of(header, "SegmentationType") == _FRACTIONAL
        self.places = self._places(header)

    def _items(self, header: Any) -> list[Any]:
        items = list(header.SegmentSequence)
        for number, item in enumerate(items):
            for field in ("SegmentNumber", "SegmentLabel"):
                if item.get(field) is None:
                    where = f"{self.path}, SegmentSequence[{number}]"
                    raise SourceError(f"{field} is missing", where=where, expected="a number and a label")
        # A label map lists its background among the segments.
        background = header.get("PixelPaddingValue")
        return [item for item in items if item.SegmentNumber != background]

    def _places(self, header: Any) -> list[_Place]:
        """The source frames that frames of the segmentation refer to, once each, in order."""
        places: dict[_Place, None] = {}
        for number, group in enumerate(header.get("PerFrameFunctionalGroupsSequence") or []):
            where = f"{self.path}, frame {number + 1}"
            try:
                source = group.DerivationImageSequence[0].SourceImageSequence[0]
                frames = source.get("ReferencedFrameNumber", 1)
                places[_Place(str(source.ReferencedSOPInstanceUID), int(frames))] = None
            except (AttributeError, IndexError, TypeError, ValueError) as error:
                expected = "DerivationImageSequence with one SourceImageSequence item"
                raise SourceError("does not say which image it lies on", where=where, expected=expected) from error
        if not places:
            raise SourceError("has no frames", where=self.path, expected="frames that refer to an image")
        return list(places)

    def drawings(self, place: _Place, num_frames: int) -> list[Drawing]:
        """The segments that lie on a source frame. Raises SourceError when their pixels cannot be read."""
        try:
            with quiet_pydicom():
                share_HWS = _pixels(self.path, place, num_frames)
        except Exception as error:  # highdicom and pydicom raise whatever fits
            what = f"the pixels on frame {place.number} cannot be read ({error})"
            raise SourceError(what, where=self.path, mend="export it again") from error
        drawings = []
        for index, number in enumerate(self.names):
            share_HW = share_HWS[..., index]
            if share_HW.any():
                kind: dict[str, Any] = {"share_HW": share_HW} if self._is_fractional else {"mask_HW": share_HW > 0}
                drawings.append(Drawing(self.names[number], **kind))
        return drawings


@functools.lru_cache(maxsize=4)
def _opened(path: Path, thread: int) -> Any:
    """An open segmentation; highdicom's belong to the thread that opened them."""
    del thread
    return highdicom.seg.segread(path, lazy_frame_retrieval=True)


def _pixels(path: Path, place: _Place, num_frames: int) -> np.ndarray:
    """Shares of all segments on one source frame, [H, W, S]."""
    segmentation = _opened(path, threading.get_ident())
    options = {"ignore_spatial_locations": True, "assert_missing_frames_are_empty": True}
    if num_frames == 1:
        return np.asarray(segmentation.get_pixels_by_source_instance([place.instance], **options)[0])
    frames = [place.number]
    return np.asarray(segmentation.get_pixels_by_source_frame(place.instance, frames, **options)[0])


def _code(item: Any) -> Code | None:
    try:
        kind = item.SegmentedPropertyTypeCodeSequence[0]
        return Code(str(kind.CodeValue), str(kind.CodingSchemeDesignator), str(kind.CodeMeaning))
    except (AttributeError, IndexError):
        return None


def _cases(
    shown: Mapping[_Place, list[_Segmentation]], images: Mapping[str, Path], root: Path, refusals: Refusals
) -> list[SourceCase]:
    cases = []
    for place in sorted(shown, key=lambda place: (str(images.get(place.instance, "")), place.number)):
        path, where = images.get(place.instance), str(shown[place][0].path)
        with refusals.noting(f"{relative_name(shown[place][0].path, root)}, source frame {place.number}"):
            if path is None:
                what = f"ReferencedSOPInstanceUID {place.instance} is not there"
                raise SourceError(what, where=where, expected="the image it was made on, beside it")
            cases.append(_case(place, path, shown[place], root))
    return cases


def _case(place: _Place, path: Path, segmentations: list[_Segmentation], root: Path) -> SourceCase:
    facts = read_clip_facts(path)
    where = str(segmentations[0].path)
    if facts.num_frames is not None and not 1 <= place.number <= facts.num_frames:
        what = f"ReferencedFrameNumber is {place.number}"
        raise SourceError(what, where=where, expected=f"one of the {facts.num_frames} frames of {path.name}")
    name = relative_name(path, root)
    return SourceCase(
        name if facts.num_frames == 1 else f"{name}_{place.number - 1:06d}",
        functools.partial(_load, place, path, segmentations, facts, name),
        person=facts.person,
        clip=name,
        private=facts.names,
    )


def _load(place: _Place, path: Path, segmentations: list[_Segmentation], facts: ClipFacts, name: str) -> SourceFrame:
    frame = place.number - 1
    image_HW = read_clip_frame(path, frame)
    drawings = [
        drawing for found in segmentations for drawing in found.drawings(place, facts.num_frames or place.number)
    ]
    looked_for = frozenset(label for found in segmentations for label in found.names.values())
    return SourceFrame(
        image_HW,
        drawings,
        is_reviewed=True,
        looked_for=looked_for,
        of_clip=ClipFrame(name, path, frame),
        clip=name,
        time_s=facts.time_s(frame),
        spacing_mm=facts.spacing_mm,
        device=facts.device,
    )
