"""Figures of simulated pictures beside those of real ones: inside their spread, or not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from hipseg.evaluation.fidelity.geometry import Figures, geometry
from hipseg.evaluation.fidelity.pictures import Picture
from hipseg.evaluation.fidelity.structures import bone, capsule, vessels
from hipseg.evaluation.fidelity.texture import texture

TABLES = {
    "Geometry": geometry,
    "Bone": bone,
    "Capsule": capsule,
    "Vessels": vessels,
    "Brightness and speckle": texture,
}
FEWEST = 4
"""Figures seen in fewer real pictures have no spread to lie in."""


@dataclass(frozen=True, slots=True)
class Published:
    """Median and spread (p10-p90, or the range given) of a figure in simulation.md."""

    median: float | None
    low: float
    high: float


PUBLISHED: dict[str, Published] = {
    "artery_width_mm": Published(7.9, 6.5, 10.5),
    "artery_height_mm": Published(6.4, 5.0, 9.0),
    "artery_depth_mm": Published(10.5, 7.9, 13.1),
    "vein_width_mm": Published(10.0, 5.8, 13.3),
    "vein_height_mm": Published(5.2, 3.5, 8.0),
    "vein_beside_artery_mm": Published(7.9, 5.8, 10.4),
    "vein_below_artery_mm": Published(2.3, 0.9, 4.0),
    "head_apex_depth_mm": Published(None, 13.6, 29.0),
    "head_beside_artery_mm": Published(21.0, 18.0, 29.0),
    "head_below_artery_mm": Published(8.6, 5.3, 15.2),
    "head_radius_mm": Published(None, 18.0, 26.0),
    "head_arc_deg": Published(None, 70.0, 90.0),
    "cortex_width_mm": Published(None, 0.5, 0.9),
    "shadow_0mm": Published(None, 104.0, 167.0),
    "shadow_1mm": Published(None, 42.0, 68.0),
    "shadow_2mm": Published(None, 29.0, 64.0),
    "shadow_3mm": Published(None, 27.0, 50.0),
    "shadow_4mm": Published(None, 21.0, 39.0),
    "shadow_5mm": Published(None, 23.0, 40.0),
    "shadow_7mm": Published(None, 15.0, 60.0),
    "cortex_at_-1mm": Published(None, 62.0, 67.0),
    "cortex_at_-0.5mm": Published(None, 117.0, 182.0),
    "cortex_at_-0.25mm": Published(None, 133.0, 235.0),
    "cortex_at_+0mm": Published(None, 96.0, 129.0),
    "cortex_at_+0.25mm": Published(None, 34.0, 56.0),
    "cortex_at_+0.5mm": Published(None, 27.0, 39.0),
    "cortex_at_+0.75mm": Published(None, 40.0, 54.0),
    "cortex_at_+1mm": Published(None, 49.0, 103.0),
    "cortex_at_+2mm": Published(None, 66.0, 101.0),
    "capsule_thickness_mm": Published(None, 2.0, 3.4),
    "artery_haze_upper": Published(40.0, 10.0, 50.0),
    "artery_haze_lower": Published(14.0, 2.0, 31.0),
    "enhancement": Published(2.4, 1.5, 6.0),
    "vein_to_artery": Published(0.64, 0.2, 0.95),
    "grey_2_6mm": Published(None, 80.0, 110.0),
    "streak_lateral_mm_shallow": Published(None, 2.5, 2.9),
    "speckle_axial_mm_shallow": Published(None, 0.15, 0.4),
    "speckle_lateral_mm_shallow": Published(None, 0.5, 0.7),
    "speckle_lateral_mm_deep": Published(None, 0.9, 1.3),
    "grey_median": Published(None, 9.0, 71.0),
}
"""Measured by other code, partly on single machines: shown beside what this code finds in the same pictures."""


@dataclass(frozen=True, slots=True)
class Row:
    """One figure.

    Attributes:
        table, name: which.
        real, simulated: p10, median, p90; None where too few pictures show it.
        num_real, num_simulated: pictures that show it.
        inside: whether the simulated median lies within the real p10-p90, None without a spread.
        overlap: share of simulated pictures within the real p10-p90 (0.8 for two equal samples).
        published: median, low and high in simulation.md.
    """

    table: str
    name: str
    real: tuple[float, float, float] | None
    simulated: tuple[float, float, float] | None
    num_real: int
    num_simulated: int
    inside: bool | None
    overlap: float | None
    published: tuple[float | None, float, float] | None

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def measure(pictures: Iterable[Picture]) -> dict[str, list[Figures]]:
    """Every table's figures of every picture."""
    measured: dict[str, list[Figures]] = {table: [] for table in TABLES}
    for picture in pictures:
        for table, figures_of in TABLES.items():
            measured[table].append(figures_of(picture))
    return measured


def compare(real: dict[str, list[Figures]], simulated: dict[str, list[Figures]]) -> list[Row]:
    """A row for every figure that was seen in both samples."""
    rows = []
    for table in TABLES:
        names = dict.fromkeys(name for figures in real[table] for name in figures)
        rows += [_row(table, name, _values(real[table], name), _values(simulated[table], name)) for name in names]
    return rows


def _values(figures: Sequence[Figures], name: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    values = np.array([one[name] for one in figures if name in one], np.float64)
    return values[np.isfinite(values)]


def _row(table: str, name: str, real: np.ndarray[Any, Any], simulated: np.ndarray[Any, Any]) -> Row:
    spread, other = _spread(real), _spread(simulated)
    inside = overlap = None
    if spread is not None and other is not None:
        inside = bool(spread[0] <= other[1] <= spread[2])
        overlap = float(((simulated >= spread[0]) & (simulated <= spread[2])).mean())
    published = PUBLISHED.get(name)
    limits = None if published is None else (published.median, published.low, published.high)
    return Row(table, name, spread, other, len(real), len(simulated), inside, overlap, limits)


def _spread(values: np.ndarray[Any, Any]) -> tuple[float, float, float] | None:
    if len(values) < FEWEST:
        return None
    low, middle, high = np.percentile(values, (10, 50, 90))
    return float(low), float(middle), float(high)
