"""The self-describing part of an exported model: names of inputs and outputs, and the JSON in its metadata."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hipseg.anatomy import CLASS_NAMES, LANDMARKS
from hipseg.errors import ModelError

CONTRACT_VERSION = 1
METADATA_KEY = "hipseg.contract"

INPUT_IMAGE = "image"
OUTPUT_LABELS, OUTPUT_PROBABILITIES = "labels", "probabilities"
OUTPUT_LANDMARKS, OUTPUT_VIEW_SCORE = "landmarks", "view_score"
OUTPUTS = (OUTPUT_LABELS, OUTPUT_PROBABILITIES, OUTPUT_LANDMARKS, OUTPUT_VIEW_SCORE)
NEXT = "next_"
"""Before the name of a part of the state: the output that goes in under that name with the next frame."""


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
        description: what the model is for, one line.
        training_data: one entry a data set: name, licence, attribution, number of cases.
        metrics: figures measured before export, by test set.
        state: of a model that remembers: channels, height and width of each part by its name, which is that of an
            input; zeros before the first frame. Empty for a model that sees each image alone.
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
    description: str = ""
    training_data: tuple[dict[str, Any], ...] = ()
    metrics: dict[str, Any] = field(default_factory=dict)
    state: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    created: str = ""
    licence: str = "Apache-2.0"
    contract_version: int = CONTRACT_VERSION

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of all outputs: those that every model has, then the state after the frame."""
        return (*OUTPUTS, *(NEXT + name for name in self.state))

    def to_json(self) -> str:
        """The metadata entry, keys sorted.

        Raises:
            ValueError: a figure is NaN or infinite, which JSON does not know: what is unknown is None.
        """
        return json.dumps(dataclasses.asdict(self), sort_keys=True, allow_nan=False)

    @classmethod
    def from_json(cls, text: str, *, where: str) -> ModelContract:
        """Reads a metadata entry.

        Args:
            text: JSON as `to_json` writes it; unknown keys of later minor additions are passed over.
            where: the file, for messages.

        Raises:
            ModelError: not JSON, another contract version, a field missing or of the wrong kind, or a label scheme
                that this release does not know.
        """
        values = _parse(text, where)
        known = {field_.name: field_ for field_ in dataclasses.fields(cls)}
        for name, field_ in known.items():
            if name in values:
                _check(name, values[name], where)
            elif field_.default is dataclasses.MISSING and field_.default_factory is dataclasses.MISSING:
                raise _fault(f"no '{name}'", name, where)
        values["state"] = {name: tuple(shape) for name, shape in values.get("state", {}).items()}
        return cls(**{key: _freeze(value) for key, value in values.items() if key in known})


def _parse(text: str, where: str) -> dict[str, Any]:
    try:
        values = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise ModelError(f"metadata '{METADATA_KEY}' is not JSON ({error})", where=where, mend=_MEND) from error
    version = values.get("contract_version") if isinstance(values, dict) else None
    if version != CONTRACT_VERSION:
        raise ModelError(
            f"model contract version {version!r}",
            where=where,
            expected=f"version {CONTRACT_VERSION}",
            mend="use a hipseg release that knows it, or export the model again",
        )
    assert isinstance(values, dict)
    return values


def _freeze(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_grid_size(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 4096


def _are_thresholds(value: Any) -> bool:
    numbers = isinstance(value, list) and len(value) == 2 and all(isinstance(one, int | float) for one in value)
    return numbers and 0 <= value[0] <= value[1] <= 1


def _is_state(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_is_name, value)) and all(map(_is_shape, value.values()))


def _is_shape(value: Any) -> bool:
    is_shape = isinstance(value, list) and len(value) == 3 and all(map(_is_grid_size, value))
    return is_shape and math.prod(value) <= _LARGEST_STATE


def _are_records(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, dict) for one in value)


_MEND = "export the model again"
_LARGEST_STATE = 1 << 24
_RULES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "name": (_is_name, "a name"),
    "model_version": (_is_name, "a version"),
    "classes": (lambda value: value == list(CLASS_NAMES), f"the label scheme {', '.join(CLASS_NAMES)}"),
    "landmarks": (lambda value: value == list(LANDMARKS), f"the landmarks {', '.join(LANDMARKS)}"),
    "grid_size": (_is_grid_size, "a whole number, 1 to 4096"),
    "view_thresholds": (_are_thresholds, "two ascending numbers, 0 to 1"),
    "value_range": (lambda value: value == [0, 255], "[0, 255]"),
    "description": (_is_text, "text"),
    "training_data": (_are_records, "a list of records"),
    "metrics": (lambda value: isinstance(value, dict), "figures by name"),
    "state": (_is_state, "channels, height and width by name"),
    "created": (_is_text, "a date"),
    "licence": (_is_text, "text"),
    "contract_version": (lambda value: value == CONTRACT_VERSION, f"version {CONTRACT_VERSION}"),
}


def _check(name: str, value: Any, where: str) -> None:
    is_right, _ = _RULES[name]
    if not is_right(value):
        raise _fault(f"'{name}' is {_short(value)}", name, where)


def _fault(what: str, name: str, where: str) -> ModelError:
    return ModelError(f"metadata '{METADATA_KEY}': {what}", where=where, expected=_RULES[name][1], mend=_MEND)


def _short(value: Any, longest: int = 120) -> str:
    text = json.dumps(value)
    return text if len(text) <= longest else text[: longest - 3] + "..."
