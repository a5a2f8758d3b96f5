"""Whole structures, whatever covers or hides them: the amodal truth beside the drawn labels of labels.py.

Structures overlap (a needle lies in a muscle over a vessel), so a sample holds a set of them: bit `k` stands for
structure `k` of anatomy.py.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hipseg import anatomy
from hipseg.simulation.labels import BONE_BAND_MM
from hipseg.simulation.phantom import Section
from hipseg.simulation.probe import Probe
from hipseg.simulation.regions import Points
from hipseg.simulation.surfaces import Array

Bits = npt.NDArray[np.uint16]


def bit(structure: int) -> np.uint16:
    """The bit of a structure."""
    return np.uint16(1 << structure)


def amodal_section(section: Section, labels_SL: npt.NDArray[np.uint8], junction_mm: float) -> Bits:
    """Sets of structures [S, L] in a section of the body, without a needle.

    Args:
        section: distances on all samples and beams.
        labels_SL: what is drawn, from `label_section`; all of it is in the result.
        junction_mm: position of the head-neck junction along the neck's axis.
    """
    beyond_junction = section.along_neck > junction_mm
    femur = _band(section.femur)
    free = section.bone > 0
    structures = {
        anatomy.FEMORAL_HEAD: femur & ~beyond_junction,
        anatomy.FEMORAL_NECK: femur & beyond_junction,
        anatomy.ACETABULUM: _band(section.acetabulum),
        anatomy.ANTERIOR_CAPSULE: (section.capsule_outer < 0) & (section.capsule_inner >= 0) & free,
        anatomy.JOINT_RECESS: (section.capsule_inner < 0) & (section.cartilage > 0) & (section.labrum > 0) & free,
        anatomy.LABRUM: (section.labrum < 0) & free,
        anatomy.FEMORAL_NERVE: (section.nerve < 0) & (section.capsule_outer > 0),
        anatomy.FEMORAL_VEIN: section.vein < 0,
        anatomy.FEMORAL_ARTERY: section.arteries < 0,
    }
    drawn = labels_SL != anatomy.BACKGROUND
    bits_SL = np.where(drawn, np.left_shift(np.uint16(1), labels_SL.astype(np.uint16)), np.uint16(0))
    for structure, inside in structures.items():
        bits_SL[inside] |= bit(structure)
    return bits_SL.astype(np.uint16)


def has(bits: Bits, *structures: int) -> npt.NDArray[np.bool_]:
    """Where any of some structures is."""
    wanted = np.uint16(sum(1 << structure for structure in structures))
    found: npt.NDArray[np.bool_] = (bits & wanted) != 0
    return found


def samples_at(values_SL: Array, points: Points, probe: Probe) -> Array:
    """The values of the samples nearest to points of the plane; 0 for a point outside the scan."""
    line, sample = probe.to_beams(points[:, 0], points[:, 1])
    row, column = np.rint(sample).astype(int), np.rint(line).astype(int)
    num_samples, num_lines = values_SL.shape
    within = (row >= 0) & (row < num_samples) & (column >= 0) & (column < num_lines)
    found = values_SL[np.clip(row, 0, num_samples - 1), np.clip(column, 0, num_lines - 1)]
    return np.where(within, found, np.zeros((), values_SL.dtype))


def _band(distance: Array) -> npt.NDArray[np.bool_]:
    inside: npt.NDArray[np.bool_] = (distance < 0) & (distance >= -BONE_BAND_MM)
    return inside
