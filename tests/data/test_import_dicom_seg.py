"""DICOM segmentations: ours, and what highdicom writes, binary, fractional and as label map."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import highdicom
import numpy as np
import pydicom
import pytest
from highdicom.seg import SegmentAlgorithmTypeValues, SegmentationTypeValues, SegmentDescription
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import UltrasoundImageStorage, generate_uid
from recordings import region, save, speckle_clip, ultrasound_dataset
from tool_exports import assert_masks, blocks, bring_in, cases_by_id, images_by_id, labels_by_id, only, present, reasons

from hipseg import anatomy
from hipseg.io.dicom.segmentation import write_segmentation_dicom

NUM_FRAMES = 6


def our_labels() -> list[np.ndarray]:
    """Two structures on frame 2, one on frame 4, nothing elsewhere."""
    labels = [blocks() for _ in range(NUM_FRAMES)]
    labels[2] = blocks((anatomy.FEMORAL_HEAD, 10, 40, 20, 60), (anatomy.NEEDLE, 5, 8, 0, 50))
    labels[4] = blocks((anatomy.LABRUM, 50, 60, 20, 30))
    return labels


def write_clip(path: Path, **fields: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    values = {"PatientName": "", "PatientID": "", "SequenceOfUltrasoundRegions": [region()]} | fields
    return save(ultrasound_dataset(speckle_clip(NUM_FRAMES), **values), path)


@pytest.fixture
def own_export(tmp_path: Path) -> Path:
    """A clip and hipseg's own segmentation of it."""
    clip = write_clip(tmp_path / "in" / "cine.dcm")
    write_segmentation_dicom(tmp_path / "in" / "cine_seg.dcm", clip, our_labels())
    return tmp_path / "in"


def test_our_own_segmentation_comes_back_on_the_frames_it_speaks_of(own_export: Path, tmp_path: Path) -> None:
    assert not bring_in(own_export, tmp_path / "out").refused
    labels = our_labels()
    assert_masks(tmp_path / "out", {"cine_000002": labels[2], "cine_000004": labels[4]})
    for case, image_HW in zip(
        cases_by_id(tmp_path / "out").values(), images_by_id(tmp_path / "out").values(), strict=True
    ):
        assert (case.clip, case.image) == ("cine", "clips/cine.dcm")
        np.testing.assert_array_equal(image_HW, speckle_clip(NUM_FRAMES)[case.frame or 0])
    assert (tmp_path / "out" / "clips" / "cine.dcm").read_bytes() == (own_export / "cine.dcm").read_bytes()


def slices(folder: Path, num_images: int = 3) -> list[Dataset]:
    """Single images with a place in space, as highdicom demands of what it segments."""
    folder.mkdir(parents=True, exist_ok=True)
    series, study, space = generate_uid(), generate_uid(), generate_uid()
    images = []
    for index, image_HW in enumerate(speckle_clip(num_images)):
        dataset = ultrasound_dataset([image_HW], PatientID="", PatientName="", SOPClassUID=UltrasoundImageStorage)
        dataset.file_meta.MediaStorageSOPClassUID = UltrasoundImageStorage
        dataset.SeriesInstanceUID, dataset.StudyInstanceUID, dataset.FrameOfReferenceUID = series, study, space
        dataset.ImagePositionPatient, dataset.ImageOrientationPatient = [0, 0, 2 * index], [1, 0, 0, 0, 1, 0]
        dataset.PixelSpacing, dataset.SliceThickness, dataset.InstanceNumber = [0.12, 0.1], 2, index + 1
        dataset.AccessionNumber = dataset.StudyDate = dataset.StudyTime = dataset.StudyID = ""
        dataset.PatientBirthDate = dataset.PatientSex = dataset.ReferringPhysicianName = ""
        save(dataset, folder / f"im_{index}.dcm")
        images.append(pydicom.dcmread(folder / f"im_{index}.dcm"))
    return images


def description(number: int, label: str, code: Any) -> SegmentDescription:
    return SegmentDescription(
        segment_number=number,
        segment_label=label,
        segmented_property_category=codes.SCT.AnatomicalStructure,
        segmented_property_type=code,
        algorithm_type=SegmentAlgorithmTypeValues.MANUAL,
    )


HEAD = highdicom.sr.CodedConcept("2812003", "SCT", "Head of femur")
VEIN = highdicom.sr.CodedConcept("83419000", "SCT", "Femoral vein")


def write_highdicom(folder: Path, kind: SegmentationTypeValues, pixels: np.ndarray, **options: Any) -> Path:
    segmentation = highdicom.seg.Segmentation(
        source_images=slices(folder),
        pixel_array=pixels,
        segmentation_type=kind,
        segment_descriptions=[description(1, "Segment A", HEAD), description(2, "Segment B", VEIN)],
        series_instance_uid=generate_uid(),
        series_number=2,
        sop_instance_uid=generate_uid(),
        instance_number=1,
        manufacturer="someone",
        manufacturer_model_name="x",
        software_versions="1",
        device_serial_number="1",
        **options,
    )
    segmentation.save_as(folder / "seg.dcm")
    return folder


def shares() -> np.ndarray:
    """Fractions of two overlapping segments on three images; the second image has none."""
    pixels = np.zeros((3, 72, 96, 2), np.float32)
    pixels[0, 10:40, 20:60, 0] = 1.0
    pixels[0, 30:50, 50:80, 1] = 0.75
    pixels[2, 5:20, 5:20, 0] = 0.4
    pixels[2, 8:10, 8:10, 0] = 0.5
    return pixels


def expected(fraction: float) -> dict[str, np.ndarray]:
    first = blocks((anatomy.FEMORAL_HEAD, 10, 40, 20, 60), (anatomy.FEMORAL_VEIN, 30, 50, 50, 80))
    low, high = (5, 20) if fraction <= 0.4 else (8, 10), anatomy.FEMORAL_HEAD
    return {"im_0": first, "im_2": blocks((high, low[0], low[1], low[0], low[1]))}


def test_a_binary_segmentation_of_several_segments_by_highdicom(tmp_path: Path) -> None:
    source = write_highdicom(tmp_path / "in", SegmentationTypeValues.BINARY, (shares() >= 0.5).astype(np.uint8))
    intake = bring_in(source, tmp_path / "out")
    assert_masks(tmp_path / "out", expected(0.5))
    assert intake.overlapping == ("im_0",)
    assert [case.image for case in cases_by_id(tmp_path / "out").values()] == ["clips/im_0.dcm", "clips/im_2.dcm"]


@pytest.mark.parametrize("fraction", [0.5, 0.35])
def test_fractions_count_from_the_share_the_mapping_says(tmp_path: Path, fraction: float) -> None:
    source = write_highdicom(
        tmp_path / "in", SegmentationTypeValues.FRACTIONAL, shares(), max_fractional_value=200,
        fractional_type="PROBABILITY",
    )  # fmt: skip
    bring_in(source, tmp_path / "out", {"Segment A": "femoral_head", "Segment B": "femoral_vein"}, fraction=fraction)
    assert_masks(tmp_path / "out", expected(fraction))


def test_a_label_map_segmentation_by_highdicom(tmp_path: Path) -> None:
    labels = np.stack([blocks((1, 10, 40, 20, 60), (2, 30, 50, 50, 80)), blocks(), blocks((1, 8, 10, 8, 10))])
    bring_in(write_highdicom(tmp_path / "in", SegmentationTypeValues.LABELMAP, labels), tmp_path / "out")
    found = labels_by_id(tmp_path / "out")
    for id, labels_HW in expected(0.5).items():
        np.testing.assert_array_equal(found[id], labels_HW)
    assert present(found.get("im_1", blocks())) == {0}


def test_the_class_of_a_segment_is_known_only_where_its_segmentation_lies(own_export: Path, tmp_path: Path) -> None:
    clip = write_clip(own_export / "other.dcm", SOPInstanceUID=generate_uid(), SeriesInstanceUID=generate_uid())
    labels = [blocks((anatomy.FEMORAL_VEIN, 1, 9, 1, 9))] + [blocks()] * (NUM_FRAMES - 1)
    write_segmentation_dicom(own_export / "other_seg.dcm", clip, labels)
    bring_in(own_export, tmp_path / "out")
    cases = cases_by_id(tmp_path / "out")
    assert cases["other_000000"].annotated == ("femoral_vein",)
    assert cases["cine_000002"].annotated == ("femoral_head", "needle", "labrum")


def change(path: Path, edit: Any) -> None:
    dataset = pydicom.dcmread(path)
    edit(dataset)
    dataset.save_as(path)


def many_segments(dataset: Dataset) -> None:
    dataset.SegmentSequence = [dataset.SegmentSequence[0]] * 300


def frame_past_the_end(dataset: Dataset) -> None:
    for group in dataset.PerFrameFunctionalGroupsSequence:
        group.DerivationImageSequence[0].SourceImageSequence[0].ReferencedFrameNumber = 77


def another_image(dataset: Dataset) -> None:
    for group in dataset.PerFrameFunctionalGroupsSequence:
        group.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID = "1.2.3"


def no_image(dataset: Dataset) -> None:
    for group in dataset.PerFrameFunctionalGroupsSequence:
        del group.DerivationImageSequence


def other_size(dataset: Dataset) -> None:
    dataset.Rows, dataset.Columns = dataset.Columns, dataset.Rows


def no_label(dataset: Dataset) -> None:
    del dataset.SegmentSequence[0].SegmentLabel


def cut_short(dataset: Dataset) -> None:
    dataset.PixelData = dataset.PixelData[:8]


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (many_segments, "SegmentSequence has 300 items; expected 1-255"),
        (frame_past_the_end, "ReferencedFrameNumber is 77; expected one of the 6 frames"),
        (another_image, "ReferencedSOPInstanceUID 1.2.3 is not there"),
        (no_image, "frame 1: does not say which image it lies on"),
        (other_size, "the mask of 'femoral head' has|the pixels on frame 3 cannot be read"),
        (no_label, r"SegmentSequence\[0\]: SegmentLabel is missing"),
        (cut_short, "cannot be read"),
    ],
)
def test_a_broken_segmentation_is_refused_and_the_good_one_comes_in(
    own_export: Path, tmp_path: Path, edit: Any, message: str
) -> None:
    clip = write_clip(own_export / "good.dcm", SOPInstanceUID=generate_uid(), SeriesInstanceUID=generate_uid())
    write_segmentation_dicom(own_export / "good_seg.dcm", clip, our_labels())
    change(own_export / "cine_seg.dcm", edit)
    intake = bring_in(own_export, tmp_path / "out")
    assert list(labels_by_id(tmp_path / "out")) == ["good_000002", "good_000004"]
    assert re.search(message, reasons(intake)), reasons(intake)


def test_the_same_person_in_two_clips_is_one_patient_and_in_one_split(tmp_path: Path) -> None:
    for name in ("one", "two"):
        uids = {"SOPInstanceUID": generate_uid(), "SeriesInstanceUID": generate_uid()}
        clip = write_clip(tmp_path / "in" / f"{name}.dcm", PatientID="4711", **uids)
        write_segmentation_dicom(tmp_path / "in" / f"{name}_seg.dcm", clip, our_labels())
    bring_in(tmp_path / "in", tmp_path / "out")
    cases = cases_by_id(tmp_path / "out").values()
    assert {case.clip for case in cases} == {"one", "two"}
    assert only({(case.patient, case.split) for case in cases})[0].startswith("p_")
    assert b"4711" not in (tmp_path / "out" / "clips" / "one.dcm").read_bytes()
