"""What a folder of studies holds, as clips that are opened one by one."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hipseg.errors import SourceError, UsageError
from hipseg.io.dicom.series import SeriesImage, read_series_image
from hipseg.io.file_kind import SUPPORTED, FileKind, format_of, is_candidate, unreadable
from hipseg.io.image_header import read_image_header

SERIES_MARK = "?series="
_DIRECTORY_OF_A_MEDIUM = "DICOMDIR"
# Four bytes a letter at most, and file systems take 255.
_LONGEST_NAME = 60


@dataclass(frozen=True, slots=True)
class Clip:
    """One thing to process.

    Attributes:
        name: unique among its siblings and safe as a folder's name.
        spec: what `open_source` opens.
    """

    name: str
    spec: str


@dataclass(frozen=True, slots=True)
class FileGroup:
    """Files of one folder that make one clip.

    Attributes:
        name: of the clip within the folder, "" when it is the whole folder.
        spec: what `open_source` opens.
        paths: in order; several images are consecutive frames.
        series: the same as frames of a DICOM series, if they are one.
    """

    name: str
    spec: str
    paths: tuple[Path, ...] = ()
    series: tuple[SeriesImage, ...] = ()


def list_clips(spec: str) -> list[Clip]:
    """The clips of a source.

    A folder of images of one size, or of one DICOM series of single frames, is one clip. In any other folder each
    file (and each of several series) is a clip of its own; sub-folders follow, their clips named "sub_clip". Files
    that neither by name nor by content are recordings are passed over; broken ones are listed, and opening them
    raises. Anything but a folder is one clip.

    Raises:
        SourceError: the folder cannot be read, or holds no recording.
    """
    folder = Path(named(spec))
    if not _is_folder(folder):
        stem = folder.stem if "://" not in spec else spec
        return [Clip(_safe_name(stem), spec)]
    found = [(_names(folder, group, folder), group.spec) for group in group_files(folder)]
    for sub in _sub_folders(folder):
        try:
            found += [(_names(sub, group, folder), group.spec) for group in group_files(sub)]
        except SourceError:
            found.append((list(sub.relative_to(folder).parts), str(sub)))
    if not found:
        raise SourceError("holds no recording", where=folder, expected=f"files of {SUPPORTED}")
    names = _unique(_safe_name("_".join(parts)) for parts, _ in found)
    return [Clip(name, spec) for name, (_, spec) in zip(names, found, strict=True)]


def named(spec: str) -> str:
    """The spec itself. Raises UsageError for an empty one, which would name the present folder."""
    if not spec.strip():
        raise UsageError("no source is named", where="source", expected="a file, a folder or camera:N")
    return spec


def group_files(folder: Path) -> list[FileGroup]:
    """The clips that lie directly in a folder, in natural order. Raises SourceError when it cannot be read."""
    paths = [path for path in _entries(folder) if path.is_file() or not path.is_dir()]
    paths = [path for path in paths if path.name != _DIRECTORY_OF_A_MEDIUM and is_candidate(path)]
    if len(paths) > 1 and _are_images_of_one_size(paths):
        return [FileGroup("", str(folder), tuple(paths))]
    series = _series(paths)
    in_series = {image.path for images in series for image in images}
    alone = [FileGroup(path.stem, str(path), (path,)) for path in paths if path not in in_series]
    if len(series) == 1 and not alone:
        return [_series_group("", str(folder), series[0])]
    groups = [
        _series_group(f"series{number}", f"{folder}{SERIES_MARK}{number}", images)
        for number, images in enumerate(series, start=1)
    ]
    return groups + alone


def find_group(spec: str) -> FileGroup:
    """The files behind a spec that names a file, a folder with one clip, or one of the series of a folder.

    Raises:
        SourceError: the folder cannot be read, or holds none or several clips.
    """
    folder = Path(named(spec).split(SERIES_MARK)[0])
    if not _is_folder(folder) or Path(spec).is_file():
        return FileGroup(Path(spec).stem, spec, (Path(spec),))
    groups = group_files(folder)
    for group in groups:
        if group.spec == spec:
            return group
    if SERIES_MARK in spec:
        raise SourceError("does not hold that series any more", where=folder)
    clips = list_clips(spec)
    if len(clips) == 1:
        return find_group(clips[0].spec)
    raise SourceError(
        f"holds {len(clips)} recordings", where=folder, expected="one clip", mend="name one of the files in it"
    )


def _series_group(name: str, spec: str, images: Sequence[SeriesImage]) -> FileGroup:
    return FileGroup(name, spec, tuple(image.path for image in images), tuple(images))


def _series(paths: Iterable[Path]) -> list[list[SeriesImage]]:
    """Single-frame DICOM images that belong together, two or more, each list in the order of acquisition."""
    by_look: dict[tuple[object, ...], list[SeriesImage]] = defaultdict(list)
    for path in paths:
        if _kind(path) is FileKind.DICOM and (image := read_series_image(path)):
            by_look[image.look].append(image)
    return [sorted(images, key=lambda image: image.order) for images in by_look.values() if len(images) > 1]


def _are_images_of_one_size(paths: Iterable[Path]) -> bool:
    sizes = set()
    for path in paths:
        if _kind(path) is not FileKind.IMAGE:
            return False
        try:
            header = read_image_header(path, format_of(path))
        except SourceError:
            return False
        sizes.add((header.height, header.width))
    return len(sizes) == 1


def _kind(path: Path) -> FileKind | None:
    try:
        return format_of(path).kind
    except SourceError:
        return None


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # a name that is too long, a folder on the way that may not be entered
        return False


def _entries(folder: Path) -> list[Path]:
    """What lies in a folder, without hidden files, 2 before 10."""
    try:
        return sorted((path for path in folder.iterdir() if not path.name.startswith(".")), key=_natural)
    except OSError as error:
        raise unreadable(folder, error) from error


def _natural(path: Path) -> list[tuple[int, int, str]]:
    parts = re.split(r"(\d+)", path.name.casefold())
    return [(0, int(part), part) if part.isdecimal() else (1, 0, part) for part in parts if part]


def _sub_folders(folder: Path) -> Iterator[Path]:
    """All folders below, depth first in natural order, each real one once even where links make a circle."""
    seen = {folder.resolve()}

    def below(parent: Path) -> Iterator[Path]:
        try:
            subs = [path for path in _entries(parent) if path.is_dir()]
        except SourceError:  # it is listed itself, and refused when it is opened
            return
        for sub in subs:
            if sub.resolve() not in seen:
                seen.add(sub.resolve())
                yield sub
                yield from below(sub)

    return below(folder)


def _names(folder: Path, group: FileGroup, root: Path) -> list[str]:
    below = list(folder.relative_to(root).parts)
    if group.name:
        return [*below, group.name]
    return below or [folder.resolve().name]


def _safe_name(name: str) -> str:
    return re.sub(r"[^\w.-]+", "_", name)[:_LONGEST_NAME].strip("._") or "clip"


def _unique(names: Iterable[str]) -> list[str]:
    """Names with a number where they repeat; many file systems do not tell capitals from small letters."""
    taken: set[str] = set()
    unique = []
    for name in names:
        candidate, number = name, 1
        while candidate.casefold() in taken:
            number += 1
            candidate = f"{name}_{number}"
        taken.add(candidate.casefold())
        unique.append(candidate)
    return unique
