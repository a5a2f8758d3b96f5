"""From what a user names to a predictor: a model of ours, a foreign ONNX file, a folder of masks."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

from hipseg.errors import ModelError, UsageError
from hipseg.evaluation.predictors.foreign import ForeignModel
from hipseg.evaluation.predictors.mapping import LabelMapping, read_mapping
from hipseg.evaluation.predictors.mask_folder import MaskFolder
from hipseg.evaluation.predictors.predictor import Predictor
from hipseg.evaluation.predictors.released import ReleasedModel
from hipseg.runtime.contract import METADATA_KEY
from hipseg.runtime.models import DEFAULT_MODEL, MODEL_FILE


@dataclass(frozen=True, slots=True)
class PredictorChoice:
    """Who is to be judged; small enough to be sent to every process.

    Attributes:
        model: a name on the shelf, an ONNX file, a model's folder, or a folder of masks; None takes the default
            model.
        predictions: a folder of masks, instead of a model.
        mapping: of foreign ids; needed by foreign ONNX files.
        num_threads: of the model in each process.
    """

    model: str | None = None
    predictions: Path | None = None
    mapping: Path | None = None
    num_threads: int = 1

    def open(self) -> Predictor:
        """The predictor; opened once a process.

        Raises:
            UsageError: a model and a folder of masks, or a mapping that cannot be read.
            ModelError: the model cannot be loaded.
            SourceError: no such folder of masks.
        """
        return _open(self)


@functools.lru_cache(maxsize=2)
def _open(choice: PredictorChoice) -> Predictor:
    if choice.model is not None and choice.predictions is not None:
        raise UsageError("a model and a folder of predictions", where="--predictions", mend="give one of them")
    folder = choice.predictions or _mask_folder(choice.model)
    mapping = None if choice.mapping is None else read_mapping(choice.mapping)
    if folder is not None:
        return MaskFolder(folder, mapping or LabelMapping.identity())
    if mapping is not None:
        if choice.model is None:
            raise UsageError("a mapping without a model", where="--mapping", mend="name the ONNX file with --model")
        return ForeignModel(Path(choice.model), mapping, num_threads=choice.num_threads)
    return _released(choice)


def _released(choice: PredictorChoice) -> ReleasedModel:
    """A model of the contract; one of other people is told what it lacks."""
    try:
        return ReleasedModel(choice.model or DEFAULT_MODEL, num_threads=choice.num_threads)
    except ModelError as error:
        if METADATA_KEY not in error.what:
            raise
        mend = "a foreign model needs a mapping file: --mapping"
        raise ModelError(error.what, where=error.where, expected=error.expected, mend=mend) from error


def _mask_folder(model: str | None) -> Path | None:
    """A folder that is not a model's."""
    if model is None or not Path(model).is_dir() or (Path(model) / MODEL_FILE).exists():
        return None
    return Path(model)
