"""A model on every case at every grade of every corruption."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console
from rich.progress import track

from hipseg.errors import SourceError, UsageError
from hipseg.evaluation.inputs.item import Batch, Collection, Item
from hipseg.evaluation.measures.measure import Scale
from hipseg.evaluation.measures.needle import TIP, TIP_VISIBLE
from hipseg.evaluation.measures.overlap import dice
from hipseg.evaluation.measures.structures import mask_pair
from hipseg.evaluation.measures.vocabulary import Vocabulary, comparable
from hipseg.evaluation.predictors.choice import PredictorChoice
from hipseg.evaluation.predictors.mask_folder import MaskFolder
from hipseg.evaluation.predictors.predictor import ExcludedCaseError, Predictor
from hipseg.evaluation.robustness.corruptions import CORRUPTIONS, NUM_GRADES, Corruption, corrupted, shown_frames
from hipseg.evaluation.robustness.scene import Scene
from hipseg.evaluation.run import open_data
from hipseg.runtime.segmentation import Segmentation
from hipseg.simulation.job import in_parallel

TIP_SCORE = "needle_tip"
TIP_WITHIN_MM = 3.0
"""The tip's score is 1 where it is reported this near to the true one, else 0."""

COLUMNS = ("corruption", "grade", "structure", "case", "clip", "patient", "score")

Row = dict[str, Any]


@dataclass(frozen=True)
class RobustnessRequest:
    """One run of `hipseg benchmark robustness`.

    Attributes:
        data, split: as for an evaluation.
        predictor: a model; masks on disk know nothing of corrupted images.
        corruptions: which.
        num_cases: of the data, evenly spread; None takes all. Frame drops always take whole clips.
        seed: of chance.
        num_workers: processes; None takes the cores this process may use.
    """

    data: Path
    predictor: PredictorChoice
    split: str | None = None
    corruptions: Sequence[Corruption] = CORRUPTIONS
    num_cases: int | None = None
    seed: int = 0
    num_workers: int | None = None


def measure_robustness(request: RobustnessRequest) -> tuple[pd.DataFrame, Collection]:
    """Scores of every structure: Dice where the reference shows it, and whether the needle's tip is found.

    Returns:
        A row a corruption, grade (0 is clean), structure and case, with the columns of `COLUMNS`; and the data.

    Raises:
        UsageError: a folder of masks in place of a model, or a split that is not there.
        SourceError: the data cannot be read, or show nothing that can be scored.
        ModelError: the model cannot be loaded.
    """
    collection = open_data(request.data, request.split)
    if isinstance(request.predictor.open(), MaskFolder):
        raise UsageError("masks on disk know nothing of corrupted images", where="--model", mend="name a model")
    chosen = evenly(collection, request.num_cases)
    task = partial(_batch_rows, collection.batches, request, chosen)
    workers = request.num_workers or len(os.sched_getaffinity(0))
    done = in_parallel(task, range(len(collection.batches)), workers)
    shown = track(done, collection.name, total=len(collection.batches), console=Console(file=sys.stderr))
    scores = pd.DataFrame([row for rows in shown for row in rows], columns=list(COLUMNS))
    if scores.empty:
        raise SourceError("shows no structure that this model knows", where=request.data)
    return scores, collection


def evenly(collection: Collection, number: int | None) -> frozenset[str]:
    """Ids of `number` cases, evenly spread over the data; all where that is None or more than there are."""
    cases = [case for case, _, _ in collection.keys]
    if number is None or number >= len(cases):
        return frozenset(cases)
    return frozenset(cases[round(k)] for k in np.linspace(0, len(cases) - 1, number))


def scene_of(item: Item) -> Scene:
    """The image of a sound case with its truth."""
    assert item.image_HW is not None
    return Scene(item.image_HW, item.reference_HW, item.case.spacing_mm, item.case.landmarks)


def item_of(scene: Scene, item: Item) -> Item:
    """The case as a corrupted scene shows it; what else its record tells of the clean image is dropped."""
    case = replace(item.case, spacing_mm=scene.spacing_mm, landmarks=scene.landmarks, truth=None)
    return replace(item, case=case, image_HW=scene.image_HW, reference_HW=scene.labels_HW)


def predicted(predictor: Predictor, item: Item) -> Segmentation | None:
    """What a model says of a case; None where it says nothing."""
    try:
        return predictor.predict(item.subject())
    except ExcludedCaseError:
        return None


def scores(item: Item, segmentation: Segmentation, vocabulary: Vocabulary) -> Iterator[tuple[str, float]]:
    """Dice of every structure that the reference shows; of the tip whether it is found within `TIP_WITHIN_MM`."""
    if item.reference_HW is not None:
        for name, members in comparable(item.vocabulary, vocabulary).items():
            pair = mask_pair(
                item.reference_HW, segmentation.labels_HW, members, reference=item.vocabulary, predicted=vocabulary
            )
            value = dice(pair.reference_HW, pair.predicted_HW)
            if value is not None:
                yield name, value
    tip = (item.case.landmarks or {}).get(TIP)
    if tip is not None and item.case.spacing_mm is not None and TIP in segmentation.landmarks:
        yield TIP_SCORE, float(_tip_found(tip, segmentation, Scale.of(item.case.spacing_mm)))


def _tip_found(tip: tuple[float, float], segmentation: Segmentation, scale: Scale) -> bool:
    reported = segmentation.landmarks[TIP]
    offset_mm = scale.points((reported.x_px - tip[0], reported.y_px - tip[1]))
    return reported.visibility >= TIP_VISIBLE and float(np.hypot(*offset_mm)) <= TIP_WITHIN_MM


def _batch_rows(batches: Sequence[Batch], request: RobustnessRequest, chosen: frozenset[str], k: int) -> list[Row]:
    """One batch, in whatever process."""
    batch, predictor = batches[k], request.predictor.open()
    rows: list[Row] = []
    drops = [each for each in request.corruptions if each.change is None] if batch.is_clip else []
    frames: list[tuple[Item, Segmentation]] = []
    for item in batch.items():
        wanted = item.case.id in chosen
        if item.image_HW is None or not (wanted or drops):
            continue
        clean = predicted(predictor, item)
        if clean is None:
            continue
        frames.append((item, clean))
        if wanted:
            rows += _image_rows(item, clean, predictor, request)
    for corruption in drops:
        rows += _clip_rows(frames, corruption, predictor, request.seed)
    return rows


def _image_rows(item: Item, clean: Segmentation, predictor: Predictor, request: RobustnessRequest) -> Iterator[Row]:
    for corruption in request.corruptions:
        if corruption.change is None:
            continue
        yield from _rows(corruption, 0, item, clean, predictor)
        for grade in range(1, NUM_GRADES + 1):
            bad = item_of(corrupted(scene_of(item), corruption, grade, case=item.case.id, seed=request.seed), item)
            segmentation = predicted(predictor, bad)
            if segmentation is not None:
                yield from _rows(corruption, grade, bad, segmentation, predictor)


def _clip_rows(
    frames: Sequence[tuple[Item, Segmentation]], corruption: Corruption, predictor: Predictor, seed: int
) -> Iterator[Row]:
    """What a viewer sees is the last frame that came, while the anatomy has gone on."""
    for grade in range(NUM_GRADES + 1):
        dropped_share = corruption.grades[grade - 1] if grade else 0.0
        shown = shown_frames(len(frames), dropped_share, clip=frames[0][0].clip if frames else "", seed=seed)
        for (item, _), at in zip(frames, shown, strict=True):
            yield from _rows(corruption, grade, item, frames[at][1], predictor)


def _rows(
    corruption: Corruption, grade: int, item: Item, segmentation: Segmentation, predictor: Predictor
) -> Iterator[Row]:
    for structure, score in scores(item, segmentation, predictor.info.vocabulary):
        values = (corruption.name, grade, structure, item.case.id, item.clip, item.case.patient, score)
        yield dict(zip(COLUMNS, values, strict=True))
