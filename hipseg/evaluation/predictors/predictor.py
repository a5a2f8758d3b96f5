"""What evaluation asks of anything that predicts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

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
    """

    case: str
    clip: str
    frame: int | None
    image_HW: ImageHW


@dataclass(frozen=True, slots=True)
class PredictorInfo:
    """Who predicts, and what it can tell.

    Attributes:
        name, version, sha256: for the record; None where there is no such thing.
        vocabulary: what the values of its label maps mean.
        view_thresholds: unrecognised below the first, recognised from the second; None where it gives no view score.
        has_probabilities, has_landmarks: whether these outputs are its own and not made up from its masks.
    """

    name: str
    vocabulary: Vocabulary
    version: str | None = None
    sha256: str | None = None
    view_thresholds: tuple[float, float] | None = None
    has_probabilities: bool = False
    has_landmarks: bool = False

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
        """Segments one image.

        Raises:
            ExcludedCaseError: there is no usable answer for this case.
            ModelError: the model is broken.
        """
        ...


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
