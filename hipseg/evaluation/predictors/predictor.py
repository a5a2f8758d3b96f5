"""What evaluation asks of anything that predicts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from hipseg.anatomy import BACKGROUND, IGNORED, NUM_CLASSES
from hipseg.evaluation.measures.measure import LabelsHW
from hipseg.evaluation.measures.vocabulary import Vocabulary
from hipseg.frame import ImageHW
from hipseg.guidance.geometry import occupied_labels
from hipseg.runtime.grid import Grid
from hipseg.runtime.segmentation import Segmentation

GRID_SIZE = 256
"""Cells of the grid on which answers of foreign origin are handed to guidance."""


class ExcludedCaseError(Exception):
    """A case that cannot be judged; the message is the reason that stands in the table."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is to be predicted.

    Attributes:
        case, clip, frame: as in the table of cases; `frame` is None for a single image.
        image_HW: grey levels of the scan region.
        time_s: in its clip; of a single image 0.
    """

    case: str
    clip: str
    frame: int | None
    image_HW: ImageHW
    time_s: float = 0.0


@dataclass(frozen=True, slots=True)
class PredictorInfo:
    """Who predicts, and what it can tell.

    Attributes:
        name, version, sha256: for the record; None where there is no such thing.
        vocabulary: what the values of its label maps mean.
        view_thresholds: unrecognised below the first, recognised from the second; None where it gives no view score.
        has_probabilities, has_landmarks: whether these outputs are its own and not made up from its masks.
        remembers: what it says of a frame of a clip depends on the frames before.
    """

    name: str
    vocabulary: Vocabulary
    version: str | None = None
    sha256: str | None = None
    view_thresholds: tuple[float, float] | None = None
    has_probabilities: bool = False
    has_landmarks: bool = False
    remembers: bool = False

    def record(self) -> dict[str, Any]:
        """For `results.json`."""
        return {"name": self.name, "version": self.version, "sha256": self.sha256}


class Predictor(Protocol):
    """Something that segments; one lives in each worker process."""

    @property
    def info(self) -> PredictorInfo:
        """Who it is."""
        ...

    def predict(self, subject: Subject) -> Segmentation:
        """Segments one image, which a model that remembers takes for the first frame of a clip.

        Raises:
            ExcludedCaseError: there is no usable answer for this case.
            ModelError: the model is broken.
        """
        ...


Predict = Callable[[Subject], Segmentation]


@runtime_checkable
class Remembering(Protocol):
    """A predictor that may remember the frames before."""

    def follow(self) -> Predict:
        """As `Predictor.predict`, for the frames of one clip in the order of time."""
        ...


def following(predictor: Predictor) -> Predict:
    """What to ask for the frames of one clip in the order of time; a new one for every clip."""
    return predictor.follow() if isinstance(predictor, Remembering) else predictor.predict


def segmentation_of_labels(labels_HW: LabelsHW) -> Segmentation:
    """A label map as a model's answer that is sure of everything; without landmarks, the view taken for granted.

    Args:
        labels_HW: ids of the label scheme; ignored pixels become background.
    """
    height, width = labels_HW.shape
    grid = Grid(height, width, GRID_SIZE)
    known_HW = np.where(labels_HW == IGNORED, np.uint8(BACKGROUND), labels_HW)
    probabilities_CHW = np.zeros((NUM_CLASSES, GRID_SIZE, GRID_SIZE), np.float32)
    cells_HW = occupied_labels(known_HW, grid)
    rows, columns = grid.occupied
    probabilities_CHW[:, rows, columns] = cells_HW[None] == np.arange(NUM_CLASSES)[:, None, None]
    return Segmentation(known_HW, probabilities_CHW, grid, {}, 1.0)
