"""What an importer hands over."""

from __future__ import annotations

import glob
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from hipseg.data.reading import ImageHW, LabelsHW
from hipseg.data.records import Merged, PointXY
from hipseg.errors import SourceError


@dataclass(frozen=True, slots=True)
class ClipFrame:
    """Where an image is a frame of a clip that is kept as it came.

    Attributes:
        clip: id of the clip, a safe file name.
        path: of its file.
        frame: index in it, from 0.
    """

    clip: str
    path: Path
    frame: int


@dataclass(frozen=True, slots=True)
class Annotated:
    """One image with what is known of it; fields as in `records.Case`.

    Attributes:
        original: the PNG or JPEG file of the image where it may be kept byte for byte.
        of_clip: where the image is a frame of a clip file.
        clip: names the recording of images that are files of their own.
        num_overlapping: pixels that two drawn structures claim.
    """

    image_HW: ImageHW
    labels_HW: LabelsHW | None
    original: bytes | None = None
    of_clip: ClipFrame | None = None
    clip: str | None = None
    time_s: float | None = None
    spacing_mm: tuple[float, float] | None = None
    view: str | None = None
    device: str | None = None
    annotated: tuple[str, ...] | None = None
    merged: Merged | None = None
    unsure: tuple[str, ...] | None = None
    landmarks: dict[str, PointXY | None] | None = None
    hip_view: bool | None = None
    num_overlapping: int = 0


@dataclass(frozen=True, slots=True)
class ImportedCase:
    """A case that is about to come in.

    Attributes:
        id, patient, split: as in `records.Case`.
        load: decodes the image and its annotation; called once, a few at a time, so that memory stays flat. Raises
            SourceError where this one case is broken; None for a case that is left out on purpose.
    """

    id: str
    patient: str
    split: str
    load: Callable[[], Annotated | None]


class Importer(Protocol):
    """Reads one family of annotation formats; recipes name it by its `_target_`."""

    def cases(self, source: Path) -> list[ImportedCase]:
        """The cases of a folder, with their splits decided. Raises SourceError when the folder is not what it reads."""
        ...


def read_grey(path: Path) -> ImageHW:
    """An image file as grey levels, uint8 [H, W]. Raises SourceError when it is missing or cannot be decoded."""
    try:
        encoded = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as error:
        raise SourceError(f"cannot be read ({error.strerror})", where=path) from error
    image_HW = cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE) if encoded.size else None
    if image_HW is None:
        raise SourceError("not an image this installation can decode", where=path, expected="PNG or JPEG")
    return np.asarray(image_HW, np.uint8)


def files_of(folder: Path, pattern: str) -> list[Path]:
    """The files of a folder that match, by name.

    Raises:
        SourceError: there is none; it names the folders near by that hold some.
    """
    files = sorted(folder.glob(pattern))
    if not files:
        holding = [str(near) for near in _near(folder) if any(near.glob(pattern))]
        hint = f"; there are some in {', '.join(holding)}" if holding else ""
        mend = f"give the folder of this recipe's source{hint}"
        raise SourceError(f"holds no '{pattern}'", where=folder, mend=mend)
    return files


def _near(folder: Path) -> list[Path]:
    """What somebody may have meant who gave this folder: one inside it, its namesakes one level down, its parent."""
    inside = sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    namesakes = sorted(folder.parent.glob(f"*/{glob.escape(folder.name)}")) if folder.name else []
    return [*inside, *namesakes, folder.parent]
