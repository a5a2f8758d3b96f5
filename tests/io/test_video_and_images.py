"""Video files, image files and folders of them as sources of frames."""

from __future__ import annotations

import itertools
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from recordings import save, speckle, speckle_clip, ultrasound_dataset, write_video

from hipseg.errors import SourceError
from hipseg.io import SourceOptions, open_source
from hipseg.io.doppler import decoded
from hipseg.io.video_picture import picture_of


@pytest.mark.parametrize(
    ("name", "format_"), [("clip.mp4", "mp4"), ("clip.mov", "mov"), ("clip.avi", "avi"), ("clip.mkv", "matroska")]
)
def test_video_containers(tmp_path: Path, name: str, format_: str) -> None:
    frames = speckle_clip(12)
    write_video(tmp_path / name, frames, rate_hz=20, format_=format_)
    source = open_source(str(tmp_path / name))
    assert (source.info.kind, source.info.source_id, source.info.spacing) == ("video", "clip", None)
    assert source.info.frame_rate_hz == pytest.approx(20)
    delivered = list(source.frames())
    assert len(delivered) == 12
    assert [frame.time_s for frame in delivered] == pytest.approx([index / 20 for index in range(12)], abs=1e-3)
    images = np.stack([frame.image_HW for frame in delivered]).astype(int)
    assert np.abs(images - np.stack(frames)).mean() < 3
    source.close()
    source.close()


@pytest.mark.parametrize("format_", ["yuv420p", "yuvj420p", "yuv422p", "yuvj444p"])
@pytest.mark.parametrize("size", [(640, 480), (641, 479), (34, 18)], ids=str)
def test_grey_levels_of_a_coded_picture_are_those_of_its_rgb(format_: str, size: tuple[int, int]) -> None:
    """FFmpeg rounds otherwise where a size is odd: by one level."""
    frame, rng = av.VideoFrame(*size, format_), np.random.default_rng(4)
    for index, plane in enumerate(frame.planes):
        shape = (plane.height, plane.line_size)
        plane.update((np.full(shape, 128) if index else rng.integers(0, 256, shape)).astype(np.uint8).tobytes())
    grey = picture_of(frame).image_HW
    expected = decoded(frame.to_ndarray(format="rgb24")).image_HW
    assert grey.shape == expected.shape
    assert np.abs(grey.astype(int) - expected).max() <= size[0] % 2


@pytest.mark.parametrize(("red", "is_flow"), [(240, True), (129, False)])
def test_colour_in_a_coded_picture_is_seen(red: int, is_flow: bool) -> None:
    frame = av.VideoFrame(64, 48, "yuv420p")
    for plane, value, painted in zip(frame.planes, (90, 128, 128), (90, 128, red), strict=True):
        values_HW = np.full((plane.height, plane.line_size), value, np.uint8)
        values_HW[4:12, 4:12] = painted
        plane.update(values_HW.tobytes())
    assert (picture_of(frame).flow is not None) is is_flow


def test_the_content_counts_and_not_the_name(tmp_path: Path) -> None:
    write_video(tmp_path / "clip.dcm", speckle_clip(3))
    assert open_source(str(tmp_path / "clip.dcm")).info.kind == "video"
    save(ultrasound_dataset([speckle(64, 80)]), tmp_path / "image.png")
    assert open_source(str(tmp_path / "image.png")).info.kind == "dicom"


def test_the_users_rate_replaces_the_files_times(tmp_path: Path) -> None:
    write_video(tmp_path / "clip.mp4", speckle_clip(4), rate_hz=25)
    source = open_source(str(tmp_path / "clip.mp4"), SourceOptions(frame_rate_hz=10))
    assert [frame.time_s for frame in source.frames()] == pytest.approx([0, 0.1, 0.2, 0.3])


def test_the_needle_clip(shared_data: Path) -> None:
    source = open_source(str(shared_data / "needle" / "ph_1_3_1.mp4"))
    assert (source.info.height, source.info.width, source.info.num_frames) == (860, 1080, 448)
    frames = list(itertools.islice(source.frames(), 40))
    assert np.diff([frame.time_s for frame in frames]) == pytest.approx(np.full(39, 1 / 60), abs=1e-3)
    assert source.info.region.width > 1000
    source.close()


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif"])
@pytest.mark.parametrize("is_colour", [False, True])
def test_lossless_images(tmp_path: Path, suffix: str, is_colour: bool) -> None:
    image = speckle(65, 83)
    picture = np.repeat(image[..., None], 3, axis=2) if is_colour else image
    cv2.imwrite(str(tmp_path / f"knee{suffix}"), picture)
    source = open_source(str(tmp_path / f"knee{suffix}"))
    (frame,) = source.frames()
    np.testing.assert_array_equal(frame.image_HW, image)
    info = source.info
    assert (info.kind, info.num_frames, info.frame_rate_hz, frame.time_s) == ("image", 1, None, 0.0)


def test_jpeg_and_colour_order(tmp_path: Path) -> None:
    image = speckle(64, 80)
    cv2.imwrite(str(tmp_path / "a.jpg"), image, [cv2.IMWRITE_JPEG_QUALITY, 98])
    decoded = next(open_source(str(tmp_path / "a.jpg")).frames()).image_HW
    assert np.abs(decoded.astype(int) - image).max() < 6
    for suffix in (".png", ".tif", ".bmp"):
        sepia = np.full((64, 80, 3), (140, 190, 220), np.uint8)  # blue, green, red
        cv2.imwrite(str(tmp_path / f"b{suffix}"), sepia)
        grey = next(open_source(str(tmp_path / f"b{suffix}")).frames()).image_HW
        assert grey[0, 0] == pytest.approx(0.299 * 220 + 0.587 * 190 + 0.114 * 140, abs=1)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bits_are_shown_as_eight_with_a_warning(tmp_path: Path, suffix: str) -> None:
    deep = speckle(64, 80).astype(np.uint16) * 16
    cv2.imwrite(str(tmp_path / f"deep{suffix}"), deep)
    source = open_source(str(tmp_path / f"deep{suffix}"))
    np.testing.assert_allclose(next(source.frames()).image_HW, deep / 4095 * 255, atol=0.51)
    assert source.info.warnings == ["Grey levels of 16 bits: 0 to 4095 are shown as 8 bits."]


@pytest.mark.parametrize("name", ["moving.png", "pages.tif"])
def test_of_several_pictures_in_a_file_the_first_is_used_with_a_warning(tmp_path: Path, name: str) -> None:
    frames = speckle_clip(3)
    if name.endswith(".tif"):
        cv2.imwritemulti(str(tmp_path / name), frames)
    else:
        animation = cv2.Animation()
        animation.frames = [np.repeat(frame[..., None], 3, axis=2) for frame in frames]
        animation.durations = [40, 40, 40]
        assert cv2.imwriteanimation(str(tmp_path / name), animation)
    source = open_source(str(tmp_path / name))
    (frame,) = source.frames()
    np.testing.assert_array_equal(frame.image_HW, frames[0])
    assert "only its first one" in source.info.warnings[0]


def test_an_animated_gif_is_a_clip(tmp_path: Path) -> None:
    animation = cv2.Animation()
    animation.frames = [np.repeat(frame[..., None], 3, axis=2) for frame in speckle_clip(3)]
    animation.durations = [40, 40, 40]
    assert cv2.imwriteanimation(str(tmp_path / "moving.gif"), animation)
    assert len(list(open_source(str(tmp_path / "moving.gif")).frames())) == 3


def test_a_folder_of_images_is_a_clip_in_natural_order(tmp_path: Path) -> None:
    frames = speckle_clip(12)
    for index, frame in enumerate(frames):
        cv2.imwrite(str(tmp_path / f"frame_{index}.png"), frame)
    (tmp_path / "notes.txt").write_text("recorded on Tuesday")
    source = open_source(str(tmp_path), SourceOptions(frame_rate_hz=50))
    delivered = list(source.frames())
    np.testing.assert_array_equal([frame.image_HW for frame in delivered], frames)
    assert delivered[-1].time_s == pytest.approx(11 / 50)
    assert (source.info.kind, source.info.num_frames) == ("image_folder", 12)
    assert source.info.source_id == tmp_path.name
    assert not source.info.warnings
    assumed = open_source(str(tmp_path))
    assert "25 frames a second" in assumed.info.warnings[0]


def test_a_broken_image_in_a_sequence_comes_up_in_its_turn(tmp_path: Path) -> None:
    for index, frame in enumerate(speckle_clip(12)):
        cv2.imwrite(str(tmp_path / f"{index}.png"), frame)
    content = (tmp_path / "10.png").read_bytes()
    (tmp_path / "10.png").write_bytes(content[:2000])
    delivered = open_source(str(tmp_path)).frames()
    assert len(list(itertools.islice(delivered, 10))) == 10
    with pytest.raises(SourceError, match=r"10\.png"):
        next(delivered)
