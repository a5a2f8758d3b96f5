"""Everything that is measured on two masks: presence, overlap, surfaces, cortex, structure by structure.

Which metric suits which structure follows Metrics Reloaded (Maier-Hein et al., Nature Methods 2024): thin structures
have centreline Dice, bones the distance of their cortex, all others overlap and surface distances.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from hipseg import anatomy
from hipseg.evaluation.measures.cortex import cortex_agreement
from hipseg.evaluation.measures.measure import LabelsHW, MaskHW, Measure, Scale
from hipseg.evaluation.measures.overlap import centreline_dice, dice, iou
from hipseg.evaluation.measures.surface import surface_distances
from hipseg.evaluation.measures.vocabulary import Members, Vocabulary, comparable

THIN = (anatomy.NEEDLE, anatomy.ANTERIOR_CAPSULE)
TOLERANCES_MM: Mapping[str, float] = MappingProxyType(
    {"femoral_artery": 1.5, "femoral_vein": 1.5, "femoral_vessels": 1.5, "femoral_nerve": 1.5}
)
"""Tolerances of the normalised surface distance; 1 mm for what is not listed (proposed by this project)."""
DEFAULT_TOLERANCE_MM = 1.0


@dataclass(frozen=True, slots=True)
class MaskPair:
    """The masks of one structure, both empty where nobody knows the truth, cut to what both show.

    Attributes:
        reference_HW, predicted_HW, ignored_HW: of the smallest box around both masks, with a margin of one pixel.
        image_shape: of the whole image.
    """

    reference_HW: MaskHW
    predicted_HW: MaskHW
    ignored_HW: MaskHW
    image_shape: tuple[int, int]


def structure_measures(
    reference_HW: LabelsHW,
    predicted_HW: LabelsHW,
    scale: Scale,
    *,
    reference: Vocabulary,
    predicted: Vocabulary,
    tolerances_mm: Mapping[str, float] = TOLERANCES_MM,
) -> Iterator[Measure]:
    """Measures every structure that both label maps can tell.

    Args:
        reference_HW, predicted_HW: label maps of one shape.
        scale: of the pixels; surface distances are told in its unit, those that need millimetres are left out in px.
        reference, predicted: what the values of the two maps mean.
        tolerances_mm: of the normalised surface distance, by structure.
    """
    for name, members in comparable(reference, predicted).items():
        pair = mask_pair(reference_HW, predicted_HW, members, reference=reference, predicted=predicted)
        present, drawn = bool(pair.reference_HW.any()), bool(pair.predicted_HW.any())
        yield Measure(name, "present_reference", float(present))
        yield Measure(name, "present_predicted", float(drawn))
        if present:
            yield from _overlap(name, members, pair)
            yield from _surface(name, pair, scale, tolerances_mm.get(name, DEFAULT_TOLERANCE_MM))
            if members <= set(anatomy.BONES) and scale.in_mm:
                yield from _cortex(name, pair, scale)


def mask_pair(
    reference_HW: LabelsHW, predicted_HW: LabelsHW, members: Members, *, reference: Vocabulary, predicted: Vocabulary
) -> MaskPair:
    """The masks of the given classes in two label maps."""
    ignored_HW = reference.doubtful(reference_HW, members)
    masks = [
        reference.mask(reference_HW, members) & ~ignored_HW,
        predicted.mask(predicted_HW, members) & ~ignored_HW,
    ]
    box = _box(masks[0] | masks[1])
    height, width = reference_HW.shape
    return MaskPair(masks[0][box], masks[1][box], ignored_HW[box], (height, width))


def _overlap(name: str, members: Members, pair: MaskPair) -> Iterator[Measure]:
    metrics = {"dice": dice, "iou": iou}
    if members <= set(THIN):
        metrics["cldice"] = centreline_dice
    for metric, function in metrics.items():
        value = function(pair.reference_HW, pair.predicted_HW)
        assert value is not None, "the reference has the structure"
        yield Measure(name, metric, value)


def _surface(name: str, pair: MaskPair, scale: Scale, tolerance_mm: float) -> Iterator[Measure]:
    """A missed structure is as far off as the image is large."""
    distances = surface_distances(pair.reference_HW, pair.predicted_HW, scale, ignored_HW=pair.ignored_HW)
    if distances is None and pair.predicted_HW.any():
        return  # only ignored pixels lie around one of them: its surface is not known
    missed = scale.diagonal(pair.image_shape)
    yield Measure(name, "hd95", distances.hd95 if distances else missed, scale.unit)
    yield Measure(name, "assd", distances.assd if distances else missed, scale.unit)
    if scale.in_mm:
        yield Measure(name, "nsd", distances.nsd(tolerance_mm) if distances else 0.0)


def _cortex(name: str, pair: MaskPair, scale: Scale) -> Iterator[Measure]:
    spacing_mm = (scale.row, scale.column)
    agreement = cortex_agreement(pair.reference_HW, pair.predicted_HW, spacing_mm, ignored_HW=pair.ignored_HW)
    if agreement is None:
        return
    missed_mm = scale.diagonal(pair.image_shape)
    yield Measure(name, "cortex_covered", agreement.covered)
    yield Measure(name, "cortex_found", float(agreement.found))
    yield Measure(name, "cortex_assd", missed_mm if agreement.assd_mm is None else agreement.assd_mm, "mm")
    if agreement.distance_mm is not None:
        yield Measure(name, "cortex_distance", agreement.distance_mm, "mm")


def _box(mask_HW: MaskHW) -> tuple[slice, slice]:
    """Rows and columns of what is set, with a margin of one pixel where the image has one; empty for nothing."""
    rows, columns = np.flatnonzero(mask_HW.any(axis=1)), np.flatnonzero(mask_HW.any(axis=0))
    if not len(rows):
        return slice(0, 0), slice(0, 0)
    return slice(max(rows[0] - 1, 0), rows[-1] + 2), slice(max(columns[0] - 1, 0), columns[-1] + 2)
