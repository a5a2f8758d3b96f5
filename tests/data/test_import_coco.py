"""COCO files made with pycocotools: the masks that come in are the ones its own code decodes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from tool_exports import (
    HEIGHT,
    WIDTH,
    assert_masks,
    bring_in,
    cases_by_id,
    images_by_id,
    labels_by_id,
    only,
    present,
    reasons,
    write_json,
    write_picture,
)  # fmt: skip

from hipseg import anatomy

CATEGORIES = [{"id": 7, "name": "Femoral Head"}, {"id": 3, "name": "needle"}, {"id": 9, "name": "vessel"}]


def packed(mask_HW: np.ndarray) -> dict[str, Any]:
    """pycocotools' compressed run lengths, as JSON takes them."""
    encoded = coco_mask.encode(np.asfortranarray(mask_HW.astype(np.uint8)))
    return {"size": list(encoded["size"]), "counts": encoded["counts"].decode()}


def counted(mask_HW: np.ndarray) -> dict[str, Any]:
    """Uncompressed run lengths."""
    flat = mask_HW.ravel(order="F").astype(np.int8)
    edges = np.flatnonzero(np.diff(flat, prepend=0)).tolist()
    counts = np.diff([0, *edges, flat.size]).tolist()
    return {"size": list(mask_HW.shape), "counts": counts}


def ring() -> np.ndarray:
    """A region with a hole."""
    mask_HW = np.zeros((HEIGHT, WIDTH), bool)
    mask_HW[10:40, 20:60] = True
    mask_HW[20:30, 30:45] = False
    return mask_HW


def export(root: Path, annotations: list[dict[str, Any]], num_images: int = 2, **changes: Any) -> Path:
    images = [
        {"id": number, "file_name": f"us_{number}.png", "height": HEIGHT, "width": WIDTH}
        for number in range(num_images)
    ]
    for number in range(num_images):
        write_picture(root / "images" / f"us_{number}.png", number)
    numbered = [{"id": number, "iscrowd": 0} | values for number, values in enumerate(annotations)]
    content = {"images": images, "annotations": numbered, "categories": CATEGORIES} | changes
    write_json(root / "annotations" / "instances.json", content)
    return root


def annotation(image: int, category: int, segmentation: Any) -> dict[str, Any]:
    return {"image_id": image, "category_id": category, "segmentation": segmentation}


def test_run_lengths_with_holes_come_back_pixel_by_pixel(tmp_path: Path) -> None:
    rings = [annotation(0, 7, packed(ring())), annotation(1, 7, counted(ring()))]
    bring_in(export(tmp_path / "in", rings), tmp_path / "out")
    expected = np.where(ring(), anatomy.FEMORAL_HEAD, 0).astype(np.uint8)
    assert_masks(tmp_path / "out", {"us_0": expected, "us_1": expected})


def test_random_run_lengths_are_those_of_pycocotools(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    masks = [rng.random((HEIGHT, WIDTH)) < share for share in (0.0005, 0.02, 0.5, 0.98, 1.1)]
    masks += [np.zeros((HEIGHT, WIDTH), bool)]
    source = export(tmp_path / "in", [annotation(n, 7, packed(mask_HW)) for n, mask_HW in enumerate(masks)], len(masks))
    bring_in(source, tmp_path / "out")
    assert_masks(tmp_path / "out", {f"us_{n}": mask_HW.astype(np.uint8) for n, mask_HW in enumerate(masks)})


def test_polygons_are_drawn_as_pycocotools_draws_them(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    polygons = [(rng.random(2 * corners) * np.tile([WIDTH, HEIGHT], corners)).tolist() for corners in (3, 4, 9, 20)]
    source = export(
        tmp_path / "in",
        [annotation(n, 7, [polygon]) for n, polygon in enumerate(polygons)] + [annotation(4, 7, polygons[:2])],
        5,
    )
    bring_in(source, tmp_path / "out")
    coco = COCO(source / "annotations" / "instances.json")
    assert_masks(tmp_path / "out", {f"us_{n}": coco.annToMask(coco.anns[n]) * anatomy.FEMORAL_HEAD for n in range(5)})


def test_pictures_are_kept_byte_for_byte_and_their_pixels_are_the_same(tmp_path: Path) -> None:
    source = export(tmp_path / "in", [annotation(0, 7, packed(ring()))])
    bring_in(source, tmp_path / "out")
    for id, case in cases_by_id(tmp_path / "out").items():
        assert (tmp_path / "out" / case.image).read_bytes() == (source / "images" / f"{id}.png").read_bytes()
    np.testing.assert_array_equal(images_by_id(tmp_path / "out")["us_1"], write_picture(tmp_path / "again.png", 1))


def test_overlaps_the_needle_lies_on_top_and_the_later_of_the_others(tmp_path: Path) -> None:
    head_HW, needle_HW, vessel_HW = (np.zeros((HEIGHT, WIDTH), bool) for _ in range(3))
    head_HW[10:40, 10:50], needle_HW[20:24, 0:40], vessel_HW[30:50, 40:60] = True, True, True
    source = export(
        tmp_path / "in",
        [annotation(0, 3, packed(needle_HW)), annotation(0, 7, packed(head_HW)), annotation(0, 9, packed(vessel_HW))],
        1,
    )
    intake = bring_in(source, tmp_path / "out")
    labels_HW = only(labels_by_id(tmp_path / "out").values())
    assert (labels_HW[needle_HW] == anatomy.NEEDLE).all()
    assert (labels_HW[vessel_HW] == anatomy.FEMORAL_ARTERY).all()
    assert intake.overlapping == ("us_0",)


def test_an_image_without_shapes_is_unlabelled_until_someone_says_it_was_looked_at(tmp_path: Path) -> None:
    source = export(tmp_path / "in", [annotation(0, 7, packed(ring()))])
    bring_in(source, tmp_path / "plain")
    assert cases_by_id(tmp_path / "plain")["us_1"].mask is None
    labels = {"Femoral Head": "femoral_head", "needle": "needle", "vessel": "ignore"}
    bring_in(source, tmp_path / "negative", labels, empty="negative")
    assert present(labels_by_id(tmp_path / "negative")["us_1"]) == {0}
    assert bring_in(source, tmp_path / "skipped", labels, empty="skip").num_left_out == 1
    assert list(cases_by_id(tmp_path / "skipped")) == ["us_0"]


def test_the_same_patient_of_two_pictures_is_one_pseudonym(tmp_path: Path) -> None:
    source = export(tmp_path / "in", [annotation(0, 7, packed(ring()))])
    images = [
        {"id": number, "file_name": f"us_{number}.png", "height": HEIGHT, "width": WIDTH, "patient_id": "Doe, Jane"}
        for number in range(2)
    ]
    export(tmp_path / "in", [annotation(0, 7, packed(ring()))], images=images)
    bring_in(source, tmp_path / "out")
    patient = only({case.patient for case in cases_by_id(tmp_path / "out").values()})
    assert patient.startswith("p_")
    assert "Doe" not in (tmp_path / "out" / "cases.jsonl").read_text()


RING = packed(ring())


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (annotation(1, 7, [[3, 4, 30, 40]]), r"segmentation\[0\]' has 2 points; expected at least 3"),
        (annotation(1, 7, [[3, 4, float("nan"), 40, 5, 5]]), r"segmentation\[0\]' has no number at point 1"),
        (annotation(1, 7, [[3, 4, 1e300, 40, 5, 5]]), "far outside"),
        (annotation(1, 7, [["a", 4, 1, 40, 5, 5]]), "not a list of points"),
        (annotation(1, 7, [[3, 4, 1, 40, 5, 5, 6]]), "not a list of points"),
        (annotation(1, 7, []), "is empty"),
        (annotation(1, 7, None), "'segmentation' is None"),
        (annotation(1, 77, RING), r"'category_id' is 77; expected one of \['3', '7', '9'\]"),
        ({"image_id": 1, "segmentation": RING}, "'category_id' is missing"),
        (annotation(1, 7, RING | {"size": [WIDTH, HEIGHT]}), r"segmentation.size' is \[96, 72\]"),
        (annotation(1, 7, RING | {"counts": RING["counts"][:-4]}), "covers"),
        (annotation(1, 7, RING | {"counts": "~~~~"}), "no list of run lengths"),
        (annotation(1, 7, RING | {"counts": [10, -3]}), "no list of run lengths"),
        (annotation(1, 7, RING | {"counts": [10**12]}), "covers 1000000000000 pixels"),
    ],
)
def test_a_broken_annotation_is_refused_with_its_field_and_the_other_image_comes_in(
    tmp_path: Path, broken: dict[str, Any], message: str
) -> None:
    intake = bring_in(export(tmp_path / "in", [annotation(0, 7, RING), broken]), tmp_path / "out")
    assert list(labels_by_id(tmp_path / "out")) == ["us_0"]
    refusal = only(intake.refused)
    assert refusal.case == "us_1"
    assert refusal.reason.startswith("annotations/instances.json, annotation 1: ")
    assert re.search(message, refusal.reason)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        ({"id": 1, "file_name": "../../outside.png"}, "leads out of the folder"),
        ({"id": 1, "file_name": "/etc/passwd"}, "leads out of the folder"),
        ({"id": 1, "file_name": "gone.png"}, "not there"),
        ({"id": 1, "file_name": None}, "'file_name' is None"),
        ({"file_name": "us_1.png"}, "'id' is missing"),
        ({"id": 1, "file_name": "us_1.png", "height": 5}, "'height' is 5; expected 72"),
        ("us_1.png", "'id' is missing"),
    ],
)
def test_an_image_that_cannot_be_is_refused_and_the_other_comes_in(tmp_path: Path, image: Any, message: str) -> None:
    write_picture(tmp_path / "outside.png")
    good = {"id": 0, "file_name": "us_0.png", "height": HEIGHT, "width": WIDTH}
    source = export(tmp_path / "in", [annotation(0, 7, RING)], images=[good, image])
    intake = bring_in(source, tmp_path / "out")
    assert list(labels_by_id(tmp_path / "out")) == ["us_0"]
    assert message in reasons(intake)


def test_annotations_of_no_image_are_told(tmp_path: Path) -> None:
    source = export(tmp_path / "in", [annotation(0, 7, RING), annotation(55, 7, RING)])
    assert "1 annotations have the image_id 55, which no image has" in reasons(bring_in(source, tmp_path / "out"))
