"""Label maps as DICOM Segmentation: valid, referring to their source, without the patient."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recordings import region, save, speckle, speckle_clip, ultrasound_dataset, write_video

from hipseg import anatomy
from hipseg.errors import OutputError, UsageError
from hipseg.io import write_segmentation_dicom

SEGMENTS = (anatomy.FEMORAL_HEAD, anatomy.NEEDLE, anatomy.LABRUM)


def label_maps(num_frames: int, height: int, width: int, seed: int = 0) -> list[np.ndarray]:
    """Random blobs of three structures; the second frame is empty."""
    rng = np.random.default_rng(seed)
    maps = [rng.choice([0, *SEGMENTS, anatomy.IGNORED], (height, width)).astype(np.uint8) for _ in range(num_frames)]
    if num_frames > 1:
        maps[1][:] = 0
    return maps


def restored(path: Path, num_frames: int) -> np.ndarray:
    """The label maps that a reader gets back from the file."""
    dataset = pydicom.dcmread(path)
    bits = dataset.pixel_array.reshape(-1, dataset.Rows, dataset.Columns)
    codes = {}
    for item in dataset.SegmentSequence:
        codes[item.SegmentNumber] = anatomy.structure_named(item.SegmentLabel.replace(" ", "_")).id
    labels = np.zeros((num_frames, dataset.Rows, dataset.Columns), np.uint8)
    for mask, item in zip(bits, dataset.PerFrameFunctionalGroupsSequence, strict=True):
        source = item.DerivationImageSequence[0].SourceImageSequence[0]
        frame = source.get("ReferencedFrameNumber", item.FrameContentSequence[0].TemporalPositionIndex)
        labels[frame - 1][mask > 0] = codes[item.SegmentIdentificationSequence[0].ReferencedSegmentNumber]
    return labels


def without_ignored(maps: list[np.ndarray]) -> np.ndarray:
    stack = np.stack(maps)
    return np.where(stack == anatomy.IGNORED, 0, stack)


@settings(max_examples=20, deadline=None)
@given(st.integers(16, 40), st.integers(16, 41), st.integers(1, 4), st.integers(0, 1000))
def test_labels_come_back_whatever_the_size(
    tmp_path_factory: pytest.TempPathFactory, height: int, width: int, num_frames: int, seed: int
) -> None:
    """Bits of one frame follow those of the other without padding: odd sizes share bytes."""
    folder = tmp_path_factory.mktemp("seg")
    source = save(ultrasound_dataset(speckle_clip(num_frames, height, width)), folder / "source.dcm")
    maps = label_maps(num_frames, height, width, seed)
    write_segmentation_dicom(folder / "seg.dcm", source, maps)
    np.testing.assert_array_equal(restored(folder / "seg.dcm", num_frames), without_ignored(maps))


@pytest.fixture(params=["single", "multi", "series"])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, int]:
    """A DICOM source and its number of frames."""
    if request.param == "single":
        return save(ultrasound_dataset([speckle(72, 96)]), tmp_path / "single.dcm"), 1
    if request.param == "multi":
        dataset = ultrasound_dataset(speckle_clip(4), SequenceOfUltrasoundRegions=[region()])
        return save(dataset, tmp_path / "multi.dcm"), 4
    (tmp_path / "series").mkdir()
    for number in range(1, 4):
        fields = {"SeriesInstanceUID": "1.2.3", "StudyInstanceUID": "1.2", "InstanceNumber": number}
        save(ultrasound_dataset([speckle(72, 96)], **fields), tmp_path / "series" / f"{number}.dcm")
    return tmp_path / "series", 3


def test_the_standard_is_met(source: tuple[Path, int], tmp_path: Path) -> None:
    if shutil.which("dciodvfy") is None:
        pytest.skip("dciodvfy (Debian package dicom3tools) is not installed")
    path, num_frames = source
    write_segmentation_dicom(tmp_path / "seg.dcm", path, label_maps(num_frames, 72, 96))
    report = subprocess.run(["dciodvfy", "-new", tmp_path / "seg.dcm"], capture_output=True, text=True, check=False)
    assert "Segmentation" in report.stderr
    assert [line for line in report.stderr.splitlines() if line.startswith("Error")] == []


def test_it_refers_to_its_source_and_tells_nothing_of_the_patient(source: tuple[Path, int], tmp_path: Path) -> None:
    path, num_frames = source
    write_segmentation_dicom(tmp_path / "seg.dcm", path, label_maps(num_frames, 72, 96))
    content = (tmp_path / "seg.dcm").read_bytes()
    assert b"Secret" not in content
    assert b"PATIENT-4711" not in content
    dataset = pydicom.dcmread(tmp_path / "seg.dcm")
    assert (dataset.PatientName, dataset.PatientID, dataset.Modality) == ("", "", "SEG")
    files = [path] if path.is_file() else sorted(path.iterdir())
    sources = [pydicom.dcmread(file) for file in files]
    instances = dataset.ReferencedSeriesSequence[0].ReferencedInstanceSequence
    assert [item.ReferencedSOPInstanceUID for item in instances] == [item.SOPInstanceUID for item in sources]
    assert dataset.StudyInstanceUID == sources[0].StudyInstanceUID
    assert dataset.ReferencedSeriesSequence[0].SeriesInstanceUID == sources[0].SeriesInstanceUID
    needle = next(item for item in dataset.SegmentSequence if item.SegmentLabel == "needle")
    assert needle.SegmentedPropertyTypeCodeSequence[0].CodeValue == "79068005"


def test_the_patient_comes_along_when_asked_for(tmp_path: Path) -> None:
    path = save(ultrasound_dataset([speckle(72, 96)]), tmp_path / "source.dcm")
    write_segmentation_dicom(tmp_path / "seg.dcm", path, label_maps(1, 72, 96), keep_patient=True)
    dataset = pydicom.dcmread(tmp_path / "seg.dcm")
    assert (str(dataset.PatientName), dataset.PatientID) == ("Secret^Patient", "PATIENT-4711")


def test_a_clip_where_nothing_was_found(tmp_path: Path) -> None:
    path = save(ultrasound_dataset(speckle_clip(3)), tmp_path / "source.dcm")
    write_segmentation_dicom(tmp_path / "seg.dcm", path, [np.zeros((72, 96), np.uint8)] * 3)
    assert not restored(tmp_path / "seg.dcm", 3).any()


def test_other_sources_are_refused(tmp_path: Path) -> None:
    write_video(tmp_path / "clip.mp4", speckle_clip(2))
    with pytest.raises(UsageError, match="needs a DICOM source"):
        write_segmentation_dicom(tmp_path / "seg.dcm", tmp_path / "clip.mp4", [])
    path = save(ultrasound_dataset([speckle(72, 96)]), tmp_path / "source.dcm")
    with pytest.raises(OutputError):
        write_segmentation_dicom(tmp_path / "missing" / "seg.dcm", path, label_maps(1, 72, 96))
    assert not list(tmp_path.glob("*seg*"))
