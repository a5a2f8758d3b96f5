"""Splits and folds part no patient, clip, device or near-identical frame, and resemble each other."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
from hip_scenes import hip_scene, read_records, write_hips, write_records
from hypothesis import given, settings
from hypothesis import strategies as st

from hipseg.cli.main import execute
from hipseg.data.checks import check_dataset
from hipseg.data.reading import load_dataset
from hipseg.data.sources import CaseReader, DiskSource
from hipseg.data.stratify import join_groups, stratify
from hipseg.errors import SourceError

SHARES = {"train": 0.6, "val": 0.2, "test": 0.2}


@pytest.fixture
def hips(tmp_path: Path) -> Path:
    """Twelve patients with two cases each."""
    root = write_hips(tmp_path / "hips", splits=["train"] * 24)
    records = read_records(root)
    for record in records:
        record["patient"] = f"person {chr(65 + int(record['id'][5:]) // 2)}"
    write_records(root, records)
    return root


def splits_of(root: Path) -> dict[str, str]:
    return {record["id"]: record["split"] for record in read_records(root)}


def test_patients_are_split_by_share_and_the_same_seed_splits_alike(hips: Path) -> None:
    before = (hips / "cases.jsonl").read_bytes()
    command = ["data", "split", str(hips), "--train", "0.5", "--val", "0.25", "--test", "0.25"]
    assert execute([*command, "--seed", "3"]) == 0
    first = splits_of(hips)
    assert Counter(first.values()) == {"train": 12, "val": 6, "test": 6}
    assert (hips / "cases.jsonl.before-split").read_bytes() == before
    _, cases = load_dataset(hips)  # it refuses leakage
    assert {case.view for case in cases if case.split == "test"} == {"longitudinal", "transverse"}
    assert execute([*command, "--seed", "3"]) == 0
    assert splits_of(hips) == first
    assert execute([*command, "--seed", "4"]) == 0
    assert splits_of(hips) != first


def test_devices_clips_and_look_alikes_stay_together(hips: Path) -> None:
    records = read_records(hips)
    for record in records:
        record["device"] = "alpha" if record["patient"] < "person G" else "beta"
    write_records(hips, records)
    assert execute(["data", "split", str(hips), "--by", "device", "--train", "0.5", "--val", "0", "--test", "0.5"]) == 0
    by_device = {(record["device"], record["split"]) for record in read_records(hips)}
    assert len(by_device) == 2
    records = read_records(hips)
    records[0]["clip"] = records[23]["clip"] = "sweep"
    brighter = np.clip(hip_scene(int(records[4]["id"][5:]))[0] * 1.2, 0, 255).astype(np.uint8)
    cv2.imwrite(str(hips / records[12]["image"]), brighter)
    write_records(hips, records)
    assert execute(["data", "split", str(hips)]) == 0
    after = read_records(hips)
    assert after[0]["split"] == after[23]["split"]
    assert after[4]["split"] == after[12]["split"]
    assert not any(finding.rule.startswith("leak") for finding in check_dataset(hips).findings)


def test_every_patient_validates_in_one_fold_and_tests_in_none(hips: Path) -> None:
    assert execute(["data", "split", str(hips)]) == 0
    assert execute(["data", "split", str(hips), "--folds", "3", "--seed", "1"]) == 0
    test_ids = {case.id for case in CaseReader(hips, "test").cases}
    validated: list[str] = []
    for fold in range(3):
        train, val = (CaseReader(hips, split, fold=fold).cases for split in ("train", "val"))
        assert not {case.patient for case in train} & {case.patient for case in val}
        assert {case.id for case in train + val} == {record["id"] for record in read_records(hips)} - test_ids
        assert {case.id for case in CaseReader(hips, "test", fold=fold).cases} == test_ids
        validated += [case.id for case in val]
    assert len(validated) == len(set(validated)) == 24 - len(test_ids)
    with pytest.raises(SourceError, match="no fold 3"):
        DiskSource(hips, fold=3).prepare()
    records = read_records(hips)
    next(record for record in records if record["split"] == "train")["patient"] = "new"
    write_records(hips, records)
    with pytest.raises(SourceError, match="'new' has no fold"):
        CaseReader(hips, "train", fold=0)


@pytest.mark.parametrize("content", [None, "{", "[]", '{"version": 2}', '{"version": 1, "fold_of_patient": {}}'])
def test_folds_that_are_none_are_refused(hips: Path, content: str | None) -> None:
    if content is not None:
        (hips / "folds.json").write_text(content)
    with pytest.raises(SourceError, match=r"folds\.json"):
        CaseReader(hips, "train", fold=0)


@pytest.mark.parametrize(
    ("options", "exit_code", "message"),
    [
        (["--train", "0.9"], 2, "sum to 1"),
        (["--folds", "1"], 2, "2 or more"),
        (["--folds", "13"], 2, "12 groups that must not be parted for 13 folds"),
        (["--by", "hospital"], 2, "hospital"),
    ],
)
def test_splits_that_cannot_be_are_one_line(
    hips: Path, capsys: pytest.CaptureFixture[str], options: list[str], exit_code: int, message: str
) -> None:
    before = (hips / "cases.jsonl").read_bytes()
    assert execute(["data", "split", str(hips), *options]) == exit_code
    assert message in capsys.readouterr().err.strip().splitlines()[-1]
    assert (hips / "cases.jsonl").read_bytes() == before


def test_a_data_set_with_broken_files_is_not_split(hips: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (hips / read_records(hips)[0]["image"]).unlink()
    assert execute(["data", "split", str(hips)]) == 3
    assert "hipseg data check" in capsys.readouterr().err.strip().splitlines()[-1]


def test_groups_join_by_keys_and_pairs() -> None:
    keys = [["a"], ["b"], ["a", "c"], ["d"], ["c"], ["e"]]
    assert join_groups(keys, [(3, 5)]) == [0, 1, 0, 3, 0, 3]


@given(seed=st.integers(0, 2**31))
@settings(max_examples=25, deadline=None)
def test_rare_classes_reach_every_split(seed: int) -> None:
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(60), rng.integers(1, 6, size=60)).tolist()
    rare = set(rng.choice(60, 9, replace=False).tolist())
    traits = [["common", *(["rare"] if group in rare else [])] for group in groups]
    parts = stratify(groups, traits, SHARES, seed=seed)
    assert parts == stratify(groups, traits, SHARES, seed=seed)
    for group in set(groups):
        assert len({part for part, g in zip(parts, groups, strict=True) if g == group}) == 1
    for trait in ("common", "rare"):
        held = Counter(part for part, case in zip(parts, traits, strict=True) if trait in case)
        for part, share in SHARES.items():
            assert held[part] / sum(held.values()) == pytest.approx(share, abs=0.12 if trait == "rare" else 0.05)
