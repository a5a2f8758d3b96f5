"""3D Slicer and MONAI Label: volumes written by SimpleITK, pynrrd and nibabel, in every orientation they come in."""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from typing import Any

import cv2
import nibabel
import nrrd
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from recordings import speckle_clip
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

TWO = {"head": "femoral_head", "needle": "needle"}
HEAD = "Segmentation category~SCT^123037004^Anatomical Structure~SCT^2812003^Head of femur~^^~Anatomic codes~^^~^^|"


def sitk_image(array_KJI: np.ndarray, direction: tuple[float, ...] = (1, 0, 0, 0, 1, 0, 0, 0, 1)) -> Any:
    image = sitk.GetImageFromArray(array_KJI)
    image.SetSpacing((0.1, 0.2, 1.0))
    image.SetOrigin((12.0, -7.0, 30.0))
    image.SetDirection(direction)
    return image


def two_slices() -> np.ndarray:
    """Label values on two slices: 1 a block with a hole, 2 a bar across it."""
    labels = np.stack([blocks((1, 10, 40, 20, 60), (0, 20, 30, 30, 45)), blocks((2, 5, 9, 3, 90))])
    labels[0, 50:60, 70:80] = 2
    return labels


def write_segmentation(path: Path, array_KJI: np.ndarray, segments: dict[str, str], **itk: Any) -> None:
    """As 3D Slicer saves a segmentation with one layer: a label map whose header names the segments."""
    image = sitk_image(array_KJI, **itk)
    for key, value in segments.items():
        image.SetMetaData(key, value)
    sitk.WriteImage(image, str(path), useCompression=True)


SEGMENTS = {
    "Segment0_ID": "a", "Segment0_Name": "bone", "Segment0_LabelValue": "1", "Segment0_Layer": "0",
    "Segment0_Tags": f"Segmentation.Status:completed|TerminologyEntry:{HEAD}",
    "Segment1_ID": "b", "Segment1_Name": "needle", "Segment1_LabelValue": "2", "Segment1_Layer": "0",
}  # fmt: skip
IDS = np.array([0, anatomy.FEMORAL_HEAD, anatomy.NEEDLE], np.uint8)


def expected_masks() -> dict[str, np.ndarray]:
    return {f"hip_{index:06d}": IDS[labels_HW] for index, labels_HW in enumerate(two_slices())}


def slicer_export(root: Path, **itk: Any) -> Path:
    root.mkdir(parents=True)
    sitk.WriteImage(sitk_image(np.stack(speckle_clip(2)), **itk), str(root / "hip.nrrd"))
    write_segmentation(root / "hip.seg.nrrd", two_slices(), SEGMENTS, **itk)
    return root


def test_segments_are_known_by_their_codes_and_names_and_slices_are_one_recording(tmp_path: Path) -> None:
    intake = bring_in(slicer_export(tmp_path / "in"), tmp_path / "out")
    assert not intake.refused
    assert_masks(tmp_path / "out", expected_masks())
    for index, (id, image_HW) in enumerate(images_by_id(tmp_path / "out").items()):
        np.testing.assert_array_equal(image_HW, speckle_clip(2)[index])
        case = cases_by_id(tmp_path / "out")[id]
        assert (case.clip, case.spacing_mm) == ("hip", pytest.approx((0.2, 0.1)))


@pytest.mark.parametrize(
    "direction",
    [
        (-1, 0, 0, 0, -1, 0, 0, 0, 1), (1, 0, 0, 0, 1, 0, 0, 0, -1), (0, 1, 0, 1, 0, 0, 0, 0, 1),
        (0, 0, 1, 1, 0, 0, 0, 1, 0),
    ],
)  # fmt: skip
def test_left_handed_and_turned_volumes_keep_their_pixels(tmp_path: Path, direction: tuple[float, ...]) -> None:
    bring_in(slicer_export(tmp_path / "in", direction=direction), tmp_path / "out")
    assert_masks(tmp_path / "out", expected_masks())
    np.testing.assert_array_equal(images_by_id(tmp_path / "out")["hip_000001"], speckle_clip(2)[1])


def test_a_segmentation_that_is_cropped_and_turned_finds_its_place_in_space(tmp_path: Path) -> None:
    source = slicer_export(tmp_path / "in")
    whole = sitk.ReadImage(str(source / "hip.seg.nrrd"))
    # Crop to the content, as Slicer does, and turn the axes round: the same pixels in space.
    turned = sitk.Flip(sitk.PermuteAxes(whole[2:92, 4:65, :], [1, 0, 2]), [True, False, True], False)
    for key in SEGMENTS:
        turned.SetMetaData(key, SEGMENTS[key])
    sitk.WriteImage(turned, str(source / "hip.seg.nrrd"))
    assert turned.GetSize() != whole.GetSize()
    bring_in(source, tmp_path / "out")
    assert_masks(tmp_path / "out", expected_masks())


def test_overlapping_segments_in_layers_come_in_with_the_needle_on_top(tmp_path: Path) -> None:
    source = slicer_export(tmp_path / "in")
    layers = np.stack([(two_slices() == 1), (two_slices() == 1) | (two_slices() == 2)]).astype(np.uint8)
    header = {
        "space": "left-posterior-superior", "kinds": ["list", "domain", "domain", "domain"], "encoding": "gzip",
        "space directions": [[np.nan] * 3, [0.1, 0, 0], [0, 0.2, 0], [0, 0, 1.0]], "space origin": [12.0, -7.0, 30.0],
        **SEGMENTS, "Segment1_Layer": "1", "Segment1_LabelValue": "1",
    }  # fmt: skip
    nrrd.write(str(source / "hip.seg.nrrd"), layers.transpose(0, 3, 2, 1), header, index_order="F")
    bring_in(source, tmp_path / "out")
    first = labels_by_id(tmp_path / "out")["hip_000000"]
    np.testing.assert_array_equal(first, np.where(two_slices()[0] > 0, anatomy.NEEDLE, 0))


@pytest.mark.parametrize(
    "affine", [np.diag([-0.1, -0.2, 1, 1]), np.diag([0.1, 0.2, -1, 1]), np.diag([0.1, -0.2, 1, 1])]
)
def test_nifti_of_either_hand_by_nibabel(tmp_path: Path, affine: np.ndarray) -> None:
    root = tmp_path / "in"
    root.mkdir()
    images = np.stack(speckle_clip(2)).transpose(2, 1, 0)
    nibabel.save(nibabel.Nifti1Image(images, affine), root / "hip.nii.gz")
    nibabel.save(nibabel.Nifti1Image(two_slices().transpose(2, 1, 0), affine), root / "hip-label.nii.gz")
    bring_in(root, tmp_path / "out", {"1": "femoral_head", "2": "needle"})
    assert_masks(tmp_path / "out", expected_masks())
    np.testing.assert_array_equal(images_by_id(tmp_path / "out")["hip_000000"], speckle_clip(2)[0])
    assert cases_by_id(tmp_path / "out")["hip_000000"].spacing_mm == pytest.approx((0.2, 0.1))


def test_a_picture_may_be_what_was_segmented(tmp_path: Path) -> None:
    write_picture(tmp_path / "in" / "hip.png")
    write_segmentation(tmp_path / "in" / "hip.seg.nrrd", two_slices()[:1], SEGMENTS)
    bring_in(tmp_path / "in", tmp_path / "out")
    assert_masks(tmp_path / "out", {"hip": expected_masks()["hip_000000"]})


def damaged(path: Path, old: bytes, new: bytes) -> None:
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new, 1))


def other_size(path: Path) -> None:
    write_segmentation(path, np.zeros((3, HEIGHT + 4, WIDTH), np.uint8), SEGMENTS)


def wrong_endian(path: Path) -> None:
    fields = {"encoding": "raw", "endian": "little", "space": "left-posterior-superior", **SEGMENTS}
    fields |= {"space directions": np.diag([0.1, 0.2, 1.0]), "space origin": [12.0, -7.0, 30.0]}
    nrrd.write(str(path), two_slices().transpose(2, 1, 0).astype(np.uint16), fields)
    damaged(path, b"endian: little", b"endian: big   ")


def many_segments(path: Path) -> None:
    names = {f"Segment{number}_Name": f"s{number}" for number in range(65_536)}
    nrrd.write(str(path), two_slices().transpose(2, 1, 0), names)


def shifted(path: Path) -> None:
    image = sitk.ReadImage(str(path))
    image.SetOrigin((12.05, -7.0, 30.0))
    sitk.WriteImage(image, str(path))


def header(fields: str) -> bytes:
    return f"NRRD0004\ntype: uint8\ndimension: {fields}\n\n".encode()


def bomb(path: Path) -> None:
    path.write_bytes(header("3\nsizes: 96 72 2\nencoding: gzip") + gzip.compress(bytes(50_000_000)))


@pytest.mark.parametrize(
    ("breaking", "message"),
    [
        (other_size, "inside the image of|labels of"),
        (wrong_endian, r"values \[256, 512\] mean nothing.*byte order"),
        (many_segments, "65536 segments; expected at most 255"),
        (shifted, "another grid"),
        (bomb, "unpacks to more than"),
        (lambda path: path.write_bytes(path.read_bytes()[:-300]), "cannot be read"),
        (lambda path: path.write_bytes(header("2\nsizes: -5 900000000")), "hip.seg.nrrd"),
        (lambda path: path.write_bytes(header("2\nsizes: 900000000 900000000\nencoding: raw")), "'sizes' is"),
        (lambda path: path.write_bytes(header("3\nsizes: 96 72 2\nencoding: raw\ndata file: ../outside.raw")),
         "'data file' is"),
        (lambda path: path.write_bytes(b""), "hip.seg.nrrd"),
    ],
)  # fmt: skip
def test_a_broken_segmentation_is_refused_and_the_good_one_comes_in(
    tmp_path: Path, breaking: Any, message: str
) -> None:
    source = slicer_export(tmp_path / "in")
    slicer_export(tmp_path / "in" / "good")
    breaking(source / "hip.seg.nrrd")
    intake = bring_in(source, tmp_path / "out")
    assert len(labels_by_id(tmp_path / "out")) == 2
    assert re.search(message, only(intake.refused).reason)


def test_levels_that_do_not_fit_are_refused_slice_by_slice(tmp_path: Path) -> None:
    source = slicer_export(tmp_path / "in")
    deep = np.stack(speckle_clip(2)).astype(np.uint16)
    deep[1] *= 17
    sitk.WriteImage(sitk_image(deep), str(source / "hip.nrrd"))
    intake = bring_in(source, tmp_path / "out")
    assert list(labels_by_id(tmp_path / "out")) == ["hip_000000"]
    assert re.search("levels of .* on slice 1; expected whole grey levels 0-255", only(intake.refused).reason)


def test_a_segmentation_without_its_image_is_refused(tmp_path: Path) -> None:
    source = slicer_export(tmp_path / "in")
    write_segmentation(source / "other.seg.nrrd", two_slices(), SEGMENTS)
    assert "0 images may be what it was drawn on" in reasons(bring_in(source, tmp_path / "out"))


def test_monai_label_takes_final_labels_with_the_store_s_names(tmp_path: Path) -> None:
    root = tmp_path / "in"
    (root / "labels" / "final").mkdir(parents=True)
    (root / "labels" / "original").mkdir()
    sitk.WriteImage(sitk_image(np.stack(speckle_clip(2))), str(root / "hip.nii.gz"))
    for kind, values in (("final", two_slices()), ("original", np.ones_like(two_slices()))):
        sitk.WriteImage(sitk_image(values), str(root / "labels" / kind / "hip.nii.gz"))
    info = {"params": {"label_info": [{"name": "femoral head", "idx": 1}, {"name": "needle", "idx": 2}]}}
    labels = {"final": {"ext": ".nii.gz", "info": info}}
    write_json(root / "datastore_v2.json", {"objects": {"hip": {"image": {"ext": ".nii.gz"}, "labels": labels}}})
    (root / "labels" / "final" / "lost.nii.gz").write_bytes(b"")
    intake = bring_in(root, tmp_path / "out")
    assert_masks(tmp_path / "out", expected_masks())
    assert "0 images are called 'lost'" in only(intake.refused).reason


def test_monai_label_s_pictures(tmp_path: Path) -> None:
    root = tmp_path / "in"
    (root / "labels" / "final").mkdir(parents=True)
    write_picture(root / "us.png")
    cv2.imwrite(str(root / "labels" / "final" / "us.png"), two_slices()[0])
    bring_in(root, tmp_path / "out", {"1": "femoral_head", "2": "ignore"})
    assert present(labels_by_id(tmp_path / "out")["us"]) == {0, anatomy.FEMORAL_HEAD, anatomy.IGNORED}
