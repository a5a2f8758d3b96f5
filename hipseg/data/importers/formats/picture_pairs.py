"""Folders in which each picture has a mask of the same name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from hipseg.data.importers.drawing import Drawing, SourceFrame
from hipseg.data.importers.refusals import Refusals
from hipseg.data.importers.source_files import PICTURE_ENDINGS, files_below, read_picture, relative_name
from hipseg.errors import SourceError

IMAGE_FOLDERS = ("images", "image", "imgs", "img", "jpegimages", "imagestr")
MASK_FOLDERS = ("masks", "mask", "labels", "label", "annotations", "segmentationclass", "labelstr")
# Pascal VOC's map of single objects stands beside that of the classes.
_OTHER_FOLDERS = ("segmentationobject",)
_NUM_LOOKED_AT = 16
_MASK_SUFFIXES = ("_mask", "-mask", "_label", "_labels", "_seg")


class Pair(NamedTuple):
    """A picture and its mask, None when it has none; `name` is the picture's in the export."""

    name: str
    image: Path
    mask: Path | None


def find_pairs(source: Path, refusals: Refusals) -> list[Pair]:
    """Pictures and masks of the same name, told apart by folders or endings; masks without a picture are refused.

    Raises:
        SourceError: there is no pair.
    """
    pictures, masks = _pictures_and_masks(source)
    pairs = [Pair(relative_name(path, source), path, masks.pop(key, None)) for key, path in pictures.items()]
    for mask in masks.values():
        refusals.add(relative_name(mask, source), SourceError("has no picture of its name", where=mask))
    if all(pair.mask is None for pair in pairs):
        expected = "folders images/ and masks/, or NAME.png and NAME_mask.png"
        raise SourceError("holds no pictures with masks", where=source, expected=expected)
    return pairs


def _pictures_and_masks(source: Path) -> tuple[dict[tuple[str, ...], Path], dict[tuple[str, ...], Path]]:
    """Both by folder and name, without what marks a mask."""
    pictures: dict[tuple[str, ...], Path] = {}
    masks: dict[tuple[str, ...], Path] = {}
    for path in files_below(source):
        folders = [part.casefold() for part in path.relative_to(source).parts[:-1]]
        if path.suffix.lower() not in PICTURE_ENDINGS or set(folders) & set(_OTHER_FOLDERS):
            continue
        stem = path.stem.casefold()
        suffix = next((suffix for suffix in _MASK_SUFFIXES if stem.endswith(suffix)), "")
        is_mask = bool(suffix) or any(folder in MASK_FOLDERS for folder in folders)
        kept = [folder for folder in folders if folder not in (*IMAGE_FOLDERS, *MASK_FOLDERS)]
        (masks if is_mask else pictures)[*kept, stem.removesuffix(suffix)] = path
    return pictures, masks


def mask_modes(source: Path) -> list[str]:
    """Pillow's modes of the first masks of a folder, "" for one that cannot be opened; empty without pairs."""
    if not source.is_dir():
        return []
    pictures, masks = _pictures_and_masks(source)
    paired = [mask for key, mask in masks.items() if key in pictures]
    return [_mode(mask) for mask in paired[:_NUM_LOOKED_AT]]


def _mode(mask: Path) -> str:
    try:
        with Image.open(mask) as image:
            return image.mode
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return ""


def read_pair(pair: Pair, read_mask: Callable[[Path], Sequence[Drawing]]) -> SourceFrame:
    """A picture with the regions of its mask. Raises SourceError when one is broken or their sizes differ."""
    image_HW, original = read_picture(pair.image)
    if pair.mask is None:
        return SourceFrame(image_HW, [], original=original)
    _refuse_other_size(pair.mask, image_HW.shape)
    return SourceFrame(image_HW, read_mask(pair.mask), is_reviewed=True, original=original)


def _refuse_other_size(mask: Path, shape_HW: tuple[int, ...]) -> None:
    """Looks at the header alone: a mask that claims to be enormous is never decoded."""
    try:
        with Image.open(mask) as image:
            size = image.height, image.width
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise SourceError(f"not an image ({error})", where=mask, expected="a mask") from error
    if size != shape_HW:
        raise SourceError(
            f"a mask of {size[1]} x {size[0]} pixels", where=mask, expected=f"{shape_HW[1]} x {shape_HW[0]}"
        )
