"""One predictor on one batch of cases: every measure of every case."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from hipseg import anatomy
from hipseg.data.records import PointXY
from hipseg.evaluation.inputs.item import Batch, Item
from hipseg.evaluation.measures.calibration import calibration_bins
from hipseg.evaluation.measures.guided import PREFIX, guided_measures, tip_of
from hipseg.evaluation.measures.measure import Measure, Scale
from hipseg.evaluation.measures.needle import TIP, TIP_VISIBLE, tip_measures
from hipseg.evaluation.measures.stability import Moment, stability_measures
from hipseg.evaluation.measures.structures import TOLERANCES_MM, structure_measures
from hipseg.evaluation.predictors.predictor import (
    ExcludedCaseError,
    Predict,
    Predictor,
    following,
    segmentation_of_labels,
)
from hipseg.evaluation.results import OK
from hipseg.frame import ScanRegion, Spacing
from hipseg.guidance.config import GuidanceConfig
from hipseg.guidance.engine import Guidance, GuidanceEngine
from hipseg.runtime.segmentation import Segmentation

VIEW, VIEW_SCORE = "view", "score"
_KEY = "neck_capsule_distance_mm"


@dataclass(frozen=True)
class ExaminationSettings:
    """How cases are judged.

    Attributes:
        guidance: as a user would set it; the view check is off for predictors that give no view score.
        tolerances_mm: of the normalised surface distance, by structure.
    """

    guidance: GuidanceConfig = field(default_factory=GuidanceConfig)
    tolerances_mm: Mapping[str, float] = field(default_factory=lambda: dict(TOLERANCES_MM))


@dataclass(frozen=True)
class Rows:
    """What a batch adds to the tables of `Results`; rows are dictionaries by column."""

    cases: list[dict[str, Any]] = field(default_factory=list)
    measures: list[dict[str, Any]] = field(default_factory=list)
    calibration: list[dict[str, Any]] = field(default_factory=list)

    def extend(self, other: Rows) -> None:
        """Adds another batch's rows."""
        self.cases.extend(other.cases)
        self.measures.extend(other.measures)
        self.calibration.extend(other.calibration)


class Examiner:
    """Judges one predictor. Batches do not know of each other, so that they may run in any process.

    Args:
        predictor: who is judged.
        settings: how.
    """

    def __init__(self, predictor: Predictor, settings: ExaminationSettings) -> None:
        self._predictor, self._settings = predictor, settings
        info = predictor.info
        view_check = settings.guidance.view_check and info.view_thresholds is not None
        self._guidance = replace(settings.guidance, view_check=view_check)

    def examine(self, batch: Batch) -> Rows:
        """Every row of a batch. Raises ModelError when the model is broken."""
        rows, before = Rows(), None
        engine = self._engine(still=not batch.is_clip)
        predict = following(self._predictor) if batch.is_clip else self._predictor.predict
        for position, item in enumerate(batch.items()):
            if not batch.is_clip:
                engine = self._engine(still=True)
            segmentation, status = _predicted(item, position, predict)
            rows.cases.append(item.row(status))
            if segmentation is None:
                before = None
                continue
            guidance = _guide(engine, segmentation, item, position)
            now = _moment(item, segmentation, guidance, position)
            measures = list(self._measures(item, segmentation, guidance))
            if batch.is_clip and before is not None and now.follows(before):
                measures += self._stability(item, before, now)
            before = now
            rows.measures.extend({"case": item.case.id, **asdict(measure)} for measure in measures)
            rows.calibration.extend(self._calibration(item, segmentation))
        return rows

    def _engine(self, *, still: bool) -> GuidanceEngine:
        thresholds = self._predictor.info.view_thresholds or (0.0, 0.0)
        return GuidanceEngine(self._guidance, view_thresholds=thresholds, still=still)

    def _measures(self, item: Item, segmentation: Segmentation, guidance: Guidance) -> Iterator[Measure]:
        info, scale = self._predictor.info, Scale.of(item.case.spacing_mm)
        if item.reference_HW is not None:
            yield from structure_measures(
                item.reference_HW,
                segmentation.labels_HW,
                scale,
                reference=item.vocabulary,
                predicted=info.vocabulary,
                tolerances_mm=self._settings.tolerances_mm,
            )
        if info.has_landmarks:
            yield from tip_measures(item.case, segmentation.landmarks[TIP], scale)
        if info.view_thresholds is not None:
            yield Measure(VIEW, VIEW_SCORE, segmentation.view_score)
        case = replace(item.case, truth=self._truth(item))
        yield from guided_measures(case, guidance, item.reference_HW, item.vocabulary)

    def _truth(self, item: Item) -> dict[str, Any] | None:
        """The record's truth; where it lacks the neck-capsule distance, as measured on the reference mask."""
        truth = item.case.truth
        joint = (anatomy.FEMORAL_NECK, anatomy.ANTERIOR_CAPSULE)
        shown = item.reference_HW is not None and all((item.reference_HW == one).any() for one in joint)
        told = all(item.vocabulary.can_tell(frozenset({one})) for one in joint)
        if (truth or {}).get(_KEY) is not None or not shown or not told or item.reference_HW is None:
            return truth
        engine = GuidanceEngine(replace(self._guidance, view_check=False), still=True)
        measured = _guide(engine, segmentation_of_labels(item.reference_HW), item, 0).measurements
        return {**(truth or {}), _KEY: measured.neck_capsule_distance_mm}

    def _stability(self, item: Item, before: Moment, now: Moment) -> Iterator[Measure]:
        return stability_measures(
            before,
            now,
            Scale.of(item.case.spacing_mm),
            reference=item.vocabulary,
            predicted=self._predictor.info.vocabulary,
        )

    def _calibration(self, item: Item, segmentation: Segmentation) -> Iterator[dict[str, Any]]:
        info = self._predictor.info
        if item.reference_HW is None or not info.has_probabilities:
            return
        bins = calibration_bins(
            item.reference_HW,
            segmentation,
            Scale.of(item.case.spacing_mm),
            reference=item.vocabulary,
            predicted=info.vocabulary,
        )
        for one in bins:
            yield {"case": item.case.id, **asdict(one)}


def _predicted(item: Item, position: int, predict: Predict) -> tuple[Segmentation | None, str]:
    """What a predictor says of a case, and the case's status."""
    if item.fault is not None or item.image_HW is None:
        return None, item.fault or "no image"
    try:
        return predict(item.subject(position)), OK
    except ExcludedCaseError as excluded:
        return None, str(excluded)


def _guide(engine: GuidanceEngine, segmentation: Segmentation, item: Item, position: int) -> Guidance:
    height, width = segmentation.labels_HW.shape
    spacing = None if item.case.spacing_mm is None else Spacing(*item.case.spacing_mm, "user")
    return engine.step(
        segmentation,
        frame=item.case.frame or 0,
        time_s=item.time_s(position),
        spacing=spacing,
        region=ScanRegion(0, 0, width, height, "full"),
    )


def _moment(item: Item, segmentation: Segmentation, guidance: Guidance, position: int) -> Moment:
    tip = segmentation.landmarks.get(TIP)
    tips: dict[str, PointXY | None] = {PREFIX: tip_of(guidance)}
    if tip is not None:
        tips[""] = (tip.x_px, tip.y_px) if tip.visibility >= TIP_VISIBLE else None
    return Moment(
        reference_HW=item.reference_HW,
        predicted_HW=segmentation.labels_HW,
        true_tip=(item.case.landmarks or {}).get(TIP),
        tips=tips,
        time_s=item.case.time_s,
        index=position if item.case.frame is None else item.case.frame,
    )
