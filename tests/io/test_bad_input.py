"""Broken, foreign and absurd input: one sentence, the right exit code, nothing on the terminal, no wasted memory."""

from __future__ import annotations

import os
import struct
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.uid import JPEGBaseline8Bit, RLELossless
from recordings import encapsulated, region, save, speckle, speckle_clip, ultrasound_dataset, write_video

from hipseg.errors import HipsegError, SourceError, UsageError
from hipseg.io import SourceOptions, list_clips, open_source

PYDICOMS_FILES = sorted(Path(pydicom.__file__).parent.glob("data/test_files/*.dcm"))
TEXT = b"Dear colleague, please find attached the recording of Tuesday. Kind regards. " * 20


def refusal(spec: Path | str, options: SourceOptions = SourceOptions()) -> HipsegError:
    """The error of a source that does not open: of one line, naming the file, and quiet."""
    with pytest.raises(HipsegError) as caught:
        open_source(str(spec), options)
    message = str(caught.value)
    assert "\n" not in message
    return caught.value


@pytest.fixture(autouse=True)
def _nothing_reaches_the_terminal(capfd: pytest.CaptureFixture[str]) -> object:
    yield
    output = capfd.readouterr()
    assert (output.out, output.err) == ("", "")


@pytest.mark.parametrize("suffix", [".dcm", ".mp4", ".mov", ".avi", ".mkv", ".png", ".jpg", ".bmp", ".tif", ".gif", ""])
def test_text_under_another_name(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"letter{suffix}"
    path.write_bytes(TEXT)
    error = refusal(path)
    assert isinstance(error, SourceError)
    assert error.exit_code == 3
    assert str(path) in str(error)


@pytest.mark.parametrize("suffix", [".dcm", ".mp4", ".png"])
def test_an_empty_file(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"nothing{suffix}").touch()
    assert "is empty" in str(refusal(tmp_path / f"nothing{suffix}"))


def test_a_missing_file(tmp_path: Path) -> None:
    assert "does not exist" in str(refusal(tmp_path / "gone.dcm"))


def test_a_named_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    assert "not a regular file" in str(refusal(tmp_path / "pipe.mp4"))


@pytest.mark.usefixtures("as_anybody")
def test_a_file_or_folder_without_permission(tmp_path: Path) -> None:
    path = save(ultrasound_dataset([speckle(64, 80)]), tmp_path / "locked.dcm")
    path.chmod(0)
    assert "may not be read" in str(refusal(path))
    (tmp_path / "locked").mkdir(mode=0)
    assert "may not be read" in str(refusal(tmp_path / "locked"))
    assert [clip.name for clip in list_clips(str(tmp_path))] == ["locked", "locked_2"]


def test_a_folder_without_recordings(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_bytes(TEXT)
    assert "holds no recording" in str(refusal(tmp_path))
    with pytest.raises(SourceError, match="holds no recording"):
        list_clips(str(tmp_path))


@pytest.mark.parametrize("name", ["Hüfte links 超音波.png", "two\nlines.png", "100%s{0}.png", "a:b.png"])
def test_unusual_names_are_only_names(tmp_path: Path, name: str) -> None:
    cv2.imwrite(str(tmp_path / "plain.png"), speckle(64, 80))
    (tmp_path / "plain.png").rename(tmp_path / name)
    assert next(open_source(str(tmp_path / name)).frames()).image_HW.shape == (64, 80)
    (tmp_path / name).write_bytes(TEXT)
    refusal(tmp_path / name)


def test_ct_is_not_ultrasound_unless_forced() -> None:
    path = get_testdata_file("CT_small.dcm", download=False)
    assert "not ultrasound (modality CT)" in str(refusal(path))
    source = open_source(path, SourceOptions(force=True))
    assert next(source.frames()).image_HW.shape == (128, 128)


@pytest.mark.parametrize("name", ["test-SR.dcm", "rtplan.dcm", "rtplan_truncated.dcm"])
def test_dicom_without_pixels(name: str) -> None:
    path = get_testdata_file(name, download=False)
    assert "holds no pixel data" in str(refusal(path, SourceOptions(force=True)))
    assert refusal(path).exit_code == 3


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"NumberOfFrames": 0}, "NumberOfFrames is 0"),
        ({"NumberOfFrames": -3}, "NumberOfFrames is -3"),
        ({"Rows": None}, "Rows is missing"),
        ({"Rows": 0}, "80 x 0"),
        ({"Rows": 1, "Columns": 1}, "1 x 1"),
        ({"SamplesPerPixel": 7}, "SamplesPerPixel is 7"),
        ({"BitsAllocated": 32}, "BitsAllocated is 32"),
        ({"BitsStored": 12}, "BitsStored is 12"),
        ({"PhotometricInterpretation": "HSV"}, "PhotometricInterpretation is HSV"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_header_that_cannot_be_true_names_its_field(tmp_path: Path, fields: dict, named: str) -> None:
    path = save(ultrasound_dataset([speckle(64, 80)], **fields), tmp_path / "odd.dcm")
    assert named in str(refusal(path))


def test_a_huge_header_with_little_data_allocates_nothing(tmp_path: Path) -> None:
    native = save(ultrasound_dataset([speckle(64, 80)], Rows=20000, Columns=20000), tmp_path / "native.dcm")
    packed = ultrasound_dataset([speckle(64, 80)], Rows=20000, Columns=20000)
    encapsulated(packed, JPEGBaseline8Bit, [cv2.imencode(".jpg", speckle(64, 80))[1].tobytes()])
    save(packed, tmp_path / "packed.dcm")
    _, png = cv2.imencode(".png", speckle(64, 80))
    header = struct.pack(">4sIIBBBBB", b"IHDR", 20000, 20000, 8, 0, 0, 0, 0)
    content = png.tobytes()
    patched = content[:12] + header + struct.pack(">I", zlib.crc32(header)) + content[33:]
    (tmp_path / "image.png").write_bytes(patched)
    (tmp_path / "image.bmp").write_bytes(b"BM" + struct.pack("<IIIIiiHH", 99, 0, 54, 40, 20000, 20000, 1, 24) + TEXT)
    tracemalloc.start()
    for name in (native.name, "packed.dcm", "image.png", "image.bmp"):
        assert "20000 x 20000" in str(refusal(tmp_path / name))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 30e6


def test_many_frames_claimed_and_few_there(tmp_path: Path) -> None:
    frames = speckle_clip(3)
    path = save(ultrasound_dataset(frames, NumberOfFrames=2_000_000_000), tmp_path / "claim.dcm")
    source = open_source(str(path))
    delivered = source.frames()
    for expected in frames:
        np.testing.assert_array_equal(next(delivered).image_HW, expected)
    with pytest.raises(SourceError, match="3 of 2000000000 frames are there"):
        next(delivered)


def delivered_before_break(path: Path) -> tuple[int, SourceError]:
    source, count = open_source(str(path)), 0
    with pytest.raises(SourceError) as caught:
        for count, _ in enumerate(source.frames(), start=1):  # noqa: B007
            pass
    source.close()
    return count, caught.value


def truncated_dicom(path: Path, syntax: str | None) -> None:
    dataset = ultrasound_dataset(speckle_clip(10))
    if syntax == JPEGBaseline8Bit:
        encapsulated(dataset, syntax, [cv2.imencode(".jpg", frame)[1].tobytes() for frame in speckle_clip(10)])
    elif syntax:
        dataset.compress(syntax, generate_instance_uid=False)
    save(dataset, path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * 0.55)])


@pytest.mark.parametrize("syntax", [None, RLELossless, JPEGBaseline8Bit], ids=["native", "rle", "jpeg"])
def test_a_truncated_dicom_clip_delivers_its_whole_frames(tmp_path: Path, syntax: str | None) -> None:
    truncated_dicom(tmp_path / "cut.dcm", syntax)
    count, error = delivered_before_break(tmp_path / "cut.dcm")
    assert 4 <= count <= 6
    assert f"is cut short: {count} of 10 frames are there" in str(error)


@pytest.mark.parametrize(("name", "options"), [("cut.mp4", {}), ("cut.avi", {"format_": "avi"})])
def test_a_truncated_video(tmp_path: Path, name: str, options: dict) -> None:
    frames = speckle_clip(30)
    write_video(tmp_path / name, frames, **options)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: int(len(content) * 0.5)])
    if name.endswith(".mp4"):  # its index stands at the end
        assert "cannot be opened as a video" in str(refusal(tmp_path / name))
    else:
        count, _ = delivered_before_break(tmp_path / name)
        assert 10 <= count <= 20


def test_a_video_damaged_in_the_middle_delivers_what_is_before(tmp_path: Path) -> None:
    write_video(tmp_path / "hurt.mp4", speckle_clip(30), bf="0")
    content = bytearray((tmp_path / "hurt.mp4").read_bytes())
    middle = len(content) // 2
    content[middle : middle + 4000] = bytes(4000)
    (tmp_path / "hurt.mp4").write_bytes(content)
    count, _ = delivered_before_break(tmp_path / "hurt.mp4")
    assert 8 <= count <= 20


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".tif"])
@pytest.mark.parametrize("share", [0.02, 0.6])
def test_a_truncated_image(tmp_path: Path, suffix: str, share: float) -> None:
    path = tmp_path / f"cut{suffix}"
    cv2.imwrite(str(path), speckle(64, 80))
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    assert "cut short" in str(refusal(path))


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".tif"])
def test_an_image_of_one_pixel_is_refused(tmp_path: Path, suffix: str) -> None:
    cv2.imwrite(str(tmp_path / f"dot{suffix}"), np.full((1, 1), 99, np.uint8))
    assert "1 x 1 pixels" in str(refusal(tmp_path / f"dot{suffix}"))


def test_random_damage_never_escapes_as_another_fault(tmp_path: Path) -> None:
    """A byte of a header or of pixel data turns over: the file opens, or is refused as a source."""
    rng = np.random.default_rng(7)
    makers: dict[str, Callable[[Path], object]] = {
        "a.dcm": lambda path: save(
            ultrasound_dataset(speckle_clip(2), SequenceOfUltrasoundRegions=[region()]), path
        ),
        "b.dcm": lambda path: save(encapsulated(
            ultrasound_dataset(speckle_clip(2)), JPEGBaseline8Bit,
            [cv2.imencode(".jpg", frame)[1].tobytes() for frame in speckle_clip(2)]), path),
        "c.mp4": lambda path: write_video(path, speckle_clip(4)),
        "d.png": lambda path: cv2.imwrite(str(path), speckle(64, 80)),
        "e.tif": lambda path: cv2.imwrite(str(path), speckle(64, 80)),
    }  # fmt: skip
    for name, make in makers.items():
        make(tmp_path / name)
        whole = (tmp_path / name).read_bytes()
        for _ in range(40):
            hurt = bytearray(whole)
            for position in rng.integers(0, min(len(hurt), 3000), size=3):
                hurt[position] = int(rng.integers(256))
            (tmp_path / name).write_bytes(hurt)
            try:
                source = open_source(str(tmp_path / name))
                for _ in source.frames():
                    pass
                source.close()
            except SourceError:
                continue


@pytest.mark.parametrize("path", PYDICOMS_FILES, ids=lambda path: path.name)
def test_every_file_of_pydicom_is_read_or_refused(path: Path) -> None:
    try:
        source = open_source(str(path), SourceOptions(force=True))
    except SourceError:
        return
    assert sum(1 for _ in source.frames()) == source.info.num_frames
    source.close()


@pytest.mark.parametrize("spec", ["x" * 5000, "null\0byte.png", "/dev/null/below.dcm"])
def test_impossible_paths(spec: str) -> None:
    assert refusal(spec).exit_code == 3


@pytest.mark.parametrize(
    "spec", [
        "", "camera:x", "camera:", "camera:-1", "igtl:there", "igtl://", "igtl://host:port", "igtl://host:0",
        "igtl://host:99999", "http://", "rtsp:///path", "http://[::1", "http://host:port/", "replay:", "replay: ",
    ],
)  # fmt: skip
def test_a_malformed_address_is_bad_usage(spec: str) -> None:
    assert isinstance(refusal(spec), UsageError)


def test_an_absent_camera() -> None:
    assert "no such camera" in str(refusal("camera:97"))


def test_nothing_of_the_patient_is_told(tmp_path: Path) -> None:
    dataset = ultrasound_dataset(
        speckle_clip(2),
        SequenceOfUltrasoundRegions=[region(PhysicalDeltaX=float("nan"))],
        FrameTime=1e9,
        WindowWidth=0,
        WindowCenter=3,
    )
    source = open_source(str(save(dataset, tmp_path / "clip.dcm")))
    list(source.frames())
    told = " ".join([*source.info.warnings, source.info.source_id])
    assert "Secret" not in told
    assert "PATIENT-4711" not in told
    assert str(tmp_path) not in told
    assert pydicom.dcmread(tmp_path / "clip.dcm").PatientID == "PATIENT-4711"
