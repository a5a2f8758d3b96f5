"""Importers and splits: shapes become the masks they describe, persons stay whole, wrong sources are refused."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hipseg import anatomy
from hipseg.cli.main import execute
from hipseg.configuration import config_folder
from hipseg.data.importers import rasterise
from hipseg.data.importers.margins import without_margins
from hipseg.data.importers.recipe import count_dataset, import_dataset, load_recipe
from hipseg.data.importers.shapes import ShapeFolder, absent_landmarks, known_classes, paint
from hipseg.data.manifest import load_dataset, read_labels
from hipseg.data.splits import assign_groups, consecutive_runs, join_look_alikes, thumbnail
from hipseg.errors import SourceError, UsageError
from hipseg.io.masks import encode_mask

RECIPES = config_folder() / "data" / "recipes"
coordinate = st.floats(-20, 60, allow_nan=False)


@given(st.lists(st.tuples(coordinate, coordinate), min_size=3, max_size=7))
@settings(max_examples=60, deadline=None)
def test_a_polygon_holds_the_pixels_whose_centres_lie_inside(corners: list[tuple[float, float]]) -> None:
    mask_HW = rasterise.polygon(corners, 30, 40)
    for row, column in np.random.default_rng(0).integers(0, [30, 40], size=(60, 2)):
        crossings = 0
        for (x0, y0), (x1, y1) in zip(corners, corners[1:] + corners[:1], strict=True):
            if (y0 <= row) != (y1 <= row):
                crossings += x0 + (row - y0) * (x1 - x0) / (y1 - y0) <= column
        assert mask_HW[row, column] == (crossings % 2 == 1)


def test_an_ellipse_has_its_area_and_direction() -> None:
    mask_HW = rasterise.ellipse((50.0, 40.0), (30.0, 10.0), 90.0, 100, 100)
    assert mask_HW.sum() == pytest.approx(np.pi * 30 * 10, rel=0.02)
    assert mask_HW[12, 50]
    assert not mask_HW[40, 65]


def test_a_band_hangs_below_the_upper_side_of_its_line() -> None:
    mask_HW = rasterise.band_below([(10, 20), (30, 10), (20, 5)], 4, 40, 50)
    assert np.flatnonzero(mask_HW.any(axis=0)).tolist() == list(range(10, 31))
    assert np.flatnonzero(mask_HW[:, 10]).tolist() == [20, 21, 22, 23, 24]
    assert np.flatnonzero(mask_HW[:, 25])[0] == 8  # the line folds back: 12.5 below, 7.5 above


def test_a_thick_line_runs_from_end_to_end() -> None:
    mask_HW = rasterise.thick_line((10.2, 5.2), (10.2, 25.2), 4, 40, 40)
    rows, columns = np.nonzero(mask_HW)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (6, 25, 9, 12)


def test_our_masks_are_those_of_the_source_s_own_script(shared_data: Path) -> None:
    script = shared_data / "femoral" / "render.py"
    spec = importlib.util.spec_from_file_location("femoral_render", script)
    assert spec is not None
    assert spec.loader is not None
    reference = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(reference)
    for path in sorted((shared_data / "femoral" / "labels").glob("*.json")):
        annotation = json.loads(path.read_text())
        expected_HW = reference.render(annotation, ignore=True)
        assert np.count_nonzero(paint(annotation, where=path) != expected_HW) == 0, path.name


def annotation(**fields: Any) -> dict[str, Any]:
    return {
        "image": "images/a_1.png",
        "size": [40, 30],
        "spacing_mm": [0.5, 0.5],
        "shapes": {"femoral_head": [[5, 10], [35, 10]], "femoral_artery": {"cx": 20, "cy": 5, "rx": 3, "ry": 2}},
        "visible": {"needle": False, "femoral_head": True, "femoral_artery": True},
        "unsure": ["femoral_artery"],
    } | fields


def test_unsure_shapes_are_ignored_and_bones_are_five_millimetres_deep() -> None:
    labels_HW = paint(annotation(), where=Path("a.json"))
    assert set(np.unique(labels_HW)) == {0, anatomy.FEMORAL_HEAD, anatomy.IGNORED}
    assert np.flatnonzero(labels_HW[:, 10] == anatomy.FEMORAL_HEAD).tolist() == list(range(10, 21))
    assert labels_HW[5, 20] == anatomy.IGNORED


def test_only_what_was_looked_for_counts_as_annotated() -> None:
    with_head = set(known_classes(annotation()))
    without = {"needle": False, "femoral_artery": True, "femoral_head": False, "femoral_vein": False}
    assert with_head == {"needle", "femoral_artery", "femoral_head", "femoral_neck"}
    assert set(known_classes(annotation(visible=without))) == {
        "needle", "femoral_artery", "femoral_head", "femoral_neck", "femoral_vein", "acetabulum",
    }  # fmt: skip
    assert set(absent_landmarks(annotation())) == {"needle_tip", "needle_entry", "head_neck_junction"}
    assert "head_neck_junction" not in absent_landmarks(annotation(visible={"needle": False}))
    seen_but_not_drawn = {"anterior_capsule": True, "needle": False}
    assert "anterior_capsule" not in known_classes(annotation(visible=seen_but_not_drawn))


def shape_source(root: Path, **fields: Any) -> Path:
    for folder in ("images", "labels"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(root / "images" / "a_1.png"), np.full((30, 40), 90, np.uint8))
    (root / "labels" / "a_1.json").write_text(json.dumps(annotation(**fields)))
    return root


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"size": [41, 30]}, "'size' is"),
        ({"shapes": {"femoral_hed": [[1, 2]]}}, "unknown shape 'femoral_hed'.*'femoral_head'"),
        ({"shapes": {"femoral_artery": {"cx": 3}}}, "'femoral_artery' cannot be drawn"),
        ({"image": "images/none.png"}, r"none\.png: cannot be read"),
    ],
)
def test_a_broken_annotation_is_named(tmp_path: Path, fields: dict[str, Any], message: str) -> None:
    (case,) = ShapeFolder([{"first": 1, "last": 1, "split": "train"}]).cases(shape_source(tmp_path, **fields))
    with pytest.raises(SourceError, match=message):
        case.load()


def test_a_number_outside_every_run_and_an_empty_folder_are_refused(tmp_path: Path) -> None:
    importer = ShapeFolder([{"first": 5, "last": 9, "split": "train"}])
    with pytest.raises(SourceError, match="lies in no run"):
        importer.cases(shape_source(tmp_path))
    with pytest.raises(SourceError, match="holds no"):
        importer.cases(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="did you mean 'train'"):
        ShapeFolder([{"first": 1, "last": 1, "split": "trian"}])


def test_margins_are_cut_and_a_black_image_is_kept() -> None:
    image_HW = np.zeros((50, 60), np.uint8)
    image_HW[10:40, 5:50] = 80
    image_HW[2, 30] = 255  # a lone marker
    assert without_margins(image_HW) == (slice(10, 40), slice(5, 50))
    assert without_margins(np.zeros((5, 6), np.uint8)) == (slice(0, 5), slice(0, 6))


def test_runs_end_at_gaps_and_look_alikes_join_them() -> None:
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 255, size=(40, 50)).astype(np.uint8) for _ in range(5)]
    images[4] = np.clip(cv2.resize(images[0], (80, 70)) * 0.8 + 10, 0, 255).astype(np.uint8)  # other size, other gain
    runs = consecutive_runs([1, 2, 5, 6, 9])
    assert runs == [0, 0, 1, 1, 2]
    assert join_look_alikes(runs, [thumbnail(image) for image in images]) == [0, 0, 1, 1, 0]


@given(st.lists(st.integers(0, 12), min_size=20, max_size=120), st.integers(0, 9))
@settings(max_examples=40, deadline=None)
def test_groups_stay_whole_and_shares_are_about_kept(groups: list[int], seed: int) -> None:
    shares = {"train": 0.7, "val": 0.1, "test": 0.2}
    splits = assign_groups(groups, shares, seed=seed)
    assert splits == assign_groups(groups, shares, seed=seed)
    assert len(set(zip(groups, splits, strict=True))) == len(set(groups))
    largest = max(groups.count(group) for group in groups)
    for split, share in shares.items():
        assert splits.count(split) <= share * len(groups) + largest


def picture_source(root: Path, masks: int = 6) -> Path:
    rng = np.random.default_rng(0)
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True)
    for number in range(6):
        image_HW = np.zeros((60, 80), np.uint8)
        image_HW[5:50, 10:70] = rng.integers(40, 200, size=(45, 60))
        cv2.imwrite(str(root / "images" / f"{10 * number:04d}.png"), image_HW)
        mask_HW = np.zeros((60, 80), np.uint8)
        mask_HW[20:30, 20:30], mask_HW[20:30, 40:50] = 1, 2
        if number < masks:
            (root / "masks" / f"{10 * number:04d}.png").write_bytes(encode_mask(mask_HW))
    return root


def test_the_vessel_recipe_relabels_crops_and_says_what_is_merged(tmp_path: Path) -> None:
    import_dataset(load_recipe("vessels", RECIPES), picture_source(tmp_path / "in"), tmp_path / "out")
    counts = count_dataset(tmp_path / "out")
    manifest, cases = load_dataset(tmp_path / "out", verify=True)
    labels_HW = read_labels(tmp_path / "out", cases[0])
    assert labels_HW is not None
    assert labels_HW.shape == (45, 60)
    assert set(np.unique(labels_HW)) == {0, anatomy.FEMORAL_NERVE, anatomy.FEMORAL_ARTERY}
    assert manifest.merged == {"femoral_artery": ("femoral_artery", "femoral_vein")}
    assert sum(count.num_cases for count in counts.values()) == 6
    assert counts["train"].num_with_class["femoral_nerve"] == counts["train"].num_cases
    assert all(case.hip_view is False for case in cases)


def test_an_interrupted_import_goes_on(tmp_path: Path) -> None:
    source, recipe = picture_source(tmp_path / "in"), load_recipe("vessels", RECIPES)

    def interrupt(done: int, _total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_dataset(recipe, source, tmp_path / "out", progress=interrupt)
    with pytest.raises(SourceError, match="never finished"):
        load_dataset(tmp_path / "out")
    import_dataset(recipe, source, tmp_path / "out")
    import_dataset(recipe, source, tmp_path / "whole")
    for name in ("manifest.json", "cases.jsonl", "import.json"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_broken_cases_are_refused_by_name_and_the_others_come_in(tmp_path: Path) -> None:
    source, recipe = picture_source(tmp_path / "in", masks=4), load_recipe("vessels", RECIPES)
    intake = import_dataset(recipe, source, tmp_path / "out")
    assert intake.num_cases == len(load_dataset(tmp_path / "out", verify=True)[1]) == 4
    assert [refusal.case for refusal in intake.refused] == ["0040", "0050"]
    assert intake.refused[0].reason.startswith("masks/0040.png: cannot be read")
    noted = json.loads((tmp_path / "out" / "import.json").read_text())
    assert noted["refused"] == [{"case": refusal.case, "reason": refusal.reason} for refusal in intake.refused]


def test_where_nothing_can_come_in_nothing_is_left_behind(tmp_path: Path) -> None:
    source, recipe = picture_source(tmp_path / "in", masks=0), load_recipe("vessels", RECIPES)
    with pytest.raises(SourceError, match=r"none of 6 cases can come in: masks/0000\.png"):
        import_dataset(recipe, source, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_unknown_recipe_or_a_mistyped_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="did you mean 'femoral'"):
        load_recipe("femorl", RECIPES)
    (tmp_path / "mine.yaml").write_text("name: mine\nclases: []\n")
    with pytest.raises(UsageError, match=r"mine\.yaml: not a recipe"):
        load_recipe(str(tmp_path / "mine.yaml"), RECIPES)


@pytest.mark.parametrize(
    ("recipe", "folder", "num_cases", "shown"),
    [
        # With the unsure ones as many as the source's own description says: 25 heads, 52 arteries, 26 veins.
        ("femoral", "femoral", (30, 9, 13),
         {"femoral_head": (22, 3), "femoral_artery": (42, 10), "femoral_vein": (14, 12)}),
        ("femoral_unlabelled", "femoral/unlabelled", (216, 78, 163), {}),
        ("vessels", "vessels", (141, 23, 40), {"femoral_nerve": (204, 0), "femoral_artery": (183, 0)}),
        ("muscle", "muscle", (18, 3, 12), {}),
        ("dicom", "dicom", (0, 0, 2), {}),
    ],
)  # fmt: skip
def test_the_real_sets_come_in_with_the_counts_of_their_description(
    shared_data: Path,
    tmp_path: Path,
    recipe: str,
    folder: str,
    num_cases: tuple[int, int, int],
    shown: dict[str, tuple[int, int]],
) -> None:
    assert not import_dataset(load_recipe(recipe, RECIPES), shared_data / folder, tmp_path).refused
    counts = count_dataset(tmp_path)
    manifest, cases = load_dataset(tmp_path, verify=True)
    assert manifest.licence
    assert manifest.attribution
    assert tuple(count.num_cases for count in counts.values()) == num_cases
    for name, (sure, unsure) in shown.items():
        assert sum(count.num_with_class.get(name, 0) for count in counts.values()) == sure
        assert sum(count.num_unsure.get(name, 0) for count in counts.values()) == unsure
    assert all(case.landmarks is None or case.landmarks["needle_tip"] is None for case in cases)


def test_unlabelled_images_of_a_tested_person_are_not_learnt_from() -> None:
    labelled, unlabelled = (load_recipe(name, RECIPES).importer["runs"] for name in ("femoral", "femoral_unlabelled"))
    assert labelled == unlabelled


def test_the_needle_clip_stays_a_clip_and_is_for_tests_only(shared_data: Path, tmp_path: Path) -> None:
    import_dataset(load_recipe("needle", RECIPES), shared_data / "needle", tmp_path)
    _, cases = load_dataset(tmp_path, verify=True)
    assert len(cases) == 448
    assert {(case.split, case.image, case.patient) for case in cases} == {("test", "clips/ph_1_3_1.mp4", "ph_1_3_1")}
    source = shared_data / "needle" / "ph_1_3_1.mp4"
    assert (tmp_path / "clips" / "ph_1_3_1.mp4").read_bytes() == source.read_bytes()
    seen, unseen = cases[0], cases[100]
    assert seen.landmarks == {"needle_entry": (944.2, 62.0), "needle_tip": (420.4, 224.1)}
    assert "needle_tip" not in (unseen.landmarks or {})
    for case, ids in ((seen, {0, anatomy.NEEDLE}), (unseen, {0, anatomy.NEEDLE, anatomy.IGNORED})):
        labels_HW = read_labels(tmp_path, case)
        assert labels_HW is not None
        assert set(np.unique(labels_HW)) == ids


def test_test_persons_of_the_femoral_set_have_heads_on_both_sides(shared_data: Path, tmp_path: Path) -> None:
    import_dataset(load_recipe("femoral", RECIPES), shared_data / "femoral", tmp_path)
    _, cases = load_dataset(tmp_path)
    sides = set()
    for case in cases:
        labels_HW = read_labels(tmp_path, case)
        if case.split == "test" and labels_HW is not None and (labels_HW == anatomy.FEMORAL_HEAD).any():
            _, columns = np.nonzero(np.isin(labels_HW, (anatomy.FEMORAL_ARTERY, anatomy.IGNORED)))
            sides.add("left" if columns.mean() < labels_HW.shape[1] / 2 else "right")
    assert sides == {"left", "right"}
    maybe_one_person = {case.split for case in cases if 367 <= int(case.id.rsplit("_", 1)[1]) <= 387}
    assert maybe_one_person == {"train"}


def test_a_recipe_given_the_folder_above_names_the_one_it_needs(
    shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--source", str(shared_data / "femoral"), "--out", str(tmp_path / "out")]
    assert execute(["data", "import", "femoral_unlabelled", *arguments]) == 3
    message = "".join(capsys.readouterr().err.split())
    assert "therearesomein" in message
    assert str(shared_data / "femoral" / "unlabelled") in message
