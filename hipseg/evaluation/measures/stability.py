"""Whether a clip's masks and tip stay still when the anatomy does: each frame against the one before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from hipseg.data.records import PointXY
from hipseg.evaluation.measures.measure import LabelsHW, MaskHW, Measure, Scale
from hipseg.evaluation.measures.needle import NEEDLE
from hipseg.evaluation.measures.vocabulary import Vocabulary, comparable

REST_MM_S = 2.0
"""A tip that truly moves slower rests."""
REST_MM = 0.1
"""The same between two frames where no time is known."""
_REST_PX = 1.0


@dataclass(frozen=True, slots=True)
class Moment:
    """What is kept of a frame until the next one.

    Attributes:
        reference_HW: None where there is none.
        predicted_HW: the model's labels.
        true_tip, tips: in pixels, None where not seen; `tips` by prefix of the metric ("" and "guided_").
        time_s: None when unknown.
        index: of the frame in its clip.
    """

    reference_HW: LabelsHW | None
    predicted_HW: LabelsHW
    true_tip: PointXY | None
    tips: dict[str, PointXY | None]
    time_s: float | None
    index: int

    def follows(self, before: Moment) -> bool:
        """Whether this is the next frame of the clip, of the same size: with frames left out nothing can be said."""
        return self.index == before.index + 1 and self.predicted_HW.shape == before.predicted_HW.shape


def stability_measures(
    before: Moment, now: Moment, scale: Scale, *, reference: Vocabulary, predicted: Vocabulary
) -> Iterator[Measure]:
    """Measures of a frame against the frame before it.

    Args:
        before, now: consecutive frames of a clip, of one size.
        scale: of the pixels.
        reference, predicted: what the values of their label maps mean.
    """
    if before.reference_HW is not None and now.reference_HW is not None:
        for name, members in comparable(reference, predicted).items():
            truth = [reference.mask(one, members) for one in (before.reference_HW, now.reference_HW)]
            drawn = [predicted.mask(one.predicted_HW, members) for one in (before, now)]
            yield from _flicker(name, truth, drawn)
    yield from _tip_steps(before, now, scale)


def _flicker(name: str, truth: list[MaskHW], drawn: list[MaskHW]) -> Iterator[Measure]:
    """How much more a mask changes than the truth: intersection over union of two frames, true minus predicted.

    0 changes as the truth does, 1 comes or goes where the truth stands still, negative lags behind a true change.
    """
    predicted_iou = _iou(*drawn)
    if predicted_iou is None:
        return
    true_iou = _iou(*truth)
    yield Measure(name, "flicker", (1.0 if true_iou is None else true_iou) - predicted_iou)
    true_change = bool(truth[0].any()) != bool(truth[1].any())
    change = bool(drawn[0].any()) != bool(drawn[1].any())
    yield Measure(name, "presence_flip", float(change and not true_change))


def _iou(one_HW: MaskHW, other_HW: MaskHW) -> float | None:
    union = np.count_nonzero(one_HW | other_HW)
    return np.count_nonzero(one_HW & other_HW) / union if union else None


def _tip_steps(before: Moment, now: Moment, scale: Scale) -> Iterator[Measure]:
    """How far a reported tip jumps against the true one while that rests."""
    if before.true_tip is None or now.true_tip is None or not _rests(before, now, scale):
        return
    for prefix, tip in now.tips.items():
        last = before.tips.get(prefix)
        if tip is not None and last is not None:
            errors = [np.subtract(last, before.true_tip), np.subtract(tip, now.true_tip)]
            step = float(np.hypot(*scale.points(errors[1] - errors[0])))
            yield Measure(NEEDLE, f"{prefix}tip_jitter_at_rest", step, scale.unit)


def _rests(before: Moment, now: Moment, scale: Scale) -> bool:
    assert before.true_tip is not None
    assert now.true_tip is not None
    moved = float(np.hypot(*scale.points(np.subtract(now.true_tip, before.true_tip))))
    if not scale.in_mm:
        return moved <= _REST_PX
    if before.time_s is None or now.time_s is None or now.time_s <= before.time_s:
        return moved <= REST_MM
    return moved <= REST_MM_S * (now.time_s - before.time_s)
