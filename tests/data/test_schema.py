"""The published schemas and hipseg's own reader say the same of the same record."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hipseg import anatomy
from hipseg.data.manifest import Case, DatasetManifest, DatasetWriter
from hipseg.data.records import SPLITS
from hipseg.data.schema import load_schema
from hipseg.errors import SourceError, UsageError

MANIFEST, CASE = (
    jsonschema.Draft202012Validator(load_schema(name), format_checker=jsonschema.FormatChecker())
    for name in ("manifest", "case")
)
GOOD_MANIFEST = {"version": 1, "name": "a", "classes": ["needle"], "merged": {"femoral_vein": ["femoral_artery"]}}
GOOD_CASE = {
    "id": "a_1", "image": "clips/a.dcm", "mask": "masks/a_1.png", "patient": "p", "split": "test", "sha256": "00",
    "mask_sha256": "11", "frame": 3, "clip": "a", "time_s": 0.5, "device": None, "view": "longitudinal",
    "spacing_mm": [0.1, 0.2], "annotated": ["needle"], "merged": None, "unsure": ["femoral_vein"],
    "landmarks": {"needle_tip": [3, 4.5], "needle_entry": None}, "hip_view": True, "truth": {"depth_mm": 3},
}  # fmt: skip


def test_the_schemas_are_valid_and_name_the_label_scheme() -> None:
    for schema in (MANIFEST.schema, CASE.schema):
        jsonschema.Draft202012Validator.check_schema(schema)
        assert schema["$defs"]["class_name"]["enum"] == list(anatomy.CLASS_NAMES)
    assert list(CASE.schema["properties"]["landmarks"]["properties"]) == list(anatomy.LANDMARKS)
    assert CASE.schema["properties"]["split"]["enum"] == list(SPLITS)


@pytest.mark.parametrize(("schema", "kind"), [(MANIFEST, DatasetManifest), (CASE, Case)])
def test_schema_and_records_have_the_same_fields(schema: Any, kind: Any) -> None:
    assert set(schema.schema["properties"]) == {field.name for field in fields(kind)}


def test_every_data_set_we_write_is_valid(dataset: Path) -> None:
    MANIFEST.validate(json.loads((dataset / "manifest.json").read_text()))
    for line in (dataset / "cases.jsonl").read_text().splitlines():
        CASE.validate(json.loads(line))


def test_everything_the_records_can_hold_is_valid(tmp_path: Path) -> None:
    manifest = DatasetManifest.from_dict(GOOD_MANIFEST, where="here")
    MANIFEST.validate(json.loads(json.dumps(manifest.to_dict())))
    with DatasetWriter(tmp_path, manifest) as writer:
        case = writer.add(
            id="a", image_HW=np.zeros((20, 20), np.uint8), labels_HW=None, patient="p", split="val",
            landmarks={"needle_tip": (1.0, 2.0)}, truth={"target_px": np.array([1.0, 2.0])}, time_s=0.0, clip="c",
        )  # fmt: skip
    CASE.validate(json.loads(json.dumps(case.to_dict())))
    CASE.validate(json.loads(json.dumps(Case.from_dict(GOOD_CASE, where="here").to_dict())))


def refused_by_records(kind: Any, record: Any) -> bool:
    try:
        kind.from_dict(record, where="here")
    except SourceError:
        return True
    return False


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 3), st.floats(-2, 2), st.text(max_size=4), st.just([0.1]),
    st.just([0.1, -1]), st.just([True, 1]), st.just(["needle", "needel"]), st.just(["labrum"]), st.just([]),
    st.just({"needle": ["needle"]}), st.just({"needel": ["needle"]}), st.just({"needle": ["x"]}),
    st.just({"needle": 3}),
    st.just({"needle_tip": [1, 2]}), st.just({"needle_tip": [1]}), st.just({"tip": None}), st.just({}),
    st.sampled_from(["/a", "../a", "a/../b", "a\\b", "a..b", "..", "a/..", "./a", ".a", "-a", "a b", "test", "tset"]),
    st.sampled_from(["a\n", "a\n/../b", "a/..\n"]),
)  # fmt: skip


@given(st.sampled_from(sorted(GOOD_CASE)), VALUES)
def test_both_refuse_the_same_cases(field: str, value: Any) -> None:
    record = GOOD_CASE | {field: value}
    assert refused_by_records(Case, record) != CASE.is_valid(record), (field, value)


@given(st.sampled_from(["version", "name", "classes", "merged", "licence", "attribution", "source"]), VALUES)
def test_both_refuse_the_same_manifests(field: str, value: Any) -> None:
    record = GOOD_MANIFEST | {field: value}
    assert refused_by_records(DatasetManifest, record) != MANIFEST.is_valid(record), (field, value)


@pytest.mark.parametrize("name", sorted(GOOD_CASE))
def test_both_miss_the_same_fields(name: str) -> None:
    record = {key: value for key, value in GOOD_CASE.items() if key != name}
    assert refused_by_records(Case, record) != CASE.is_valid(record)


@pytest.mark.parametrize("record", [[], "a", 3, None, GOOD_CASE | {"extra": 1}])
def test_both_refuse_what_is_no_record(record: Any) -> None:
    assert refused_by_records(Case, record)
    assert not CASE.is_valid(record)


def test_an_unknown_schema_is_refused() -> None:
    with pytest.raises(UsageError, match="no schema 'case' of version 2"):
        load_schema("case", 2)
