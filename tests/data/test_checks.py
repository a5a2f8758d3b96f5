"""`hipseg data check` names each fault with its file, and mends only what is safe."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hip_scenes import hip_scene, read_records, write_hips, write_records

from hipseg.cli.main import execute
from hipseg.data.checks import RULES, across, check_dataset, fix_dataset
from hipseg.data.likeness import MOST_TRIES, NEARLY_IDENTICAL, Looks, close_pairs, icon_of, likeness
from hipseg.data.reading import load_dataset, read_labels
from hipseg.io.masks import encode_mask

Record = dict[str, Any]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_hips(tmp_path_factory.mktemp("sound"))


@pytest.fixture
def hips(sound: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sound, tmp_path / "hips"))


def repaint(root: Path, record: Record, change: Callable[[np.ndarray], np.ndarray]) -> None:
    """Replaces a mask by a changed one, checksum and all."""
    _, labels_HW = hip_scene(int(record["id"][-1]))
    png = cv2.imencode(".png", change(labels_HW))[1].tobytes()
    (root / record["mask"]).write_bytes(png)
    record["mask_sha256"] = hashlib.sha256(png).hexdigest()


def replace_image(root: Path, record: Record, image_HW: np.ndarray) -> None:
    png = cv2.imencode(".png", image_HW)[1].tobytes()
    (root / record["image"]).write_bytes(png)
    record["sha256"] = hashlib.sha256(png).hexdigest()


def test_a_sound_data_set_has_no_findings(sound: Path) -> None:
    assert check_dataset(sound).findings == []
    assert execute(["data", "check", str(sound)]) == 0


def lost_image(root: Path, record: Record) -> None:
    (root / record["image"]).unlink()


def cut_image(root: Path, record: Record) -> None:
    path = root / record["image"]
    path.write_bytes(path.read_bytes()[:40])
    record["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()


def changed_mask(root: Path, record: Record) -> None:
    (root / record["mask"]).write_bytes(encode_mask(hip_scene(1)[1]))


def smaller_mask(root: Path, record: Record) -> None:
    repaint(root, record, lambda labels_HW: labels_HW[:200])


def strange_ids(root: Path, record: Record) -> None:
    repaint(root, record, lambda labels_HW: np.where(labels_HW == 5, 77, labels_HW).astype(np.uint8))


def undeclared_class(root: Path, record: Record) -> None:
    repaint(root, record, lambda labels_HW: np.where(labels_HW == 5, 6, labels_HW).astype(np.uint8))


def erased_mask(root: Path, record: Record) -> None:
    repaint(root, record, np.zeros_like)
    record["landmarks"]["needle_tip"] = None


def ignored_mask(root: Path, record: Record) -> None:
    repaint(root, record, lambda labels_HW: np.full_like(labels_HW, 255))


def grey_image(root: Path, record: Record) -> None:
    replace_image(root, record, np.full((240, 320), 90, np.uint8))


def no_scale(_root: Path, record: Record) -> None:
    record["spacing_mm"] = None


def metres_for_millimetres(_root: Path, record: Record) -> None:
    record["spacing_mm"] = [0.0002, 0.0002]


def doubtful_scale(_root: Path, record: Record) -> None:
    record["spacing_mm"] = [0.9, 0.9]


def artery_of_60_mm(root: Path, record: Record) -> None:
    columns, rows = np.meshgrid(np.arange(320), np.arange(240))
    disc_HW = np.hypot(columns - 150, rows - 120) < 75  # 30 mm across
    repaint(root, record, lambda labels_HW: np.where(disc_HW, 5, labels_HW * (labels_HW == 4)).astype(np.uint8))
    record["spacing_mm"] = [0.4, 0.4]


def head_at_the_skin(root: Path, record: Record) -> None:
    def change(labels_HW: np.ndarray) -> np.ndarray:
        moved = np.where(labels_HW == 1, 0, labels_HW).astype(np.uint8)
        moved[2:16, 100:200] = 1
        return moved

    repaint(root, record, change)


def artery_behind_the_head(root: Path, record: Record) -> None:
    def change(labels_HW: np.ndarray) -> np.ndarray:
        moved = np.where(labels_HW == 5, 0, labels_HW).astype(np.uint8)
        moved[200:230, 215:245] = 5
        return moved

    repaint(root, record, change)


def head_in_its_shadow(root: Path, record: Record) -> None:
    def change(labels_HW: np.ndarray) -> np.ndarray:
        moved = np.where(labels_HW == 1, 0, labels_HW).astype(np.uint8)
        moved[205:230, 200:260] = 1
        return moved

    repaint(root, record, change)


def no_tip(_root: Path, record: Record) -> None:
    record["landmarks"]["needle_tip"] = None


def tip_elsewhere(_root: Path, record: Record) -> None:
    record["landmarks"]["needle_tip"] = [250.0, 20.0]


def tip_outside(_root: Path, record: Record) -> None:
    record["landmarks"]["head_neck_junction"] = [500.0, 20.0]


def stray_file(root: Path, _record: Record) -> None:
    (root / "images" / "other.png").write_bytes(b"")


def half_written(root: Path, _record: Record) -> None:
    (root / "images" / ".case_9.png.812.part").write_bytes(b"half")


def copy_image(root: Path, record: Record, number: int) -> None:
    png = (root / "images" / f"case_{number}.png").read_bytes()
    (root / record["image"]).write_bytes(png)
    record["sha256"] = hashlib.sha256(png).hexdigest()


def same_image_again(root: Path, record: Record) -> None:
    copy_image(root, record, 1)


def same_image_in_the_test_split(root: Path, record: Record) -> None:
    copy_image(root, record, 6)


def cropped_test_image(root: Path, record: Record) -> None:
    brighter = np.clip(hip_scene(6)[0][6:, 8:] * 1.3 + 5, 0, 255).astype(np.uint8)
    replace_image(root, record, cv2.resize(np.ascontiguousarray(brighter[:, ::-1]), (320, 240)))


def similar_patient(root: Path, record: Record) -> None:
    replace_image(root, record, np.clip(hip_scene(1)[0] * 0.8, 0, 255).astype(np.uint8))


def patient_of_the_test_split(_root: Path, record: Record) -> None:
    record["patient"] = "person G"


def other_spelling(_root: Path, record: Record) -> None:
    record["patient"] = "Person_b"


def other_spelling_elsewhere(_root: Path, record: Record) -> None:
    record["patient"] = "PERSON-G"


def unknown_field(_root: Path, record: Record) -> None:
    record["splitt"] = "train"


def id_again(_root: Path, record: Record) -> None:
    record["id"] = "case_1"


@pytest.mark.parametrize(
    ("break_it", "rule", "words"),
    [
        (lost_image, "unreadable", "cannot be read"),
        (cut_image, "unreadable", "not an image"),
        (changed_mask, "checksum", "recorded"),
        (smaller_mask, "size_differs", "320 x 200 for an image of 320 x 240"),
        (strange_ids, "unknown_id", "ids 77"),
        (undeclared_class, "unannotated_class", "femoral_vein drawn"),
        (erased_mask, "empty_mask", "no structure"),
        (ignored_mask, "ignored_mask", "every pixel"),
        (grey_image, "flat_image", "vary by 0.0"),
        (no_scale, "scale_missing", "null"),
        (metres_for_millimetres, "scale_impossible", "0.0002"),
        (doubtful_scale, "size_impossible", "femoral artery 31 mm thick"),
        (artery_of_60_mm, "size_impossible", "femoral artery 59 mm thick"),
        (head_at_the_skin, "out_of_place", "femoral head lies 1.7 mm below the skin"),
        (artery_behind_the_head, "behind_bone", "100% of the femoral artery"),
        (head_in_its_shadow, "below_shadow", "dark"),
        (no_tip, "needle_without_tip", "null"),
        (tip_elsewhere, "tip_without_needle", "mm from the drawn needle"),
        (tip_outside, "landmark_outside", "head_neck_junction at x 500"),
        (stray_file, "unlisted", "bytes"),
        (half_written, "leftover", "bytes"),
        (same_image_again, "duplicate", "images/case_0.png"),
        (same_image_in_the_test_split, "leak_equal", "case_6.png equal to images/case_0.png"),
        (cropped_test_image, "leak_similar", "correlation"),
        (similar_patient, "similar_patients", "patient 'person B'"),
        (patient_of_the_test_split, "leak_patient", "'train' and in 'test'"),
        (other_spelling, "patient_names", "'person B' (train)"),
        (other_spelling_elsewhere, "leak_names", "'person G' (test)"),
        (unknown_field, "record", "did you mean 'split'?"),
        (id_again, "repeated_id", "more than once"),
    ],
)
def test_each_fault_is_found_with_its_file_and_a_mend(
    hips: Path, break_it: Callable[[Path, Record], None], rule: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    records = read_records(hips)
    break_it(hips, records[0])
    write_records(hips, records)
    code = execute(["data", "check", str(hips), "--json", "--workers", "1"])
    printed = json.loads(capsys.readouterr().out)
    found = [finding for finding in printed["findings"] if finding["rule"] == rule]
    assert found, [finding["rule"] for finding in printed["findings"]]
    assert any(words in f"{finding['where']} {finding['why']}" for finding in found), found
    assert all(finding["mend"] for finding in found)
    assert code == (3 if printed["errors"] else 0)
    assert printed["errors"] or RULES[rule].level.value != "error"


def test_broken_records_and_manifests_do_not_end_the_check(hips: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (hips / "cases.jsonl").open("a") as file:
        file.write("not json\n[]\n\n")
    (hips / "manifest.json").write_text('{"version": 9}')
    assert execute(["data", "check", str(hips)]) == 3
    shown = capsys.readouterr().out
    assert "cases.jsonl line 9: not JSON" in shown
    assert "a JSON list" in shown
    assert "manifest not valid" in shown
    assert "10 cases: 3 errors" in shown


def test_processes_change_nothing(hips: Path) -> None:
    records = read_records(hips)
    strange_ids(hips, records[2])
    write_records(hips, records * 9)
    alone, shared = check_dataset(hips), check_dataset(hips, num_workers=2)
    assert alone.findings == shared.findings
    assert len(alone.facts) == len(records) * 9


def test_what_is_safe_is_mended_and_the_old_kept(hips: Path, capsys: pytest.CaptureFixture[str]) -> None:
    records = read_records(hips)
    strange_ids(hips, records[0])
    metres_for_millimetres(hips, records[1])
    tip_elsewhere(hips, records[2])
    records[3]["patient"] = records[6]["patient"]
    half_written(hips, records[0])
    write_records(hips, records)
    before = (hips / "cases.jsonl").read_bytes()
    assert execute(["data", "check", str(hips), "--fix"]) == 0
    assert "mended" in capsys.readouterr().out
    _, cases = load_dataset(hips, verify=True)
    assert (read_labels(hips, cases[0]) == 255).any()
    assert cases[1].spacing_mm is None
    assert "needle_tip" not in (cases[2].landmarks or {})
    assert cases[3].split == cases[6].split == "train"
    assert not list((hips / "images").glob(".*.part"))
    assert (hips / "cases.jsonl.before-fix").read_bytes() == before
    assert (hips / "masks" / "case_0.png.before-fix").is_file()
    assert {finding.rule for finding in check_dataset(hips).findings} <= {
        "scale_missing",
        "needle_without_tip",
        "unlisted",
    }


def test_a_tip_that_the_truth_calls_hidden_is_not_missed(hips: Path) -> None:
    records = read_records(hips)
    record = next(record for record in records if record["landmarks"].get("needle_tip"))
    record["landmarks"]["needle_tip"] = None
    for truth, is_found in ({}, True), ({"needle": {"tip_visible": False}}, False):
        record["truth"] = truth
        write_records(hips, records)
        found = {finding.rule for finding in check_dataset(hips).findings if finding.case == record["id"]}
        assert ("needle_without_tip" in found) is is_found


def test_a_duplicate_is_dropped_only_where_the_masks_agree(hips: Path) -> None:
    records = read_records(hips)
    copy = records[0] | {"id": "copy"}
    other = records[1] | {"id": "other", "mask": records[0]["mask"], "mask_sha256": records[0]["mask_sha256"]}
    write_records(hips, [*records, copy, other])
    mended = fix_dataset(check_dataset(hips))
    assert [finding.case for finding in mended] == ["copy"]
    assert [record["id"] for record in read_records(hips)][-2:] == ["case_7", "other"]


def test_nothing_is_mended_where_records_are_broken(hips: Path) -> None:
    records = read_records(hips)
    metres_for_millimetres(hips, records[1])
    unknown_field(hips, records[0])
    write_records(hips, records)
    assert fix_dataset(check_dataset(hips)) == []


@pytest.mark.parametrize("name", ["nowhere", "empty"])
def test_no_data_set_is_one_line(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    assert execute(["data", "check", str(tmp_path / name)]) == 3
    assert "cases.jsonl: cannot be read" in capsys.readouterr().err.strip().splitlines()[-1]


def test_likeness_knows_the_same_frame_again_and_no_other() -> None:
    image_HW = hip_scene(3)[0]
    darker = (image_HW * 0.6).astype(np.uint8)
    jpeg = cv2.imdecode(cv2.imencode(".jpg", image_HW, [cv2.IMWRITE_JPEG_QUALITY, 40])[1], cv2.IMREAD_GRAYSCALE)
    for again in (darker, jpeg, image_HW[:, ::-1], image_HW[5:, 6:], cv2.resize(image_HW, (160, 120))):
        assert likeness(image_HW, np.ascontiguousarray(again)) > NEARLY_IDENTICAL
    assert likeness(image_HW, hip_scene(4)[0]) < NEARLY_IDENTICAL


def test_a_still_probe_is_compared_in_bounded_work() -> None:
    """Noise apart all frames are one: every image finds a partner, none more than the limit."""
    images = np.stack([icon_of(frame_HW) for frame_HW in noisy_frames(40)])
    pairs = list(close_pairs(Looks.of(images), lambda _position: np.ones(len(images), bool)))
    assert set(range(len(images))) == {position for pair in pairs for position in pair}
    assert max(Counter(first for first, _ in pairs).values()) <= MOST_TRIES


def test_a_check_that_stops_comparing_says_so(hips: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    records = read_records(hips)
    cropped_test_image(hips, records[0])
    monkeypatch.setattr(across, "MOST_COMPARED", 0)
    assert "too_alike" in {finding.rule for finding in check_dataset(hips).findings}


def noisy_frames(count: int) -> Iterator[npt.NDArray[np.uint8]]:
    rng, still_HW = np.random.default_rng(0), hip_scene(3)[0].astype(np.float32)
    for _ in range(count):
        yield np.clip(still_HW + rng.normal(0, 4, still_HW.shape), 0, 255).astype(np.uint8)
