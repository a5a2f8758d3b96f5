"""Scale, scan region and time base as DICOM headers tell them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from recordings import region, save, speckle, speckle_clip, ultrasound_dataset

from hipseg.errors import UsageError
from hipseg.frame import ScanRegion, Spacing
from hipseg.io import SourceInfo, SourceOptions, open_source
from hipseg.io.dicom.region import read_calibration
from hipseg.io.dicom.timing import read_frame_times

HEIGHT, WIDTH = 72, 96


def describe(tmp_path: Path, options: SourceOptions = SourceOptions(), **fields: object) -> SourceInfo:
    path = save(ultrasound_dataset([speckle(HEIGHT, WIDTH)], **fields), tmp_path / "image.dcm")
    source = open_source(str(path), options)
    source.close()
    return source.info


def told(info: SourceInfo, word: str) -> bool:
    return any(word in warning for warning in info.warnings)


def test_the_region_gives_box_and_scale_of_both_axes(tmp_path: Path) -> None:
    info = describe(tmp_path, SequenceOfUltrasoundRegions=[region()])
    assert info.region == ScanRegion(8, 4, 80, 64, "dicom_region")
    assert info.spacing == Spacing(row_mm=0.12, column_mm=0.1, origin="dicom_region")
    assert not info.warnings


def test_the_tissue_image_is_chosen_among_waveforms_and_doppler(tmp_path: Path) -> None:
    waveform = region(RegionSpatialFormat=4, RegionDataType=10, PhysicalDeltaX=9.0)
    colour = region(RegionDataType=2, PhysicalDeltaX=0.05)
    info = describe(tmp_path, SequenceOfUltrasoundRegions=[waveform, colour, region()])
    assert info.spacing == Spacing(0.12, 0.1, "dicom_region")


def test_of_two_tissue_images_the_larger_one_is_used(tmp_path: Path) -> None:
    small = region(RegionLocationMaxX1=40, PhysicalDeltaX=0.02)
    info = describe(tmp_path, SequenceOfUltrasoundRegions=[small, region()])
    assert info.spacing == Spacing(0.12, 0.1, "dicom_region")
    assert told(info, "2 2-D tissue images")


def test_a_box_beyond_the_frame_is_clipped_and_one_outside_is_left_out(tmp_path: Path) -> None:
    exceeding = describe(tmp_path, SequenceOfUltrasoundRegions=[region(RegionLocationMaxX1=300)])
    assert exceeding.region == ScanRegion(8, 4, WIDTH - 8, 64, "dicom_region")
    assert told(exceeding, "exceeds the frame")
    outside = region(RegionLocationMinX0=200, RegionLocationMaxX1=300, PhysicalDeltaX=0.05)
    info = describe(tmp_path, SequenceOfUltrasoundRegions=[outside, region()])
    assert info.region == ScanRegion(8, 4, 80, 64, "dicom_region")
    assert told(info, "lies outside the frame")
    alone = describe(tmp_path, SequenceOfUltrasoundRegions=[outside])
    assert alone.spacing is None
    assert alone.region.origin in ("content", "full")


def test_a_negative_delta_is_a_direction(tmp_path: Path) -> None:
    info = describe(tmp_path, SequenceOfUltrasoundRegions=[region(PhysicalDeltaY=-0.012)])
    assert info.spacing == Spacing(0.12, 0.1, "dicom_region")


@pytest.mark.parametrize("delta", [0.0, float("nan"), float("inf"), 1e-9, 5.0])
def test_a_scale_that_cannot_be_true_is_unknown(tmp_path: Path, delta: float) -> None:
    info = describe(tmp_path, SequenceOfUltrasoundRegions=[region(PhysicalDeltaX=delta)])
    assert info.spacing is None
    assert told(info, "the scale is unknown")


def test_a_scale_in_other_units_is_unknown(tmp_path: Path) -> None:
    assert describe(tmp_path, SequenceOfUltrasoundRegions=[region(PhysicalUnitsXDirection=4)]).spacing is None


def test_pixel_spacing_serves_where_no_region_does(tmp_path: Path) -> None:
    assert describe(tmp_path, PixelSpacing=[0.2, 0.1]).spacing == Spacing(0.2, 0.1, "dicom_pixel_spacing")
    assert describe(tmp_path, PixelSpacing=[-1, 0.1]).spacing is None


def test_the_user_knows_better(tmp_path: Path) -> None:
    options = SourceOptions(spacing=Spacing(0.3, 0.3, "user"), region="10,12,40,30")
    info = describe(tmp_path, options, SequenceOfUltrasoundRegions=[region()])
    assert (info.spacing, info.region) == (options.spacing, ScanRegion(10, 12, 40, 30, "user"))
    full = describe(tmp_path, SourceOptions(region="full"), SequenceOfUltrasoundRegions=[region()])
    assert full.region == ScanRegion(0, 0, WIDTH, HEIGHT, "full")
    clipped = describe(tmp_path, SourceOptions(region="60,0,999,50"))
    assert clipped.region == ScanRegion(60, 0, 36, 50, "user")


@pytest.mark.parametrize("text", ["left", "1,2,3", "1,2,3,x", "0,0,4,4", "500,0,40,40", "0,0,-40,40"])
def test_a_malformed_region_is_bad_usage(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError, match="region"):
        describe(tmp_path, SourceOptions(region=text))


@given(
    st.lists(st.integers(-50, 150), min_size=4, max_size=4),
    st.floats(-0.3, 0.3, allow_nan=False),
    st.floats(-0.3, 0.3, allow_nan=False),
)
def test_any_box_ends_inside_the_frame_or_nowhere(corners: list[int], delta_x: float, delta_y: float) -> None:
    header = Dataset()
    names = ("RegionLocationMinX0", "RegionLocationMinY0", "RegionLocationMaxX1", "RegionLocationMaxY1")
    box = dict(zip(names, corners, strict=True))
    header.SequenceOfUltrasoundRegions = [region(**box, PhysicalDeltaX=delta_x, PhysicalDeltaY=delta_y)]
    warnings: list[str] = []
    found, spacing = read_calibration(header, HEIGHT, WIDTH, warnings)
    if found is not None:
        assert 0 <= found.x < found.x + found.width <= WIDTH
        assert 0 <= found.y < found.y + found.height <= HEIGHT
        inside = corners[0] >= 0 and corners[1] >= 0 and corners[2] < WIDTH and corners[3] < HEIGHT
        assert inside != any("exceeds" in warning for warning in warnings)
    if spacing is not None:
        assert spacing.column_mm == pytest.approx(10 * abs(delta_x), abs=1e-8)
        assert spacing.row_mm == pytest.approx(10 * abs(delta_y), abs=1e-8)


def times(num_frames: int, options: SourceOptions = SourceOptions(), **fields: object) -> tuple[list[float], list[str]]:
    header, warnings = Dataset(), list[str]()
    for keyword, value in fields.items():
        setattr(header, keyword, value)
    frame_times = read_frame_times(header, num_frames, options, warnings)
    return [frame_times.time_s(index) for index in range(num_frames)], warnings


def test_frame_time_vector_goes_before_frame_time() -> None:
    times_s, warnings = times(4, FrameTimeVector=[0, 20, 40, 20], FrameTime=99)
    assert times_s == pytest.approx([0, 0.02, 0.06, 0.08])
    assert not warnings


@pytest.mark.parametrize("vector", [[0, 20], [0, 20, -20, 20], [0, 0, 0, 0], [0, 1e12, 1, 1]])
def test_an_impossible_vector_gives_way_to_the_frame_time(vector: list[float]) -> None:
    times_s, warnings = times(4, FrameTimeVector=vector, FrameTime=50)
    assert times_s == pytest.approx([0, 0.05, 0.1, 0.15])
    assert "FrameTimeVector" in warnings[0]


@pytest.mark.parametrize("frame_time", [0, -33, 1e9])
def test_an_impossible_frame_time_gives_way_to_the_rate(frame_time: float) -> None:
    times_s, warnings = times(3, FrameTime=frame_time, CineRate=20)
    assert times_s == pytest.approx([0, 0.05, 0.1])
    assert warnings == ["FrameTime is not possible and was left out."]
    times_s, _ = times(3, FrameTime=frame_time, RecommendedDisplayFrameRate=10)
    assert times_s == pytest.approx([0, 0.1, 0.2])


def test_without_any_time_base_a_rate_is_assumed_and_said() -> None:
    times_s, warnings = times(3)
    assert times_s == pytest.approx([0, 0.04, 0.08])
    assert "25 frames a second" in warnings[0]


def test_the_users_rate_replaces_every_other() -> None:
    times_s, warnings = times(3, SourceOptions(frame_rate_hz=10), FrameTime=1, FrameTimeVector=[0, 1, 1])
    assert times_s == pytest.approx([0, 0.1, 0.2])
    assert not warnings
    for rate_hz in (0.0, -5.0, float("nan"), 1e9):
        with pytest.raises(UsageError, match="frame rate"):
            times(3, SourceOptions(frame_rate_hz=rate_hz))


def test_frames_carry_time_scale_and_region(tmp_path: Path) -> None:
    dataset = ultrasound_dataset(speckle_clip(5), SequenceOfUltrasoundRegions=[region()])
    source = open_source(str(save(dataset, tmp_path / "probe_7.dcm")))
    frames = list(source.frames())
    assert [frame.index for frame in frames] == [0, 1, 2, 3, 4]
    assert [frame.time_s for frame in frames] == pytest.approx([0, 0.04, 0.08, 0.12, 0.16])
    assert {frame.source_id for frame in frames} == {"probe_7"}
    assert frames[3].spacing == source.info.spacing
    assert frames[3].scan_HW.shape == (64, 80)
    assert (source.info.kind, source.info.num_frames, source.info.frame_rate_hz) == ("dicom", 5, pytest.approx(25))


def test_the_heart_cine_of_pydicom() -> None:
    source = open_source(str(pydicom.examples.get_path("ybr_color")))
    frames = list(source.frames())
    assert len(frames) == source.info.num_frames == 30
    assert source.info.spacing == Spacing(0.510497056, 0.510497056, "dicom_region")
    assert source.info.region == ScanRegion(84, 31, 236, 209, "dicom_region")
    assert frames[-1].time_s == pytest.approx(29 * 0.033333)
    assert told(source.info, "exceeds the frame")


def test_the_palette_image_of_pydicom() -> None:
    source = open_source(str(pydicom.examples.get_path("palette_color")))
    assert source.info.region == ScanRegion(120, 60, 680, 290, "dicom_region")
    assert source.info.spacing == Spacing(0.262287877, 0.262287877, "dicom_region")


def test_the_phantom_screens(shared_data: Path) -> None:
    for path in sorted((shared_data / "dicom").glob("*.dcm")):
        source = open_source(str(path))
        assert source.info.spacing == Spacing(0.0291, 0.0291, "dicom_region")
        # The declared box is the whole screen: the scan on it is found from the content.
        box = source.info.region
        assert (box.x, box.x + box.width) == pytest.approx((372, 1711), abs=4)
        image_HW = next(source.frames()).image_HW
        assert np.median(image_HW[box.slices]) > 20


def test_retired_classes_and_captured_screens_are_ultrasound(tmp_path: Path) -> None:
    for sop_class in ("1.2.840.10008.5.1.4.1.1.6", "1.2.840.10008.5.1.4.1.1.3", "1.2.840.10008.5.1.4.1.1.7"):
        assert describe(tmp_path, SOPClassUID=sop_class).kind == "dicom"


@pytest.mark.parametrize(("is_implicit", "is_little"), [(True, True), (False, True), (False, False)])
def test_files_without_preamble_or_meta_information(tmp_path: Path, is_implicit: bool, is_little: bool) -> None:
    image = speckle(HEIGHT, WIDTH)
    dataset = ultrasound_dataset([image], SequenceOfUltrasoundRegions=[region()])
    del dataset.file_meta
    dataset["PixelData"].VR = "OW" if is_implicit else "OB"
    dataset.save_as(tmp_path / "old", implicit_vr=is_implicit, little_endian=is_little, enforce_file_format=False)
    source = open_source(str(tmp_path / "old"))
    np.testing.assert_array_equal(next(source.frames()).image_HW, image)
    assert source.info.spacing == Spacing(0.12, 0.1, "dicom_region")
