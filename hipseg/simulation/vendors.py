"""Looks of scanners: named presets of grey map, speckle reduction and persistence, one drawn for each patient.

They stand for families of machines, not for makes: what differs between the machines of the groin images
(simulation.md, "Gain") and what users set on all of them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

Range = tuple[float, float]


class Vendor(NamedTuple):
    """How a family of scanners shows echoes; ranges are drawn from for each patient.

    Attributes:
        share: of patients scanned with it.
        range_shift_db: on the dynamic range of the population.
        gamma: of the grey map; above 1 darkens the middle.
        toe: grey levels over which the map bends before black.
        grain: standard deviation of fine noise, in grey levels at 60.
        smoothing: weight of a speckle-reduced copy.
        edge: detail put back after speckle reduction.
        persistence: weight of the frames before in what is shown.
    """

    share: float
    range_shift_db: float
    gamma: Range
    toe: Range
    grain: Range
    smoothing: Range
    edge: Range
    persistence: Range


VENDORS = {
    "balanced": Vendor(0.4, 0.0, (0.9, 1.15), (10.0, 22.0), (2.0, 5.0), (0.1, 0.5), (0.1, 0.5), (0.2, 0.5)),
    "crisp": Vendor(0.2, -2.0, (0.95, 1.25), (8.0, 18.0), (3.0, 5.5), (0.0, 0.2), (0.3, 0.7), (0.0, 0.3)),
    "smooth": Vendor(0.15, 2.0, (0.85, 1.05), (14.0, 26.0), (1.5, 3.5), (0.5, 0.85), (0.0, 0.3), (0.4, 0.7)),
    "contrasty": Vendor(0.1, -5.0, (1.05, 1.3), (8.0, 14.0), (3.0, 6.0), (0.1, 0.4), (0.1, 0.5), (0.2, 0.5)),
    "portable": Vendor(0.15, 1.0, (0.85, 1.1), (12.0, 24.0), (3.5, 6.5), (0.2, 0.6), (0.0, 0.4), (0.0, 0.2)),
}


def draw_vendor(rng: np.random.Generator) -> str:
    """The name of a preset."""
    names = list(VENDORS)
    return names[int(rng.choice(len(names), p=[VENDORS[name].share for name in names]))]
