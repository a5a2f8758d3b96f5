"""`hipseg data deidentify`: nothing of a person is left in header, pixels or log, and the scan stays as it was."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import av
import cv2
import numpy as np
import pydicom
import pytest
from hip_scenes import hip_scene
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, RLELossless, generate_uid

from hipseg.cli.main import execute
from hipseg.data.deidentify.lettering import find_lettering
from hipseg.frame import ScanRegion
from hipseg.io import SourceOptions, open_source

SECRETS = ("MUSTERMANN", "Erika", "19640812", "4711-0815", "St. Vincent", "Dr. Kildare", "ACC12345")


def screen(seed: int = 0, *, inside: str = "", colour: bool = False) -> np.ndarray:
    """A scanner's screen: a banner with a name, the scan below it, perhaps a name in the scan."""
    image_HW = np.zeros((420, 560), np.uint8)
    image_HW[90:330, 120:440] = np.maximum(hip_scene(seed)[0], 3)
    cv2.putText(image_HW, "MUSTERMANN ERIKA 12.08.1964", (20, 40), 0, 0.6, 220, 1, cv2.LINE_AA)
    if inside:
        cv2.putText(image_HW, inside, (180, 130), 0, 0.6, 255, 1, cv2.LINE_AA)
    return np.stack([image_HW] * 3, axis=-1) if colour else image_HW


def named_dicom(path: Path, frames: np.ndarray, *, region: bool = True) -> Path:
    """A multi-frame ultrasound recording that names a person wherever it can."""
    header = Dataset()
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    header.file_meta.SourceApplicationEntityTitle = "VINCENT_US1"
    header.SOPClassUID, header.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.3.1", generate_uid()
    header.StudyInstanceUID, header.SeriesInstanceUID = generate_uid(), generate_uid()
    header.Modality, header.ImageType = "US", ["ORIGINAL", "PRIMARY"]
    header.PatientName, header.PatientID, header.PatientBirthDate = "MUSTERMANN^Erika", "4711-0815", "19640812"
    header.InstitutionName, header.ReferringPhysicianName = "St. Vincent", "Dr. Kildare"
    header.AccessionNumber, header.StudyDate, header.StudyDescription = "ACC12345", "20240229", "hip of MUSTERMANN"
    header.add_new(0x00090010, "LO", "PRIVATE MAKER")
    header.add_new(0x00091001, "LO", "MUSTERMANN")
    nested = Dataset()
    nested.ReferencedSOPInstanceUID, nested.PatientName = generate_uid(), "MUSTERMANN^Erika"
    header.SourceImageSequence = [nested]
    header.FrameTime = "50"
    if region:
        box = Dataset()
        box.RegionSpatialFormat, box.RegionDataType, box.RegionFlags = 1, 1, 0
        box.RegionLocationMinX0, box.RegionLocationMinY0 = 120, 90
        box.RegionLocationMaxX1, box.RegionLocationMaxY1 = 439, 329
        box.PhysicalUnitsXDirection = box.PhysicalUnitsYDirection = 3
        box.PhysicalDeltaX = box.PhysicalDeltaY = 0.02
        header.SequenceOfUltrasoundRegions = [box]
    header.NumberOfFrames, header.Rows, header.Columns = len(frames), frames.shape[1], frames.shape[2]
    header.SamplesPerPixel = 3 if frames.ndim == 4 else 1
    header.PhotometricInterpretation = "RGB" if frames.ndim == 4 else "MONOCHROME2"
    if frames.ndim == 4:
        header.PlanarConfiguration = 0
    header.BitsAllocated = header.BitsStored = 8
    header.HighBit, header.PixelRepresentation = 7, 0
    header.PixelData = frames.tobytes()
    header.save_as(path, enforce_file_format=True)
    return path


def assert_no_secret(folder: Path) -> None:
    for file in folder.iterdir():
        content = file.read_bytes()
        for secret in SECRETS:
            assert secret.encode() not in content, (file.name, secret)


@pytest.mark.parametrize("colour", [False, True], ids=["grey", "colour"])
def test_a_recording_keeps_its_scan_and_loses_its_person(tmp_path: Path, colour: bool) -> None:
    frames = np.stack([screen(0, colour=colour)] * 3)
    frames[1, 200:210, 200:210] = 99
    source = named_dicom(tmp_path / "MUSTERMANN_hip.dcm", frames)
    assert execute(["data", "deidentify", str(source), "--out", str(tmp_path / "out")]) == 0
    clean = pydicom.dcmread(tmp_path / "out" / "recording_0001.dcm")
    assert clean.file_meta.TransferSyntaxUID == RLELossless
    assert clean.PatientIdentityRemoved == "YES"
    assert clean.SequenceOfUltrasoundRegions[0].PhysicalDeltaX == 0.02
    assert float(clean.FrameTime) == 50
    pixels = clean.pixel_array
    assert pixels.shape == frames.shape
    left, right = (np.s_[:, 92:328, 122:438],) * 2
    np.testing.assert_array_equal(pixels[left], frames[right])
    outside = np.ones(pixels.shape[1:3], bool)
    outside[90:330, 120:440] = False
    assert not pixels[:, outside].any()
    assert_no_secret(tmp_path / "out")
    log = json.loads((tmp_path / "out" / "deidentification.json").read_text())
    assert log["recordings"][0]["elements_removed"]["PatientName"] == 2
    assert log["recordings"][0]["elements_removed"]["private"] == 2


def test_recordings_of_one_patient_share_a_pseudonym_and_are_read_by_hipseg(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for number in range(2):
        named_dicom(tmp_path / "in" / f"{number}.dcm", screen(number)[None])
    assert execute(["data", "deidentify", str(tmp_path / "in"), "--out", str(tmp_path / "out")]) == 0
    files = sorted((tmp_path / "out").glob("*.dcm"))
    headers = [pydicom.dcmread(file) for file in files]
    assert headers[0].PatientID == headers[1].PatientID
    assert headers[0].SOPInstanceUID != headers[1].SOPInstanceUID
    assert headers[0].StudyInstanceUID
    with closing(open_source(str(files[0]), SourceOptions())) as source:
        assert source.info.spacing is not None
        assert source.info.spacing.row_mm == pytest.approx(0.2)


def test_a_name_written_into_the_scan_is_blanked(tmp_path: Path) -> None:
    source = named_dicom(tmp_path / "a.dcm", screen(inside="MUSTERMANN 1964")[None])
    assert execute(["data", "deidentify", str(source), "--out", str(tmp_path / "out")]) == 0
    pixels = pydicom.dcmread(tmp_path / "out" / "recording_0001.dcm").pixel_array
    assert not pixels[118:131, 182:330].any()
    assert pixels[200:320, 130:430].any()
    assert not find_lettering(pixels, ScanRegion(120, 90, 320, 240, "user")).rows


def test_letters_that_reach_over_the_border_of_the_scan_are_blanked(tmp_path: Path) -> None:
    image_HW = screen()
    cv2.putText(image_HW, "Name: MUSTERMANN", (434, 130), 0, 0.4, 230, 1, cv2.LINE_AA)
    source = named_dicom(tmp_path / "a.dcm", image_HW[None])
    assert execute(["data", "deidentify", str(source), "--out", str(tmp_path / "out")]) == 0
    pixels = pydicom.dcmread(tmp_path / "out" / "recording_0001.dcm").pixel_array
    assert pixels[118:133, 434:].max() == 0
    assert pixels[200:320, 130:430].any()


def test_two_initials_on_bright_tissue_are_not_let_through() -> None:
    image_HW = np.random.default_rng(0).integers(60, 110, (300, 400)).astype(np.uint8)
    image_HW = cv2.GaussianBlur(image_HW, (7, 5), 0)
    assert not find_lettering(image_HW, ScanRegion(0, 0, 400, 300, "user")).rows
    cv2.putText(image_HW, "EM", (150, 120), 0, 0.6, 220, 1, cv2.LINE_AA)
    (row, *_) = find_lettering(image_HW, ScanRegion(0, 0, 400, 300, "user")).rows
    assert row.x <= 150
    assert row.y <= 106
    assert row.x + row.width >= 180
    assert row.y + row.height >= 120


@pytest.mark.parametrize("recording", [0, 1])
def test_real_screens_lose_the_letters_at_the_scans_edge(tmp_path: Path, shared_data: Path, recording: int) -> None:
    source = sorted((shared_data / "dicom").glob("*.dcm"))[recording]
    assert execute(["data", "deidentify", str(source), "--out", str(tmp_path / "out")]) == 0
    pixels = pydicom.dcmread(tmp_path / "out" / "recording_0001.dcm").pixel_array
    assert pixels[66:205, 1703:].max() < 40  # "ID", "Name" and "Gender" begin here, upon the scan's last columns
    assert pixels[300:1400, 400:1700].mean() > 20


def test_pictures_and_videos_lose_banner_and_metadata(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    cv2.imwrite(str(tmp_path / "in" / "MUSTERMANN.png"), screen())
    with (tmp_path / "in" / "MUSTERMANN.png").open("ab") as file:
        file.write(b"Erika")
    with av.open(str(tmp_path / "in" / "clip.mp4"), "w") as video:
        video.metadata["title"] = "MUSTERMANN"
        stream = video.add_stream("libx264", rate=20)
        stream.height, stream.width, stream.pix_fmt = 420, 560, "yuv420p"
        for _ in range(4):
            video.mux(stream.encode(av.VideoFrame.from_ndarray(screen(colour=True), format="rgb24")))
        video.mux(stream.encode())
    assert execute(["data", "deidentify", str(tmp_path / "in"), "--out", str(tmp_path / "out")]) == 0
    picture = cv2.imread(str(tmp_path / "out" / "recording_0001.png"), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(picture[92:328, 122:438], screen()[92:328, 122:438])
    assert not picture[:80].any()
    assert_no_secret(tmp_path / "out")
    with closing(open_source(str(tmp_path / "out" / "recording_0002.mkv"), SourceOptions())) as source:
        frames = [frame.image_HW for frame in source.frames()]
    assert len(frames) == 4
    assert frames[0][:80].max() < 8
    assert np.abs(frames[0][92:328, 122:438].astype(int) - screen()[92:328, 122:438]).mean() < 4


def no_scan(path: Path) -> Path:
    cv2.imwrite(str(path.with_suffix(".png")), np.zeros((300, 400), np.uint8))
    return path.with_suffix(".png")


def broken(path: Path) -> Path:
    path.write_bytes(named_dicom(path, screen()[None]).read_bytes()[:-90_000])
    return path


def name_in_an_unknown_place(path: Path) -> Path:
    named_dicom(path, screen()[None])
    header = pydicom.dcmread(path)
    header.TransducerType = "MUSTERMANN"
    header.save_as(path)
    return path


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (no_scan, "not sure where the scan is"),
        (broken, "cut short"),
        (name_in_an_unknown_place, "TransducerType still holds"),
    ],
)
def test_what_is_not_sure_is_refused_and_nothing_written(
    tmp_path: Path, make: object, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    source = make(tmp_path / "x.dcm")  # type: ignore[operator]
    assert execute(["data", "deidentify", str(source), "--out", str(tmp_path / "out")]) == 3
    shown = capsys.readouterr()
    assert reason in shown.err
    assert "Traceback" not in shown.err
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["deidentification.json"]
    assert_no_secret(tmp_path / "out")


def test_the_user_may_say_where_the_scan_is(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), screen())
    arguments = ["data", "deidentify", str(tmp_path / "a.png"), "--out", str(tmp_path / "out")]
    assert execute([*arguments, "--region", "200,150,100,80"]) == 0
    picture = cv2.imread(str(tmp_path / "out" / "recording_0001.png"), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(picture[150:230, 200:300], screen()[150:230, 200:300])
    assert np.count_nonzero(picture) == np.count_nonzero(picture[150:230, 200:300])


@pytest.mark.parametrize(
    ("arguments", "exit_code", "message"),
    [
        (["nowhere"], 3, "nowhere"),
        (["empty"], 3, "holds no recordings"),
        (["a.png", "--region", "1,2"], 2, "is not a region"),
    ],
)
def test_bad_use_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], exit_code: int, message: str
) -> None:
    (tmp_path / "empty").mkdir()
    cv2.imwrite(str(tmp_path / "a.png"), screen())
    first, *rest = arguments
    code = execute(["data", "deidentify", str(tmp_path / first), "--out", str(tmp_path / "out"), *rest])
    assert code == exit_code
    shown = capsys.readouterr().err
    assert message in shown
    assert "Traceback" not in shown


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), screen())
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old.png").write_bytes(b"x")
    assert execute(["data", "deidentify", str(tmp_path / "a.png"), "--out", str(tmp_path / "out")]) == 2
