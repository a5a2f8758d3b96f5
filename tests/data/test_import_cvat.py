"""CVAT's XML after its documentation (https://docs.cvat.ai/docs/manual/advanced/xml_format/), for images and video."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from pycocotools import mask as coco_mask
from recordings import region, save, speckle_clip, ultrasound_dataset, write_video
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
    write_picture,
)  # fmt: skip

from hipseg import anatomy

HEADER = """<?xml version="1.0" encoding="utf-8"?>
<annotations><version>1.1</version><meta><task><id>5</id><name>{name}</name><size>{size}</size>
<labels><label><name>needle</name><color>#ffffff</color></label><label><name>femoral head</name></label>
<label><name>tip</name></label><label><name>vein</name></label></labels>
<original_size><width>96</width><height>72</height></original_size><source>{name}</source></task></meta>
"""
RLE = "0, 3, 4, 2, 3"  # of a box 4 wide and 3 high: three in, four out, two in, three out


def polygon_mask(points: str) -> np.ndarray:
    """As CVAT's own exports of masks draw a polygon: by the COCO tools."""
    flat = [float(value) for value in re.split("[;,]", points)]
    return coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects([flat], HEIGHT, WIDTH))).astype(bool)


def write_xml(root: Path, body: str, name: str = "cine.mp4", size: int = 10) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    (root / "annotations.xml").write_text(HEADER.format(name=name, size=size) + body + "</annotations>")
    return root


def image_export(root: Path, shapes: str, second: str = "") -> Path:
    for number in range(2):
        write_picture(root / "images" / f"us_{number}.png", number)
    return write_xml(
        root,
        f'<image id="0" name="us_0.png" width="96" height="72">{shapes}</image>'
        f'<image id="1" name="us_1.png" width="96" height="72">{second}</image>',
    )


def test_every_shape_of_an_image_task(tmp_path: Path) -> None:
    head = "10.5,5.2;60.1,8.9;55.0,40.3;12.2,33.3"
    shapes = f"""
    <polygon label="femoral head" occluded="0" points="{head}" z_order="1"/>
    <box label="vein" occluded="0" xtl="70" ytl="50" xbr="80" ybr="60" z_order="0"/>
    <mask label="needle" occluded="0" rle="3, 3, 4, 2" left="2" top="60" width="4" height="3" z_order="0"/>
    <points label="tip" occluded="0" points="20.5,30.5" z_order="0"/>"""
    bring_in(image_export(tmp_path / "in", shapes), tmp_path / "out")
    expected = np.where(polygon_mask(head), anatomy.FEMORAL_HEAD, 0).astype(np.uint8)
    expected[50:60, 70:80] = anatomy.FEMORAL_VEIN
    expected[60:63, 2:6] = np.array([[0, 0, 0, 4], [4, 4, 0, 0], [0, 0, 4, 4]])
    assert_masks(tmp_path / "out", {"us_0": expected, "us_1": None})
    landmarks = cases_by_id(tmp_path / "out")["us_0"].landmarks
    assert landmarks == {"needle_tip": (20.0, 30.0)}  # CVAT counts from the corner of the first pixel


def test_higher_shapes_lie_on_top_and_ellipses_have_their_area(tmp_path: Path) -> None:
    shapes = """
    <box label="vein" occluded="0" xtl="10" ytl="10" xbr="50" ybr="60" z_order="3"/>
    <ellipse label="femoral head" occluded="0" cx="30" cy="35" rx="28" ry="10" z_order="1" rotation="0"/>"""
    bring_in(image_export(tmp_path / "in", shapes), tmp_path / "out")
    labels_HW = labels_by_id(tmp_path / "out")["us_0"]
    assert labels_HW is not None
    assert (labels_HW[10:60, 10:50] == anatomy.FEMORAL_VEIN).all()
    _, columns = np.nonzero(labels_HW == anatomy.FEMORAL_HEAD)
    assert columns.min() == 2
    assert columns.max() == 57


def test_a_turned_box_is_turned_about_its_centre(tmp_path: Path) -> None:
    box = '<box label="vein" occluded="0" xtl="20" ytl="30" xbr="60" ybr="40" rotation="90" z_order="0"/>'
    bring_in(image_export(tmp_path / "in", box), tmp_path / "out")
    np.testing.assert_array_equal(
        labels_by_id(tmp_path / "out")["us_0"], blocks((anatomy.FEMORAL_VEIN, 15, 55, 35, 45))
    )


def test_hidden_shapes_are_drawn_or_ignored_as_the_mapping_says(tmp_path: Path) -> None:
    source = image_export(
        tmp_path / "in", '<box label="vein" occluded="1" xtl="10" ytl="10" xbr="50" ybr="60" z_order="3"/>'
    )
    labels = {"vein": "femoral_vein"}
    bring_in(source, tmp_path / "drawn", labels)
    bring_in(source, tmp_path / "ignored", labels, occluded="ignore")
    assert present(labels_by_id(tmp_path / "drawn")["us_0"]) == {0, anatomy.FEMORAL_VEIN}
    assert present(labels_by_id(tmp_path / "ignored")["us_0"]) == {0, anatomy.IGNORED}


TRACKS = """
<track id="0" label="needle" source="manual">
  <box frame="1" outside="0" occluded="0" keyframe="1" xtl="10" ytl="10" xbr="20" ybr="14" z_order="0"/>
  <box frame="5" outside="0" occluded="0" keyframe="1" xtl="18" ytl="18" xbr="28" ybr="22" z_order="0"/>
  <box frame="7" outside="1" occluded="0" keyframe="1" xtl="18" ytl="18" xbr="28" ybr="22" z_order="0"/>
</track>
<track id="1" label="femoral head" source="manual">
  <polygon frame="3" outside="0" occluded="1" keyframe="1" points="40,40;60,40;60,60;40,60" z_order="0"/>
  <polygon frame="4" outside="0" occluded="0" keyframe="0" points="40,41;60,41;60,61;40,61" z_order="0"/>
</track>"""


def moving_masks() -> dict[str, np.ndarray]:
    """The tracks above, worked out by hand: two pixels a frame along both axes, gone from frame 7."""
    expected = {}
    for frame in range(1, 8):
        shift = 2 * (min(frame, 5) - 1)
        labels_HW = np.zeros((HEIGHT, WIDTH), np.uint8)
        if frame in (3, 4):
            labels_HW[37 + frame : 57 + frame, 40:60] = anatomy.FEMORAL_HEAD
        if frame < 7:
            labels_HW[10 + shift : 14 + shift, 10 + shift : 20 + shift] = anatomy.NEEDLE
        expected[f"cine_{frame:06d}"] = labels_HW
    return expected


def test_tracks_over_a_dicom_clip_move_go_outside_and_leave_the_clip_as_it_is(tmp_path: Path) -> None:
    source = write_xml(tmp_path / "in", TRACKS, name="cine.dcm")
    frames = speckle_clip(10)
    header = {"PatientName": "", "PatientID": "", "SequenceOfUltrasoundRegions": [region()]}
    clip = save(ultrasound_dataset(frames, FrameTime="40", **header), source / "cine.dcm")
    assert not bring_in(source, tmp_path / "out").refused
    assert_masks(tmp_path / "out", moving_masks())
    for id, case in cases_by_id(tmp_path / "out").items():
        number = int(id[-6:])
        assert (case.frame, case.clip, case.image) == (number, "cine", "clips/cine.dcm")
        assert case.time_s == pytest.approx(0.04 * number)
        assert case.spacing_mm == (0.12, 0.1)
        np.testing.assert_array_equal(images_by_id(tmp_path / "out")[id], frames[number])
    assert (tmp_path / "out" / "clips" / "cine.dcm").read_bytes() == clip.read_bytes()


def test_a_video_is_copied_byte_for_byte_and_its_frames_are_one_patient(tmp_path: Path) -> None:
    source = write_xml(tmp_path / "in", TRACKS)
    write_video(source / "cine.mp4", speckle_clip(10))
    bring_in(source, tmp_path / "out")
    assert_masks(tmp_path / "out", moving_masks())
    assert (tmp_path / "out" / "clips" / "cine.mp4").read_bytes() == (source / "cine.mp4").read_bytes()
    assert len({(case.patient, case.split) for case in cases_by_id(tmp_path / "out").values()}) == 1


def test_exported_frames_take_the_place_of_the_clip_and_missing_ones_are_told(tmp_path: Path) -> None:
    source = write_xml(tmp_path / "in", TRACKS)
    for frame in (1, 2, 3, 4, 5, 7):
        write_picture(source / "images" / f"frame_{frame:06d}.png", frame)
    intake = bring_in(source, tmp_path / "out")
    assert "frame 6 has no picture" in only(intake.refused).reason
    ids = list(cases_by_id(tmp_path / "out"))
    assert ids == [f"annotations_{frame:06d}" for frame in (1, 2, 3, 4, 5, 7)]
    assert {case.clip for case in cases_by_id(tmp_path / "out").values()} == {"annotations"}


def test_a_polygon_that_changes_its_number_of_points_is_not_guessed_between_keyframes(tmp_path: Path) -> None:
    track = """<track id="0" label="needle">
      <polygon frame="0" outside="0" occluded="0" keyframe="1" points="1,1;20,1;20,9" z_order="0"/>
      <polygon frame="3" outside="0" occluded="0" keyframe="1" points="1,1;20,1;20,9;1,9" z_order="0"/></track>"""
    source = write_xml(tmp_path / "in", track)
    write_video(source / "cine.mp4", speckle_clip(10))
    bring_in(source, tmp_path / "out")
    assert list(cases_by_id(tmp_path / "out")) == ["cine_000000", "cine_000003"]


@pytest.mark.parametrize(
    ("track", "message"),
    [
        ('<box frame="4" xtl="1" ytl="1" xbr="9" ybr="9"/><box frame="2" xtl="1" ytl="1" xbr="9" ybr="9"/>',
         "track 9: attribute 'frame' goes from 4 back to 2"),
        ('<box frame="4" xtl="1" ytl="1" xbr="9" ybr="9"/><box frame="4" xtl="1" ytl="1" xbr="9" ybr="9"/>',
         "goes from 4 back to 4"),
        ('<track id="10" label="needle"/>', "track 9: holds a <track>"),
        ('<box frame="99" xtl="1" ytl="1" xbr="9" ybr="9"/>', r"'frame' is 99; expected one of the 10 frames"),
        ('<box frame="99999999999" xtl="1" ytl="1" xbr="9" ybr="9"/>', "'frame' is 99999999999"),
        ('<box frame="-3" xtl="1" ytl="1" xbr="9" ybr="9"/>', "'frame' is '-3'"),
        ('<box frame="9" xtl="1" ytl="nan" xbr="9" ybr="9"/>', "frame 9: attribute 'ytl' is 'nan'"),
        ('<box frame="9" xtl="1" xbr="9" ybr="9"/>', "'ytl' is missing"),
        ('<polygon frame="9" points="1,1;2,2"/>', "'points' has 2 points"),
        ('<polygon frame="9" points="1,1;2,nan;5,5"/>', "no number at point 1"),
        ('<polygon frame="9" points="1;2;3"/>', "'points'"),
        ('<mask frame="9" rle="0,5" left="0" top="0" width="3" height="3"/>', "'rle' covers 5 pixels; expected 9"),
        ('<mask frame="9" rle="0,9" left="95" top="0" width="3" height="3"/>', "inside 96 x 72"),
        ('<ellipse frame="9" cx="5" cy="5" rx="0" ry="2"/>', "without size"),
    ],
)  # fmt: skip
def test_a_broken_track_is_refused_and_the_others_come_in(tmp_path: Path, track: str, message: str) -> None:
    source = write_xml(tmp_path / "in", TRACKS + f'<track id="9" label="needle">{track}</track>')
    write_video(source / "cine.mp4", speckle_clip(10))
    intake = bring_in(source, tmp_path / "out")
    assert_masks(tmp_path / "out", moving_masks())
    assert re.search(message, only(intake.refused).reason)


def test_the_patient_of_a_dicom_header_is_nowhere_in_the_data_set(tmp_path: Path) -> None:
    source = write_xml(tmp_path / "in", TRACKS, name="Doe_Jane.dcm")
    frames = speckle_clip(10)
    header = {"PatientName": "Doe^Jane", "PatientID": "HOSP-4711", "PatientBirthDate": "19500101"}
    save(ultrasound_dataset(frames, OperatorsName="Roe^Richard", **header), source / "Doe_Jane.dcm")
    bring_in(source, tmp_path / "out")
    cases = cases_by_id(tmp_path / "out")
    assert only({case.patient for case in cases.values()}).startswith("p_")
    for path in (tmp_path / "out").rglob("*"):
        names = path.name.encode() + (path.read_bytes() if path.is_file() else b"")
        for word in (b"Doe", b"Jane", b"4711", b"19500101", b"Roe"):
            assert word not in names, path
    for case, image_HW in zip(cases.values(), images_by_id(tmp_path / "out").values(), strict=True):
        np.testing.assert_array_equal(image_HW, frames[case.frame or 0])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('<!DOCTYPE a [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;">]><annotations><image id="1"/>&b;</annotations>',
         "document type"),
        ("<annotations><image id='1' ", "not XML"),
        ("<other><annotations><image id='1'/></annotations></other>", "its root is <other>"),
        ("<annotations><meta><task><labels><label><name>a</name><parent>b</parent></label><label><name>b</name>"
         "<parent>a</parent></label></labels></task></meta><image id='1' name='x.png'/></annotations>", "own ancestor"),
    ],
)  # fmt: skip
def test_a_hostile_xml_is_refused_and_the_one_beside_it_comes_in(tmp_path: Path, text: str, message: str) -> None:
    source = image_export(
        tmp_path / "in", '<box label="vein" occluded="0" xtl="10" ytl="10" xbr="50" ybr="60" z_order="3"/>'
    )
    (source / "hostile.xml").write_text(text)
    intake = bring_in(source, tmp_path / "out")
    assert message in only(intake.refused).reason
    assert "us_0" in labels_by_id(tmp_path / "out")


def test_an_image_of_another_size_than_the_xml_says_is_refused(tmp_path: Path) -> None:
    source = image_export(
        tmp_path / "in", '<box label="vein" occluded="0" xtl="10" ytl="10" xbr="50" ybr="60" z_order="3"/>'
    )
    cv2.imwrite(str(source / "images" / "us_1.png"), np.zeros((50, 50), np.uint8))
    intake = bring_in(source, tmp_path / "out")
    assert "'width' and 'height' are 96 x 72; expected 50 x 50" in reasons(intake)
    assert list(labels_by_id(tmp_path / "out")) == ["us_0"]
