"""What a model says about itself, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hipseg import anatomy
from hipseg.errors import ModelError
from hipseg.runtime.contract import ModelContract

CONTRACT = ModelContract(
    name="hip",
    model_version="0.1.0",
    classes=anatomy.CLASS_NAMES,
    landmarks=anatomy.LANDMARKS,
    grid_size=256,
    training_data=({"name": "femoral", "licence": "MIT", "num_cases": 30},),
    metrics={"femoral test": {"dice": 0.9, "nsd": None}},
    created="2026-01-31",
)


def test_a_contract_survives_the_way_through_json() -> None:
    assert ModelContract.from_json(CONTRACT.to_json(), where="m.onnx") == CONTRACT


def test_later_additions_are_passed_over() -> None:
    text = json.dumps({**json.loads(CONTRACT.to_json()), "quantisation": "int8"})
    assert ModelContract.from_json(text, where="m.onnx") == CONTRACT


def test_figures_that_json_does_not_know_are_not_written() -> None:
    broken = ModelContract("hip", "0.1.0", anatomy.CLASS_NAMES, anatomy.LANDMARKS, 256, metrics={"dice": float("nan")})
    with pytest.raises(ValueError, match="JSON"):
        broken.to_json()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("model_version", 1),
        ("classes", ["background", "liver"]),
        ("landmarks", ["needle_tip"]),
        ("grid_size", "256"),
        ("grid_size", True),
        ("grid_size", 0),
        ("view_thresholds", [0.7, 0.3]),
        ("view_thresholds", [0.3]),
        ("view_thresholds", ["a", "b"]),
        ("value_range", [0, 1]),
        ("training_data", "femoral"),
        ("metrics", []),
        ("licence", None),
    ],
)
def test_a_field_of_the_wrong_kind_is_named(field: str, value: Any) -> None:
    text = json.dumps({**json.loads(CONTRACT.to_json()), field: value})
    with pytest.raises(ModelError, match=f"m.onnx: .*'{field}' is .*; expected .*; export the model again"):
        ModelContract.from_json(text, where="m.onnx")


@pytest.mark.parametrize("field", ["name", "model_version", "classes", "landmarks", "grid_size"])
def test_a_missing_field_is_named(field: str) -> None:
    values = json.loads(CONTRACT.to_json())
    del values[field]
    with pytest.raises(ModelError, match=f"no '{field}'"):
        ModelContract.from_json(json.dumps(values), where="m.onnx")


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '"text"', "null", "[" * 100_000])
def test_metadata_that_is_no_record_is_refused(text: str) -> None:
    with pytest.raises(ModelError, match=r"metadata|version"):
        ModelContract.from_json(text, where="m.onnx")


@pytest.mark.parametrize("version", [0, 2, "1", None])
def test_an_unknown_version_is_refused(version: Any) -> None:
    text = json.dumps({**json.loads(CONTRACT.to_json()), "contract_version": version})
    with pytest.raises(ModelError, match="expected version 1"):
        ModelContract.from_json(text, where="m.onnx")
