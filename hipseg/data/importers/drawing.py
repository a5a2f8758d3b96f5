"""What other tools drew, in their own words, before a mapping turns it into the label scheme."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from hipseg.anatomy import Code
from hipseg.data.importers.case import ClipFrame
from hipseg.data.importers.rasterise import MaskHW
from hipseg.data.importers.refusals import Refusals
from hipseg.data.reading import ImageHW

PointsN2 = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Drawing:
    """One shape of one label: a region, an open line or a point.

    Attributes:
        label: the tool's own name for it.
        mask_HW: the pixels of a region.
        share_HW: instead of a mask, the part of each pixel that belongs to the region, 0-1 (fractional segments).
        line_xy: the points of an open line, x and y in pixels, centres at integers.
        point_xy: a single point, likewise.
        occluded: the annotator marked it as partly hidden.
    """

    label: str
    mask_HW: MaskHW | None = None
    share_HW: npt.NDArray[np.float32] | None = None
    line_xy: PointsN2 | None = None
    point_xy: tuple[float, float] | None = None
    occluded: bool = False


@dataclass(frozen=True, slots=True)
class SourceFrame:
    """One image of a tool's export.

    Attributes:
        image_HW: grey levels, uint8.
        drawings: in painting order, the topmost last.
        is_reviewed: someone looked at this image even if nothing is drawn: an empty mask says so, no mask does not.
        looked_for: labels that were looked for in this image, drawn or not; None means all of the export.
        original, of_clip, clip, time_s, spacing_mm, device, view: as in `Annotated`.
    """

    image_HW: ImageHW
    drawings: Sequence[Drawing]
    is_reviewed: bool = False
    looked_for: frozenset[str] | None = None
    original: bytes | None = None
    of_clip: ClipFrame | None = None
    clip: str | None = None
    time_s: float | None = None
    spacing_mm: tuple[float, float] | None = None
    device: str | None = None
    view: str | None = None


@dataclass(frozen=True, slots=True)
class SourceCase:
    """An image that is about to be read.

    Attributes:
        name: path-like name in the export, without ending; the case's id is made of it.
        load: reads the image and what was drawn on it; raises SourceError when this one is broken.
        person: who was scanned, in the export's own words; None when it does not say.
        clip: name of the recording, None for a lone picture.
        private: texts that must not stand in an id, such as the patient's name.
    """

    name: str
    load: Callable[[], SourceFrame]
    person: str | None = None
    clip: str | None = None
    private: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SourceExport:
    """What an export holds.

    Attributes:
        cases: in order.
        labels: names the export declares, with their codes where it tells them; None when only reading every case
            shows them.
    """

    cases: Sequence[SourceCase]
    labels: Mapping[str, Code | None] | None = field(default=None)


class Format(Protocol):
    """Reads what one tool writes."""

    name: str

    def recognises(self, source: Path) -> bool:
        """Whether a folder or file looks like this format; reads as little as it can."""
        ...

    def read(self, source: Path, refusals: Refusals) -> SourceExport:
        """What the export holds. Broken files are added to `refusals`; raises SourceError when nothing is left."""
        ...
