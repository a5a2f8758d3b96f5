"""CVAT for video 1.1: an XML of <track> elements over the frames of one clip, or over its exported pictures."""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from xml.etree.ElementTree import Element

import numpy as np

from hipseg.anatomy import Code
from hipseg.data.clip_reading import read_clip_frame
from hipseg.data.importers.case import ClipFrame
from hipseg.data.importers.clip_files import read_clip_facts
from hipseg.data.importers.drawing import SourceCase, SourceExport, SourceFrame
from hipseg.data.importers.formats.cvat_xml import (
    SHAPES,
    drawing_of,
    flag,
    integer,
    label_names,
    number,
    read_annotations,
    shapes_of,
    speaks_of,
    xml_files,
)  # fmt: skip
from hipseg.data.importers.refusals import Refusals
from hipseg.data.importers.source_files import CLIP_ENDINGS, PICTURE_ENDINGS, FileIndex, read_picture, relative_name
from hipseg.errors import SourceError

_MAX_FRAME = 10_000_000
_MOVING = ("polygon", "box", "ellipse", "polyline", "points")
_NUMBERS = ("xtl", "ytl", "xbr", "ybr", "cx", "cy", "rx", "ry", "rotation")


class CvatVideo:
    """Importer of CVAT's export of a video task: the clip file stays as it is, each frame gets its mask.

    Between two keyframes a shape moves evenly where CVAT left the frames out; a polygon whose number of points changes
    does not, and such frames do not come in. A frame before a track, or where it is `outside`, was looked at.
    """

    name = "cvat-video"

    def recognises(self, source: Path) -> bool:
        """Whether an XML file of CVAT speaks of tracks."""
        return any(speaks_of(path, "track") for path in xml_files(source))

    def read(self, source: Path, refusals: Refusals) -> SourceExport:
        """One case a frame on which at least one track says something. Broken files and tracks are refused."""
        root_folder = source.parent if source.is_file() else source
        files = FileIndex(root_folder, (*CLIP_ENDINGS, *PICTURE_ENDINGS))
        cases, labels = list[SourceCase](), dict[str, Code | None]()
        for path in xml_files(source):
            with refusals.noting(path.stem):
                root = read_annotations(path)
                labels |= dict.fromkeys(label_names(root, path))
                cases += _cases(root, path, files, refusals)
        return SourceExport(cases, labels or None)


class _Shown(NamedTuple):
    """A track's shape on one frame; None where it is outside the image."""

    label: str
    shape: Element | None
    where: str


def _cases(root: Element, path: Path, files: FileIndex, refusals: Refusals) -> list[SourceCase]:
    shown: dict[int, list[_Shown]] = {}
    for track in root.iterfind("track"):
        where = f"{path}, track {track.get('id', '?')}"
        with refusals.noting(where):
            for frame, found in _frames_of(track, where).items():
                shown.setdefault(frame, []).append(found)
    return _Clip(root, path, files).cases(shown) if shown else []


def _frames_of(track: Element, where: str) -> dict[int, _Shown]:
    """What a track says of each frame: as written, and evenly moved between keyframes.

    Raises:
        SourceError: no label, a track inside the track, or frames that do not go forwards.
    """
    label = track.get("label")
    if not label:
        raise SourceError("attribute 'label' is missing", where=where, expected="the name of a label")
    for child in track.iter():
        if child is not track and child.tag not in (*SHAPES, "attribute"):
            raise SourceError(f"holds a <{child.tag}>", where=where, expected=f"shapes: {', '.join(SHAPES)}")
    shapes = list(shapes_of(track))
    frames = [integer(shape, "frame", where) for shape in shapes]
    _refuse_backwards(frames, where)
    shown: dict[int, _Shown] = {}
    for position, (frame, shape) in enumerate(zip(frames, shapes, strict=True)):
        is_outside = flag(shape, "outside")
        shown[frame] = _Shown(label, None if is_outside else shape, f"{where}, frame {frame}")
        if position + 1 < len(shapes) and not is_outside:
            following = shapes[position + 1], frames[position + 1]
            for between, moved in _between((shape, frame), following):
                shown[between] = _Shown(label, moved, f"{where}, frame {between}")
    return shown


def _refuse_backwards(frames: Sequence[int], where: str) -> None:
    for before, after in itertools.pairwise(frames):
        if after <= before:
            what = f"attribute 'frame' goes from {before} back to {after}"
            raise SourceError(what, where=where, expected="frames that go forwards")
    if frames and frames[-1] > _MAX_FRAME:
        raise SourceError(f"attribute 'frame' is {frames[-1]}", where=where, expected=f"at most {_MAX_FRAME}")


def _between(start: tuple[Element, int], end: tuple[Element, int]) -> Iterator[tuple[int, Element]]:
    """The frames that were left out between two keyframes, with the shape on its way."""
    (shape, first), (following, last) = start, end
    for frame in range(first + 1, last):
        if (moved := _moved(shape, following, (frame - first) / (last - first))) is not None:
            yield frame, moved


def _moved(start: Element, end: Element, share: float) -> Element | None:
    """A shape on its way to the next keyframe; it stays where it is until it goes outside. None: nobody can say."""
    if flag(end, "outside"):
        return start
    if start.tag != end.tag or start.tag not in _MOVING:
        return None
    moved = Element(start.tag, dict(start.attrib))
    for name in _NUMBERS:
        if start.get(name) is not None and end.get(name) is not None:
            first, last = (number(shape, name, name) for shape in (start, end))
            moved.set(name, repr(first + share * (last - first)))
    if start.get("points") is not None:
        points = _points_between(start.get("points", ""), end.get("points", ""), share)
        if points is None:
            return None
        moved.set("points", points)
    return moved


def _points_between(start: str, end: str, share: float) -> str | None:
    """Points evenly on their way; None when their number changes."""
    try:
        first, last = (np.array([pair.split(",") for pair in text.split(";")], np.float64) for text in (start, end))
    except ValueError:
        return start  # it is refused where it is drawn
    if first.shape != last.shape:
        return None
    return ";".join(f"{x!r},{y!r}" for x, y in (first + share * (last - first)).tolist())


class _Clip:
    """The frames that tracks speak of: of a clip file, or pictures numbered like them."""

    def __init__(self, root: Element, path: Path, files: FileIndex) -> None:
        self._path = path
        self._size = tuple(root.findtext(f"meta//original_size/{name}") for name in ("height", "width"))
        self._clip_path, self._pictures = _find_clip(root, path, files)
        self._name = relative_name(self._clip_path or path, files.root)
        self._facts = None if self._clip_path is None else read_clip_facts(self._clip_path)

    def cases(self, shown: Mapping[int, Sequence[_Shown]]) -> list[SourceCase]:
        """One case a frame, in order."""
        facts = self._facts
        return [
            SourceCase(
                f"{self._name}_{frame:06d}",
                functools.partial(self._load, frame, shown[frame]),
                person=None if facts is None else facts.person,
                clip=self._name,
                private=() if facts is None else facts.names,
            )
            for frame in sorted(shown)
        ]

    def _load(self, frame: int, shown: Sequence[_Shown]) -> SourceFrame:
        where = f"{self._path}, frame {frame}"
        image_HW, original = self._image(frame, where)
        height, width = image_HW.shape
        if all(self._size) and self._size != (str(height), str(width)):
            what = f"original_size is {self._size[1]} x {self._size[0]}"
            raise SourceError(what, where=self._path, expected=f"{width} x {height} as the clip")
        visible = [one for one in shown if one.shape is not None]
        visible.sort(key=lambda one: 0.0 if one.shape is None else number(one.shape, "z_order", one.where, default=0.0))
        drawings = [
            drawing
            for one in visible
            if one.shape is not None
            for drawing in drawing_of(one.shape, one.label, height, width, one.where)
        ]
        return SourceFrame(
            image_HW,
            drawings,
            is_reviewed=True,
            original=original,
            of_clip=None if self._clip_path is None else ClipFrame(self._name, self._clip_path, frame),
            clip=self._name,
            time_s=None if self._facts is None else self._facts.time_s(frame),
            spacing_mm=None if self._facts is None else self._facts.spacing_mm,
            device=None if self._facts is None else self._facts.device,
        )

    def _image(self, frame: int, where: str) -> tuple[np.ndarray, bytes | None]:
        if self._clip_path is not None:
            facts = self._facts
            if facts is not None and facts.num_frames is not None and frame >= facts.num_frames:
                what = f"attribute 'frame' is {frame}"
                raise SourceError(
                    what, where=where, expected=f"one of the {facts.num_frames} frames of {self._clip_path.name}"
                )
            return read_clip_frame(self._clip_path, frame), None
        if frame not in self._pictures:
            raise SourceError(f"frame {frame} has no picture", where=where, expected=f"{len(self._pictures)} pictures")
        return read_picture(self._pictures[frame])


def _find_clip(root: Element, path: Path, files: FileIndex) -> tuple[Path | None, dict[int, Path]]:
    """The clip that an XML file is about: the one it names, the only one, or exported pictures by number."""
    clips = [file for file in files.paths if file.suffix.lower() in CLIP_ENDINGS]
    for field in ("meta//source", "meta//task/name"):
        name = root.findtext(field) or ""
        named = [clip for clip in clips if name and name in (clip.name, clip.stem)]
        if len(named) == 1:
            return named[0], {}
    beside = [clip for clip in clips if clip.stem == path.stem]
    if len(beside) == 1 or len(clips) == 1:
        return (beside or clips)[0], {}
    pictures = {
        int(digits[-1]): file
        for file in files.paths
        if file.suffix.lower() in PICTURE_ENDINGS and (digits := re.findall(r"\d{1,12}", file.stem))
    }
    if clips or not pictures:
        named_source = root.findtext("meta//source")
        what = (
            f"'{named_source}' is not there"
            if not clips
            else f"{len(clips)} clips, and none is called '{named_source}'"
        )
        raise SourceError(what, where=path, expected="the video or DICOM clip, or its frames as pictures")
    return None, pictures
