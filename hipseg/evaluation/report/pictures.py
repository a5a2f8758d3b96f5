"""A case as a reader sees it: the reference as tinted areas, the prediction as outlines, both in the anatomy's colours.

Areas and lines differ in kind and not only in colour, so that a print in grey can be read too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from hipseg import anatomy
from hipseg.data.records import PointXY
from hipseg.display.drawing import WHITE, Canvas, Font, Points, ring, stroke, write_over_image
from hipseg.evaluation.inputs.item import Batch, Item
from hipseg.evaluation.measures.needle import TIP, TIP_VISIBLE
from hipseg.evaluation.predictors.predictor import ExcludedCaseError, Predict, Predictor, following
from hipseg.frame import ImageHW
from hipseg.pages.page import Picture
from hipseg.runtime.segmentation import Segmentation

HEIGHT_PX, WIDEST_PX = 360, 640
JPEG_QUALITY = 88
_TINT = 0.45
_KEY_COLUMN_PX = 118
_GAP_PX = 6

LabelsHW = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Viewer:
    """Shows cases of some data with what a predictor says of them.

    Attributes:
        batches: of the data.
        predictor: who drew the outlines; None shows the reference alone.
    """

    batches: Iterable[Batch]
    predictor: Predictor | None = None

    def pictures(self, cases: Iterable[str]) -> dict[str, Canvas]:
        """RGB pictures by case; a case whose image cannot be read or that has no prediction has none."""
        wanted = set(cases)
        found: dict[str, Canvas] = {}
        for item, segmentation in self._answers(wanted):
            if item.image_HW is not None and (self.predictor is None or segmentation is not None):
                found[item.case.id] = drawn(item, segmentation)
        return found

    def _answers(self, wanted: set[str]) -> Iterator[tuple[Item, Segmentation | None]]:
        """The wanted cases with what was said of them: of a clip after the frames before it."""
        left = set(wanted)
        for batch in self.batches:
            remembers = batch.is_clip and self.predictor is not None and self.predictor.info.remembers
            predict = self._predict(batch)
            for position, item in enumerate(batch.items()):
                if not left:
                    return
                is_wanted = item.case.id in left
                segmentation = _answer(item, position, predict) if is_wanted or remembers else None
                if is_wanted:
                    left.discard(item.case.id)
                    yield item, segmentation

    def _predict(self, batch: Batch) -> Predict | None:
        if self.predictor is None:
            return None
        return following(self.predictor) if batch.is_clip else self.predictor.predict


def _answer(item: Item, position: int, predict: Predict | None) -> Segmentation | None:
    if predict is None or item.image_HW is None:
        return None
    try:
        return predict(item.subject(position))
    except ExcludedCaseError:
        return None


def drawn(item: Item, segmentation: Segmentation | None) -> Canvas:
    """The image of a case, RGB, with reference and prediction on it."""
    assert item.image_HW is not None
    zoom = min(HEIGHT_PX / item.image_HW.shape[0], WIDEST_PX / item.image_HW.shape[1])
    canvas = _enlarged(item.image_HW, zoom)
    if item.reference_HW is not None:
        _tint(canvas, item.reference_HW)
    if segmentation is not None:
        _outline(canvas, segmentation.labels_HW, zoom)
    _mark_tips(canvas, item, segmentation, zoom)
    return canvas


def encoded(*pictures_HW3: Canvas) -> Picture:
    """Pictures of one case side by side as JPEG: speckle as PNG would make a page too heavy to mail."""
    gap_HW3 = np.full((pictures_HW3[0].shape[0], _GAP_PX, 3), 255, np.uint8)
    row = [part for picture in pictures_HW3 for part in (gap_HW3, picture)][1:]
    _, content = cv2.imencode(
        ".jpg", cv2.cvtColor(np.hstack(row), cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    )
    return content.tobytes()


def key() -> Picture:
    """Which colour is which structure: a row of tinted boxes with outlines."""
    structures = anatomy.STRUCTURES[1:]
    canvas = np.full((26, len(structures) * _KEY_COLUMN_PX, 3), 24, np.uint8)
    for k, structure in enumerate(structures):
        left = k * _KEY_COLUMN_PX + 6
        canvas[7:19, left : left + 14] = np.multiply(structure.colour, _TINT) + 12
        box: Points = np.array([(left, 7), (left + 14, 7), (left + 14, 19), (left, 19)], np.float64)
        stroke(canvas, box, structure.colour, 1, closed=True)
        write_over_image(canvas, structure.title, (left + 19, 17), Font(0.36), WHITE)
    return canvas


def _enlarged(image_HW: ImageHW, zoom: float) -> Canvas:
    size = (max(round(image_HW.shape[1] * zoom), 1), max(round(image_HW.shape[0] * zoom), 1))
    method = cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR
    grey_HW = cv2.resize(image_HW, size, interpolation=method)
    return np.asarray(cv2.cvtColor(grey_HW, cv2.COLOR_GRAY2RGB), np.uint8)


def _tint(canvas: Canvas, labels_HW: LabelsHW) -> None:
    """Colours the reference's areas; ignored pixels are hatched, since nobody is asked for them."""
    height, width = canvas.shape[:2]
    shown_HW = cv2.resize(labels_HW, (width, height), interpolation=cv2.INTER_NEAREST)
    for structure in anatomy.STRUCTURES[1:]:
        area = shown_HW == structure.id
        canvas[area] = np.rint((1 - _TINT) * canvas[area] + _TINT * np.array(structure.colour)).astype(np.uint8)
    rows, columns = np.indices(shown_HW.shape)
    canvas[(shown_HW == anatomy.IGNORED) & ((rows + columns) % 8 == 0)] = 128


def _outline(canvas: Canvas, labels_HW: LabelsHW, zoom: float) -> None:
    for structure in anatomy.STRUCTURES[1:]:
        mask = (labels_HW == structure.id).astype(np.uint8)
        contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        for contour in contours:
            line: Points = (contour[:, 0, :].astype(np.float64) + 0.5) * zoom - 0.5
            stroke(canvas, line, structure.colour, 1, closed=True)


def _mark_tips(canvas: Canvas, item: Item, segmentation: Segmentation | None, zoom: float) -> None:
    """The true tip as a ring, the reported one as a cross."""
    true_tip = (item.case.landmarks or {}).get(TIP)
    if true_tip is not None:
        ring(canvas, _on_canvas(true_tip, zoom), 6, WHITE, 1)
    reported = None if segmentation is None else segmentation.landmarks.get(TIP)
    if reported is not None and reported.visibility >= TIP_VISIBLE:
        x, y = _on_canvas((reported.x_px, reported.y_px), zoom)
        for reach_x, reach_y in ((5, 5), (5, -5)):
            arm: Points = np.array([(x - reach_x, y - reach_y), (x + reach_x, y + reach_y)], np.float64)
            stroke(canvas, arm, WHITE, 1)


def _on_canvas(at: PointXY, zoom: float) -> Points:
    return (np.asarray(at, np.float64) + 0.5) * zoom - 0.5
