"""Pictures with a mask of the same name whose colours are the labels."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from hipseg.anatomy import STRUCTURES
from hipseg.data.importers.drawing import Drawing, SourceCase, SourceExport, SourceFrame
from hipseg.data.importers.formats.picture_pairs import Pair, find_pairs, mask_modes, read_pair
from hipseg.data.importers.refusals import Refusals
from hipseg.errors import SourceError

MAX_COLOURS = 64
_LABEL_FILES = ("labelmap.txt", "label_colors.txt", "labels.txt")
_CVAT_LINE = re.compile(r"(?P<name>[^:#]+):(?P<red>\d+),(?P<green>\d+),(?P<blue>\d+)(:.*)?")
_PLAIN_LINE = re.compile(r"(?P<red>\d+)[\s,]+(?P<green>\d+)[\s,]+(?P<blue>\d+)[\s,]+(?P<name>\S.*)")


class ColouredPng:
    """Importer of pictures and masks in RGB, such as CVAT's "Segmentation mask" export.

    Names stand in `labelmap.txt` ("name:red,green,blue:parts:actions" or "red green blue name"); hipseg's own colours
    are known; other colours are called "#rrggbb". Black is where nothing was drawn.
    """

    name = "coloured-png"

    def recognises(self, source: Path) -> bool:
        """Whether there are pairs, and most masks are in colours."""
        modes = mask_modes(source)
        return 2 * sum(mode in ("RGB", "RGBA") for mode in modes) > len(modes)

    def read(self, source: Path, refusals: Refusals) -> SourceExport:
        """One case a picture; those without a mask come in unlabelled. Raises SourceError when there is no pair."""
        names = _colour_names(source)
        return SourceExport(
            [SourceCase(pair.name, functools.partial(_load, pair, names)) for pair in find_pairs(source, refusals)]
        )


def _colour_names(source: Path) -> Mapping[int, str]:
    names = {_packed(structure.colour): structure.name for structure in STRUCTURES}
    path = next((source / name for name in _LABEL_FILES if (source / name).is_file()), None)
    lines = [] if path is None else path.read_text(encoding="utf-8", errors="replace").splitlines()
    for line in lines:
        found = _CVAT_LINE.fullmatch(line.strip()) or _PLAIN_LINE.fullmatch(line.strip())
        if found:
            names[_packed([int(found[part]) for part in ("red", "green", "blue")])] = found["name"].strip()
    return names


def _packed(colour: tuple[int, ...] | list[int]) -> int:
    red, green, blue = colour
    return red << 16 | green << 8 | blue


def _load(pair: Pair, names: Mapping[int, str]) -> SourceFrame:
    return read_pair(pair, functools.partial(_drawings, names=names))


def _drawings(mask: Path, names: Mapping[int, str]) -> list[Drawing]:
    colours_HW = _read_colours(mask)
    present = np.unique(colours_HW).tolist()
    if len(present) > MAX_COLOURS:
        mend = "export it as PNG without smoothing; JPEG makes colours of its own"
        raise SourceError(f"{len(present)} colours", where=mask, expected=f"at most {MAX_COLOURS}", mend=mend)
    named = {colour: names.get(colour, f"#{colour:06x}") for colour in present if colour != 0}
    return [Drawing(name, colours_HW == colour) for colour, name in named.items()]


def _read_colours(mask: Path) -> np.ndarray:
    """Colours as red << 16 | green << 8 | blue, [H, W]; transparent pixels are black."""
    try:
        with Image.open(mask) as image:
            rgba_HW4 = np.asarray(image.convert("RGBA"), np.uint32)
    except (OSError, SyntaxError, ValueError) as error:
        raise SourceError(f"not an image ({error})", where=mask, expected="a mask in colours") from error
    red, green, blue, alpha = np.moveaxis(rgba_HW4, -1, 0)
    return np.where(alpha > 0, red << 16 | green << 8 | blue, 0)
