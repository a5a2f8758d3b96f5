"""One measured number, and the scale it was measured with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

MaskHW = npt.NDArray[np.bool_]
LabelsHW = npt.NDArray[np.uint8]
Points = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Measure:
    """A number about one structure of one case.

    Attributes:
        structure: a structure's name, or "joint", "view".
        metric: what was measured.
        value: finite.
        unit: "1" for shares and scores, "mm", "px" where the case has no scale, "deg".
    """

    structure: str
    metric: str
    value: float
    unit: str = "1"


@dataclass(frozen=True, slots=True)
class Scale:
    """Size of a pixel in the unit that lengths are told in.

    Attributes:
        row, column: of a pixel.
        unit: "mm", or "px" where nobody knows the millimetres.
    """

    row: float
    column: float
    unit: str

    @classmethod
    def of(cls, spacing_mm: tuple[float, float] | None) -> Scale:
        """Millimetres where the spacing (row, column) is known, pixels where it is not."""
        return cls(1.0, 1.0, "px") if spacing_mm is None else cls(*spacing_mm, "mm")

    @property
    def in_mm(self) -> bool:
        """Whether lengths are millimetres."""
        return self.unit == "mm"

    def points(self, points_px: npt.ArrayLike) -> Points:
        """Positions [..., 2] as x, y from pixels to the unit."""
        scaled: Points = np.asarray(points_px, np.float64) * (self.column, self.row)
        return scaled

    def diagonal(self, shape_HW: tuple[int, ...]) -> float:
        """Of an image: the distance that a missed structure is given."""
        return float(np.hypot(shape_HW[0] * self.row, shape_HW[1] * self.column))
