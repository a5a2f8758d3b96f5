"""The self-describing part of an exported model: names of inputs and outputs, and the JSON in its metadata."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from typing import Any

from hipseg.errors import ModelError

CONTRACT_VERSION = 1
METADATA_KEY = "hipseg.contract"

INPUT_IMAGE = "image"
OUTPUT_LABELS, OUTPUT_PROBABILITIES = "labels", "probabilities"
OUTPUT_LANDMARKS, OUTPUT_VIEW_SCORE = "landmarks", "view_score"
OUTPUTS = (OUTPUT_LABELS, OUTPUT_PROBABILITIES, OUTPUT_LANDMARKS, OUTPUT_VIEW_SCORE)


@dataclass(frozen=True, slots=True)
class ModelContract:
    """What a model says about itself.

    Attributes:
        name, model_version: of the model, e.g. "hip-first", "0.1.0".
        classes: names by id, as `anatomy.CLASS_NAMES`.
        landmarks: names in the order of the output.
        grid_size: side of the network's grid, cells; see `runtime.grid`.
        value_range: grey levels of the input, [0, 255].
        view_thresholds: view_score below the first is "unrecognised", at or above the second "recognised".
        training_data: one entry a data set: name, licence, attribution, number of cases.
        metrics: figures measured before export, by test set.
        created: ISO 8601 date.
        licence: of the model file.
        contract_version: of this description.
    """

    name: str
    model_version: str
    classes: tuple[str, ...]
    landmarks: tuple[str, ...]
    grid_size: int
    view_thresholds: tuple[float, float] = (0.3, 0.5)
    value_range: tuple[int, int] = (0, 255)
    training_data: tuple[dict[str, Any], ...] = ()
    metrics: dict[str, Any] = field(default_factory=dict)
    created: str = ""
    licence: str = "Apache-2.0"
    contract_version: int = CONTRACT_VERSION

    def to_json(self) -> str:
        """The metadata entry, keys sorted."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str, *, where: str) -> ModelContract:
        """Reads a metadata entry.

        Args:
            text: JSON as `to_json` writes it; unknown keys of later minor additions are passed over.
            where: the file, for messages.

        Raises:
            ModelError: not JSON, another contract version, or a field missing or of the wrong kind.
        """
        try:
            values = json.loads(text)
        except json.JSONDecodeError as error:
            raise ModelError(f"metadata '{METADATA_KEY}' is not JSON ({error})", where=where) from error
        version = values.get("contract_version") if isinstance(values, dict) else None
        if version != CONTRACT_VERSION:
            raise ModelError(
                f"model contract version {version!r}",
                where=where,
                expected=f"version {CONTRACT_VERSION}",
                mend="use a hipseg release that knows it, or export the model again",
            )
        known = {field_.name for field_ in dataclasses.fields(cls)}
        try:
            return cls(**{key: _freeze(value) for key, value in values.items() if key in known})
        except TypeError as error:
            raise ModelError(f"metadata '{METADATA_KEY}' is incomplete ({error})", where=where) from error


def _freeze(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
