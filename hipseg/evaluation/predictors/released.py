"""Models of ours: one ONNX file that describes itself."""

from __future__ import annotations

from hipseg.evaluation.measures.vocabulary import Vocabulary
from hipseg.evaluation.predictors.predictor import Predict, PredictorInfo, Subject
from hipseg.frame import Frame, ScanRegion
from hipseg.runtime.recall import Recall
from hipseg.runtime.segmentation import Segmentation
from hipseg.runtime.session import Session


class ReleasedModel:
    """A model of the shelf or a file that follows the contract.

    Args:
        path_or_name: as `Session` takes it.
        num_threads: of one frame. The default gives the same digits on every machine with the same processor.

    Raises:
        ModelError: it cannot be loaded.
    """

    def __init__(self, path_or_name: str, *, num_threads: int = 1) -> None:
        self._session = Session(path_or_name, num_threads=num_threads)
        contract = self._session.contract
        self._info = PredictorInfo(
            name=contract.name,
            vocabulary=Vocabulary.complete(),
            version=contract.model_version,
            sha256=self._session.sha256,
            view_thresholds=contract.view_thresholds,
            has_probabilities=True,
            has_landmarks=True,
            remembers=bool(contract.state),
        )

    @property
    def info(self) -> PredictorInfo:
        """As the model's contract says."""
        return self._info

    def predict(self, subject: Subject) -> Segmentation:
        """Segments one image. Raises ModelError when an output is not finite."""
        return self._session.segment(subject.image_HW)

    def follow(self) -> Predict:
        """As `Remembering`: what is remembered, and when it is forgotten, is as when the model runs."""
        recall = Recall(self._session)
        return lambda subject: recall.segment(_frame_of(subject), subject.image_HW)


def _frame_of(subject: Subject) -> Frame:
    height, width = subject.image_HW.shape
    region = ScanRegion(0, 0, width, height, "full")
    return Frame(subject.image_HW, subject.frame or 0, subject.time_s, None, region, subject.clip)
