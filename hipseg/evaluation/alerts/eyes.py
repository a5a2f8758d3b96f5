"""Who looks at a simulated frame: the truth itself, so that rules are judged alone, or a model."""

from __future__ import annotations

from functools import cache

import numpy as np

from hipseg.evaluation.predictors.predictor import Subject, segmentation_of_labels
from hipseg.evaluation.predictors.released import ReleasedModel
from hipseg.guidance.clip import ClipFacts
from hipseg.runtime.segmentation import Landmark, Segmentation
from hipseg.simulation.frames import SimulatedFrame

TRUTH = "truth"
"""Name of the eye that sees the truth."""

_TRUTH_SIGMA_PX = 2.0
_NO_HIP_SHARE = 0.5


@cache
def digest_of(name: str) -> str | None:
    """Of an eye's model file, None for the truth. Raises ModelError."""
    return None if name == TRUTH else ReleasedModel(name).info.sha256


def open_eye(name: str) -> Eye:
    """The truth, or a model of the shelf. Raises ModelError."""
    return TruthEye() if name == TRUTH else ModelEye(name)


class TruthEye:
    """Masks and landmarks as they are."""

    facts = ClipFacts((0.3, 0.5), still=False)

    def see(self, frame: SimulatedFrame) -> Segmentation:
        """A model's answer that is right and sure."""
        seen = segmentation_of_labels(frame.labels_HW)
        seen.landmarks.update({name: _landmark(point) for name, point in frame.landmarks.items()})
        truth = frame.truth
        shows_hip = truth["contact_lost_share"] <= _NO_HIP_SHARE and not truth["prosthesis"]
        return Segmentation(
            seen.labels_HW, seen.probabilities_CHW, seen.grid, seen.landmarks, 1.0 if shows_hip else 0.0
        )


class ModelEye:
    """A model file, for the frames of one procedure."""

    def __init__(self, name: str) -> None:
        model = ReleasedModel(name)
        self._predict, thresholds = model.follow(), model.info.view_thresholds
        assert thresholds is not None
        self.facts = ClipFacts(thresholds, still=False)

    def see(self, frame: SimulatedFrame) -> Segmentation:
        """Its answer, after those to the frames before."""
        return self._predict(Subject("", "", None, np.ascontiguousarray(frame.image_HW), frame.time_s))


Eye = TruthEye | ModelEye


def _landmark(point: tuple[float, float] | None) -> Landmark:
    x, y = point or (0.0, 0.0)
    return Landmark(x, y, _TRUTH_SIGMA_PX, 0.0 if point is None else 1.0)
