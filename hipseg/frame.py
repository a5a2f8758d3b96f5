"""What flows through hipseg: one grey image with its time, its scale and where all of that came from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

ImageHW = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Spacing:
    """Size of a pixel in millimetres; the axes may differ.

    Attributes:
        row_mm: distance between the centres of two rows, > 0.
        column_mm: distance between the centres of two columns, > 0.
        origin: who says so: "dicom_region", "dicom_pixel_spacing", "user", "igtl", "simulation".
    """

    row_mm: float
    column_mm: float
    origin: str


@dataclass(frozen=True, slots=True)
class ScanRegion:
    """The part of a frame that holds ultrasound, in pixels: columns [x, x + width), rows [y, y + height).

    Attributes:
        origin: who says so: "dicom_region", "content", "user", "full".
    """

    x: int
    y: int
    width: int
    height: int
    origin: str

    @property
    def slices(self) -> tuple[slice, slice]:
        """Rows and columns, to index an array of axes H, W."""
        return slice(self.y, self.y + self.height), slice(self.x, self.x + self.width)


@dataclass(frozen=True, slots=True)
class ColourFlow:
    """Colour Doppler painted over a frame.

    Attributes:
        velocity_HW: int8 over the whole source frame: share of the colour map's scale in 1/127, positive toward the
            probe, 0 where no flow is shown.
        note: whether the colour map was read from the picture's own bar, or assumed.
    """

    velocity_HW: npt.NDArray[np.int8]
    note: str


@dataclass(frozen=True, slots=True)
class Frame:
    """One B-mode image of a source.

    Attributes:
        image_HW: grey levels 0-255 of the whole source frame, uint8.
        index: position in the source, from 0.
        time_s: the source's own time, seconds from its first frame; that of a live source may stand still or leap.
        spacing: pixel size, or None when nobody knows it: then no millimetre may be shown.
        region: where the ultrasound is.
        source_id: names the clip without personal data (a file name's stem, "camera:0"); frames that
            follow each other share it.
        taken_s: when a live frame came in, by this machine's monotonic clock; None for recordings.
        flow: colour Doppler painted over the image; None while it is off, or in a grey source.
    """

    image_HW: ImageHW
    index: int
    time_s: float
    spacing: Spacing | None
    region: ScanRegion
    source_id: str
    taken_s: float | None = None
    flow: ColourFlow | None = None

    @property
    def scan_HW(self) -> ImageHW:
        """The ultrasound alone, a view of the frame."""
        return self.image_HW[self.region.slices]
