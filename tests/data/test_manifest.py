"""A data set on disk: what is written comes back, what is broken is named, nothing is half-written."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from small_scenes import PARTIAL, scene

from hipseg import anatomy
from hipseg.data.manifest import Case, DatasetManifest, DatasetWriter, load_dataset, read_image, read_labels
from hipseg.errors import OutputError, SourceError


def test_what_is_written_comes_back(dataset: Path) -> None:
    manifest, cases = load_dataset(dataset, verify=True)
    image_HW, labels_HW = scene(2, height=70)
    assert manifest == PARTIAL
    assert [case.id for case in cases] == [f"case_{number}" for number in range(6)]
    assert cases[2].spacing_mm == (0.1, 0.2)
    assert cases[2].landmarks == {"needle_tip": (41, 11), "needle_entry": (10, 3), "head_neck_junction": None}
    np.testing.assert_array_equal(read_image(dataset, cases[2]), image_HW)
    np.testing.assert_array_equal(read_labels(dataset, cases[2]), labels_HW)


def test_masks_are_indexed_with_the_colours_of_the_label_scheme(dataset: Path) -> None:
    with Image.open(dataset / "masks" / "case_0.png") as mask:
        palette = mask.getpalette()
        assert mask.mode == "P"
        assert palette is not None
        assert tuple(palette[3:6]) == anatomy.STRUCTURES[1].colour


def test_a_moved_data_set_still_loads(dataset: Path, tmp_path: Path) -> None:
    shutil.copytree(dataset, tmp_path / "elsewhere")
    load_dataset(tmp_path / "elsewhere", verify=True)


def test_the_same_cases_give_the_same_bytes_in_any_order(tmp_path: Path) -> None:
    for name, order in (("forth", range(4)), ("back", reversed(range(4)))):
        with DatasetWriter(tmp_path / name, PARTIAL) as writer:
            for number in order:
                add(writer, number)
    for file in ("cases.jsonl", "manifest.json", "images/c2.png", "masks/c2.png"):
        assert (tmp_path / "forth" / file).read_bytes() == (tmp_path / "back" / file).read_bytes()


def add(writer: DatasetWriter, number: int, **changes: Any) -> Case:
    image_HW, labels_HW = scene(number)
    fields = {"image_HW": image_HW, "labels_HW": labels_HW, "patient": f"p{number}", "split": "train"}
    return writer.add(id=f"c{number}", **(fields | changes))


def test_an_interrupted_run_goes_on_where_it_stopped(tmp_path: Path) -> None:
    with contextlib.suppress(KeyboardInterrupt), DatasetWriter(tmp_path, PARTIAL) as writer:
        add(writer, 0)
        raise KeyboardInterrupt
    with pytest.raises(SourceError, match="never finished"):
        load_dataset(tmp_path)
    with (tmp_path / "cases.jsonl.part").open("ab") as journal:
        journal.write(b'{"id": "c1", "ima')  # killed in the middle of a line
    with DatasetWriter(tmp_path, PARTIAL) as writer:
        assert "c0" in writer
        assert "c1" not in writer
        add(writer, 0)
        add(writer, 1)
    assert [case.id for case in load_dataset(tmp_path, verify=True)[1]] == ["c0", "c1"]
    assert not list(tmp_path.glob("**/*.part"))


def test_two_writers_at_one_folder_are_refused(tmp_path: Path) -> None:
    with DatasetWriter(tmp_path, PARTIAL) as writer:
        with pytest.raises(OutputError, match="another process"):
            DatasetWriter(tmp_path, PARTIAL).__enter__()
        add(writer, 0)
    assert len(load_dataset(tmp_path)[1]) == 1


def test_a_finished_data_set_is_replaced_only_when_asked(dataset: Path, tmp_path: Path) -> None:
    root = shutil.copytree(dataset, tmp_path / "copy")
    with pytest.raises(OutputError, match="--overwrite"):
        DatasetWriter(root, PARTIAL).__enter__()
    load_dataset(root, verify=True)
    with DatasetWriter(root, PARTIAL, overwrite=True) as writer:
        add(writer, 7)
    assert [case.id for case in load_dataset(root, verify=True)[1]] == ["c7"]
    assert [path.name for path in (root / "images").iterdir()] == ["c7.png"]


@pytest.mark.parametrize("overwrite", [False, True])
def test_pictures_of_something_else_are_never_touched(tmp_path: Path, overwrite: bool) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "holiday.png").write_bytes(b"beach")
    with pytest.raises(OutputError, match="something else"):
        DatasetWriter(tmp_path, PARTIAL, overwrite=overwrite).__enter__()
    assert (tmp_path / "images" / "holiday.png").read_bytes() == b"beach"
    assert not (tmp_path / "cases.jsonl.part").exists()


def test_a_changed_file_is_found_by_its_checksum(dataset: Path, tmp_path: Path) -> None:
    root = shutil.copytree(dataset, tmp_path / "copy")
    shutil.copy(root / "masks" / "case_0.png", root / "masks" / "case_1.png")
    load_dataset(root)
    with pytest.raises(SourceError, match=r"masks/case_1\.png: changed"):
        load_dataset(root, verify=True)


def test_a_patient_in_two_splits_is_refused(tmp_path: Path) -> None:
    writer = DatasetWriter(tmp_path, PARTIAL).__enter__()
    add(writer, 0, patient="same", split="train")
    add(writer, 1, patient="same", split="test")
    with pytest.raises(SourceError, match="patient 'same' lies in"):
        writer.__exit__(None, None, None)
    with pytest.raises(SourceError, match="never finished"):
        load_dataset(tmp_path)


def edited(line: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return line | fields


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda line: edited(line, split="trian"), r"line 1: field 'split' is 'trian'.*did you mean 'train'"),
        (lambda line: edited(line, annotated=["femoral_hed"]), r"'annotated'.*'femoral_hed'.*'femoral_head'"),
        (lambda line: edited(line, merged={"femoral_vein": ["artery"]}), r"merged\.femoral_vein.*'artery'"),
        (lambda line: edited(line, spacing_mm=[0.1, 0]), r"'spacing_mm' is \[0\.1, 0\]"),
        (lambda line: edited(line, spacing_mm=[0.1, float("nan")]), "'spacing_mm'"),
        (lambda line: edited(line, image="../secret.png"), "'image'.*stays inside"),
        (lambda line: edited(line, mask="/etc/passwd"), "'mask'"),
        (lambda line: edited(line, landmarks={"tip": [1, 2]}), "'landmarks'"),
        (lambda line: edited(line, landmarks={"needle_tip": [1]}), "'needle_tip' as"),
        (lambda line: edited(line, hip_view="yes"), "'hip_view' is 'yes'"),
        (lambda line: edited(line, pacient="x"), "unknown field 'pacient'.*did you mean 'patient'"),
        (lambda line: {key: value for key, value in line.items() if key != "patient"}, "'patient' is missing"),
        (lambda line: [line], "expected a JSON object"),
    ],
)
def test_a_wrong_field_is_named_with_its_line(
    dataset: Path, tmp_path: Path, change: Callable[[dict[str, Any]], Any], message: str
) -> None:
    shutil.copy(dataset / "manifest.json", tmp_path)
    first = json.loads((dataset / "cases.jsonl").read_text().splitlines()[0])
    (tmp_path / "cases.jsonl").write_text(json.dumps(change(first)) + "\n")
    with pytest.raises(SourceError, match=message) as refused:
        load_dataset(tmp_path)
    assert "cases.jsonl line 1" in str(refused.value)


def test_an_id_that_stands_twice_is_refused(dataset: Path, tmp_path: Path) -> None:
    shutil.copy(dataset / "manifest.json", tmp_path)
    line = (dataset / "cases.jsonl").read_text().splitlines()[0]
    (tmp_path / "cases.jsonl").write_text(f"{line}\n{line}\n")
    with pytest.raises(SourceError, match="stands twice"):
        load_dataset(tmp_path)


def test_another_version_and_a_missing_folder_are_refused(dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="cannot be read"):
        load_dataset(tmp_path / "nowhere")
    manifest = json.loads((dataset / "manifest.json").read_text()) | {"version": 99}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    (tmp_path / "cases.jsonl").write_text("")
    with pytest.raises(SourceError, match="'version' is 99"):
        load_dataset(tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels_HW": np.full((60, 90), 77, np.uint8)}, r"mask ids \[77\]"),
        ({"labels_HW": np.zeros((5, 5), np.uint8)}, "a mask of"),
        ({"image_HW": np.zeros((60, 90), np.float32)}, "an image of float32"),
        ({"id": "../evil"}, "'id'"),
    ],
)
def test_the_writer_refuses_what_the_reader_would(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    image_HW, labels_HW = scene(0)
    fields = {"id": "c", "image_HW": image_HW, "labels_HW": labels_HW, "patient": "p", "split": "train"}
    with pytest.raises(SourceError, match=message), DatasetWriter(tmp_path, PARTIAL) as writer:
        writer.add(**(fields | changes))


def test_a_manifest_with_an_unknown_class_is_refused() -> None:
    with pytest.raises(SourceError, match="did you mean 'labrum'"):
        DatasetManifest.from_dict({"version": 1, "name": "x", "classes": ["labrun"]}, where="manifest.json")
