"""Folders of pictures with masks, and Labelme: what its own code draws is what comes in."""

from __future__ import annotations

import base64
import io
import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw
from tool_exports import (
    HEIGHT,
    WIDTH,
    assert_masks,
    blocks,
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
from hipseg.errors import SourceError, UsageError
from hipseg.io.masks import encode_mask

TWO = blocks((1, 10, 40, 20, 60), (2, 5, 9, 0, 50))
NAMED = {"1": "femoral_head", "2": "needle"}
AS_IDS = np.array([0, anatomy.FEMORAL_HEAD, anatomy.NEEDLE], np.uint8)


def write_mask(path: Path, labels_HW: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), labels_HW)


def test_masks_by_value_in_folders_and_beside_their_pictures(tmp_path: Path) -> None:
    write_picture(tmp_path / "in" / "a" / "images" / "us1.png")
    write_mask(tmp_path / "in" / "a" / "masks" / "us1.png", TWO)
    write_picture(tmp_path / "in" / "b" / "us2.jpg")
    write_mask(tmp_path / "in" / "b" / "us2_mask.png", TWO)
    write_picture(tmp_path / "in" / "b" / "us3.png")
    bring_in(tmp_path / "in", tmp_path / "out", NAMED)
    assert_masks(tmp_path / "out", {"a_images_us1": AS_IDS[TWO], "b_us2": AS_IDS[TWO], "b_us3": None})
    jpeg = cases_by_id(tmp_path / "out")["b_us2"]
    assert (tmp_path / "out" / jpeg.image).read_bytes() == (tmp_path / "in" / "b" / "us2.jpg").read_bytes()


def test_an_empty_mask_says_that_nothing_is_there(tmp_path: Path) -> None:
    write_picture(tmp_path / "in" / "images" / "us.png")
    write_mask(tmp_path / "in" / "masks" / "us.png", blocks())
    bring_in(tmp_path / "in", tmp_path / "out", NAMED)
    assert_masks(tmp_path / "out", {"images_us": blocks()})


def test_hipseg_s_own_masks_need_no_mapping(tmp_path: Path) -> None:
    write_picture(tmp_path / "in" / "images" / "us.png")
    (tmp_path / "in" / "masks").mkdir()
    (tmp_path / "in" / "masks" / "us.png").write_bytes(encode_mask(blocks((7, 1, 9, 1, 9), (255, 20, 30, 1, 9))))
    bring_in(tmp_path / "in", tmp_path / "out")
    assert_masks(tmp_path / "out", {"images_us": blocks((7, 1, 9, 1, 9), (255, 20, 30, 1, 9))})


def test_names_of_values_stand_in_a_file(tmp_path: Path) -> None:
    write_picture(tmp_path / "in" / "images" / "us.png")
    write_mask(tmp_path / "in" / "masks" / "us.png", TWO)
    write_json(tmp_path / "in" / "dataset.json", {"labels": {"background": 0, "Needle": 2, "head of femur": 1}})
    bring_in(tmp_path / "in", tmp_path / "out")
    assert_masks(tmp_path / "out", {"images_us": AS_IDS[TWO]})


def test_values_without_names_are_for_a_person_to_decide(tmp_path: Path) -> None:
    write_picture(tmp_path / "in" / "images" / "us.png")
    write_mask(tmp_path / "in" / "masks" / "us.png", TWO)
    with pytest.raises(UsageError, match=r"what '1', '2' is nobody has said.*--dry-run"):
        bring_in(tmp_path / "in", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_colours_by_the_list_of_cvat_and_by_themselves(tmp_path: Path) -> None:
    write_picture(tmp_path / "in" / "JPEGImages" / "us.png")
    colours = np.array([(0, 0, 0), (250, 50, 83), (51, 221, 255)], np.uint8)
    Image.fromarray(colours[TWO]).save(folder(tmp_path / "in" / "SegmentationClass") / "us.png")
    Image.fromarray(colours[TWO]).save(folder(tmp_path / "in" / "SegmentationObject") / "us.png")
    bring_in(tmp_path / "in", tmp_path / "out", {"#fa3253": "femoral_head", "#33ddff": "needle"})
    assert_masks(tmp_path / "out", {"JPEGImages_us": AS_IDS[TWO]})
    names = "# label:color_rgb:parts:actions\nbackground:0,0,0::\nfemoral head:250,50,83::\nneedle:51,221,255::\n"
    (tmp_path / "in" / "labelmap.txt").write_text(names)
    bring_in(tmp_path / "in", tmp_path / "named")
    assert_masks(tmp_path / "named", {"JPEGImages_us": AS_IDS[TWO]})


def folder(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    return path


def test_a_smoothed_mask_is_refused(tmp_path: Path) -> None:
    for name in ("us", "good"):
        write_picture(tmp_path / "in" / "images" / f"{name}.png")
        Image.fromarray(np.stack([TWO * 90] * 3, axis=-1)).save(folder(tmp_path / "in" / "masks") / f"{name}.png")
    Image.effect_noise((WIDTH, HEIGHT), 90).convert("RGB").save(tmp_path / "in" / "masks" / "us.png")
    intake = bring_in(tmp_path / "in", tmp_path / "out", {"#5a5a5a": "femoral_head", "#b4b4b4": "needle"})
    assert_masks(tmp_path / "out", {"images_good": AS_IDS[TWO]})
    assert "colours; expected at most 64" in only(intake.refused).reason


def test_a_picture_that_carries_texts_is_kept_without_them(tmp_path: Path) -> None:
    image_HW = write_picture(tmp_path / "in" / "images" / "us.png")
    exif = Image.Exif()
    exif[0x010E] = "Jane Doe"
    Image.fromarray(image_HW).save(tmp_path / "in" / "images" / "us.png", exif=exif)
    Image.fromarray(image_HW).save(tmp_path / "in" / "images" / "us2.jpg", exif=exif, quality=95)
    for name in ("us", "us2"):
        write_mask(tmp_path / "in" / "masks" / f"{name}.png", TWO)
    bring_in(tmp_path / "in", tmp_path / "out", NAMED)
    assert not any(b"Jane" in path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file())
    np.testing.assert_array_equal(images_by_id(tmp_path / "out")["images_us"], image_HW)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "masks/bad.png"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 40, "masks/bad.png"),
        (encode_mask(np.zeros((9, 9), np.uint8)), "a mask of 9 x 9 pixels; expected 96 x 72"),
        (encode_mask(TWO)[:-30], "masks/bad.png"),
        (cv2.imencode(".png", np.arange(HEIGHT * WIDTH, dtype=np.uint16).reshape(HEIGHT, WIDTH))[1].tobytes(),
         "an image of mode I;16"),
        (cv2.imencode(".png", TWO + 3)[1].tobytes(), "label '3' stands in no mapping"),
        (encode_mask(TWO)[:16] + (10**9).to_bytes(4, "big") * 2 + encode_mask(TWO)[24:], "masks/bad.png"),
    ],
)  # fmt: skip
def test_a_broken_mask_is_refused_and_the_good_one_comes_in(tmp_path: Path, content: bytes, message: str) -> None:
    for name in ("good", "bad"):
        write_picture(tmp_path / "in" / "images" / f"{name}.png")
        write_mask(tmp_path / "in" / "masks" / f"{name}.png", TWO)
    (tmp_path / "in" / "masks" / "bad.png").write_bytes(content)
    intake = bring_in(tmp_path / "in", tmp_path / "out", NAMED)
    assert_masks(tmp_path / "out", {"images_good": AS_IDS[TWO]})
    assert message in only(intake.refused).reason


def test_a_picture_cut_short_and_a_mask_without_a_picture_are_told(tmp_path: Path) -> None:
    for name in ("good", "bad"):
        write_picture(tmp_path / "in" / "images" / f"{name}.jpg")
        write_mask(tmp_path / "in" / "masks" / f"{name}.png", TWO)
    write_mask(tmp_path / "in" / "masks" / "lost.png", TWO)
    cut = tmp_path / "in" / "images" / "bad.jpg"
    cut.write_bytes(cut.read_bytes()[:-900])
    intake = bring_in(tmp_path / "in", tmp_path / "out", NAMED)
    assert list(labels_by_id(tmp_path / "out")) == ["images_good"]
    assert "masks/lost.png: has no picture of its name" in reasons(intake)
    assert "images/bad.jpg: its picture is damaged or cut short" in reasons(intake)


def test_a_folder_of_nothing_known_is_refused(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "readme.txt").write_text("hello")
    with pytest.raises(SourceError, match="of no format that is recognised"):
        bring_in(tmp_path / "in", tmp_path / "out")
    with pytest.raises(UsageError, match="did you mean 'coco'"):
        bring_in(tmp_path / "in", tmp_path / "out", format_name="cocoo")


def shape_to_mask(points: list[list[float]], kind: str) -> np.ndarray:
    """`labelme.utils.shape_to_mask` of labelme 5, its lines on regions."""
    mask = Image.fromarray(np.zeros((HEIGHT, WIDTH), np.uint8))
    draw, xy = ImageDraw.Draw(mask), [tuple(point) for point in points]
    if kind == "circle":
        (cx, cy), (px, py) = xy
        d = math.sqrt((cx - px) ** 2 + (cy - py) ** 2)
        draw.ellipse([cx - d, cy - d, cx + d, cy + d], outline=1, fill=1)
    elif kind == "rectangle":
        draw.rectangle(xy, outline=1, fill=1)
    else:
        draw.polygon(xy=xy, outline=1, fill=1)
    return np.array(mask, dtype=bool)


def labelme(path: Path, shapes: list[dict[str, Any]], **fields: Any) -> None:
    content = {"version": "5.4.1", "flags": {}, "shapes": shapes, "imagePath": f"..\\images\\{path.stem}.png"}
    write_picture(path.parent.parent / "images" / f"{path.stem}.png")
    write_json(path, content | {"imageData": None, "imageHeight": HEIGHT, "imageWidth": WIDTH} | fields)


def shape(label: str, points: Any, kind: str = "polygon", **fields: Any) -> dict[str, Any]:
    return {"label": label, "points": points, "group_id": None, "shape_type": kind, "flags": {}} | fields


POLYGON = [[10.3, 12.1], [60.5, 8.0], [55.2, 40.9], [30.0, 20.0], [12.0, 50.5]]


@pytest.mark.parametrize(
    ("points", "kind"),
    [(POLYGON, "polygon"), ([[10.2, 50.7], [40.1, 20.2]], "rectangle"), ([[50.0, 30.0], [60.5, 35.5]], "circle")],
)
def test_shapes_are_drawn_as_labelme_draws_them(tmp_path: Path, points: Any, kind: str) -> None:
    labelme(tmp_path / "in" / "json" / "us.json", [shape("femoral head", points, kind)])
    bring_in(tmp_path / "in", tmp_path / "out")
    ordered = sorted(points) if kind != "rectangle" else [[10.2, 20.2], [40.1, 50.7]]
    expected = shape_to_mask(ordered if kind == "rectangle" else points, kind)
    assert_masks(tmp_path / "out", {"json_us": expected * np.uint8(anatomy.FEMORAL_HEAD)})


def test_points_lines_and_packed_masks_of_labelme(tmp_path: Path) -> None:
    packed = io.BytesIO()
    Image.fromarray(TWO[5:9, :50] == 2).save(packed, format="PNG")
    shapes = [
        shape("femoral head", [[20.5, 30.5], [60.5, 30.5]], "line"),
        shape("needle", [[0, 5], [49, 8]], "mask", mask=base64.b64encode(packed.getvalue()).decode()),
        shape("tip", [[50.5, 7.0]], "point"),
    ]
    labelme(tmp_path / "in" / "json" / "us.json", shapes)
    mapping = {"femoral head": {"class": "femoral_head", "width_px": 4}, "needle": "needle", "tip": "needle_tip"}
    bring_in(tmp_path / "in", tmp_path / "out", mapping)
    labels_HW = labels_by_id(tmp_path / "out")["json_us"]
    assert labels_HW is not None
    np.testing.assert_array_equal(labels_HW == anatomy.NEEDLE, TWO == 2)
    rows, columns = np.nonzero(labels_HW == anatomy.FEMORAL_HEAD)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (28, 31, 20, 59)
    assert cases_by_id(tmp_path / "out")["json_us"].landmarks == {"needle_tip": (50.0, 6.5)}


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (shape("needle", [[1, 2], [3, 4]]), "shapes[0]: field 'points' has 2 points; expected at least 3"),
        (shape("needle", [[1, 2], [float("nan"), 4], [5, 5]]), "has no number at point 1"),
        (shape("needle", [[1, 2], [3], [5, 5]]), "is not a list of points"),
        (shape("needle", POLYGON, "spline"), "'shape_type' is 'spline'"),
        (shape("needle", [[0, 0], [9, 9]], "mask", mask="!!"), "'mask' is no picture that fits"),
        (shape("needle", [[0, 0], [9, 9]], "line"), "an open line of unknown width"),
        ({"points": POLYGON}, "'label' is missing"),
        (shape("bone?", POLYGON), "label 'bone?' stands in no mapping"),
    ],
)
def test_a_broken_shape_is_refused_and_the_other_picture_comes_in(tmp_path: Path, broken: Any, message: str) -> None:
    labelme(tmp_path / "in" / "json" / "good.json", [shape("needle", POLYGON)])
    labelme(tmp_path / "in" / "json" / "us.json", [broken])
    intake = bring_in(tmp_path / "in", tmp_path / "out", {"needle": "needle"})
    assert list(labels_by_id(tmp_path / "out")) == ["json_good"]
    assert message in only(intake.refused).reason


def test_a_json_bomb_of_brackets_and_another_size_are_refused(tmp_path: Path) -> None:
    labelme(tmp_path / "in" / "json" / "good.json", [shape("needle", POLYGON)])
    labelme(tmp_path / "in" / "json" / "size.json", [shape("needle", POLYGON)], imageWidth=7)
    (tmp_path / "in" / "json" / "deep.json").write_text('{"imagePath": 1, "shapes": ' + "[" * 200_000)
    intake = bring_in(tmp_path / "in", tmp_path / "out", {"needle": "needle"})
    assert present(only(labels_by_id(tmp_path / "out").values())) == {0, anatomy.NEEDLE}
    assert "field 'imageWidth' is 7; expected 96" in reasons(intake)
    assert "json/deep.json: not JSON" in reasons(intake)
