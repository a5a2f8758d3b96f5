"""What a folder of studies holds."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from pydicom.uid import generate_uid
from recordings import region, save, speckle, speckle_clip, ultrasound_dataset, write_video

from hipseg.errors import SourceError
from hipseg.io import Clip, list_clips, open_source


def names(folder: Path) -> list[str]:
    return [clip.name for clip in list_clips(str(folder))]


def write_series(folder: Path, num_images: int, series: str, **fields: object) -> None:
    """Images whose file names, instance numbers and grey levels run against each other."""
    folder.mkdir(exist_ok=True)
    for number in range(1, num_images + 1):
        image = speckle(72, 96, number)
        image[:4, :4] = number
        dataset = ultrasound_dataset([image], SeriesInstanceUID=series, InstanceNumber=number, **fields)
        dataset.AcquisitionTime = f"1015{10 + number}.500000"
        save(dataset, folder / f"im_{50 - number}_{series[-4:]}.dcm")


def test_anything_but_a_folder_is_one_clip(tmp_path: Path) -> None:
    assert list_clips("camera:2") == [Clip("camera_2", "camera:2")]
    assert list_clips(str(tmp_path / "missing.mp4")) == [Clip("missing", str(tmp_path / "missing.mp4"))]


def test_images_of_one_size_are_one_clip_and_of_several_sizes_many(tmp_path: Path) -> None:
    for index in range(3):
        cv2.imwrite(str(tmp_path / f"{index}.png"), speckle(64, 80, index))
    assert list_clips(str(tmp_path)) == [Clip(tmp_path.name, str(tmp_path))]
    cv2.imwrite(str(tmp_path / "3.jpg"), speckle(70, 80))
    assert names(tmp_path) == ["0", "1", "2", "3"]
    with pytest.raises(SourceError, match="holds 4 recordings"):
        open_source(str(tmp_path))


def test_a_mixed_folder_with_a_broken_file_goes_on(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", speckle_clip(3))
    save(ultrasound_dataset(speckle_clip(3)), tmp_path / "b.dcm")
    (tmp_path / "c.dcm").write_text("This is not a recording.")
    cv2.imwrite(str(tmp_path / "d.png"), speckle(64, 80))
    (tmp_path / "notes.txt").write_text("passed over")
    opened = {}
    for clip in list_clips(str(tmp_path)):
        try:
            opened[clip.name] = len(list(open_source(clip.spec).frames()))
        except SourceError as error:
            opened[clip.name] = str(error)
    assert [opened[name] for name in ("a", "b", "d")] == [3, 3, 1]
    assert "c.dcm" in opened["c"]


def test_a_series_is_one_clip_in_the_order_of_its_instances(tmp_path: Path) -> None:
    write_series(tmp_path / "study", 4, generate_uid(), SequenceOfUltrasoundRegions=[region()])
    assert list_clips(str(tmp_path / "study")) == [Clip("study", str(tmp_path / "study"))]
    source = open_source(str(tmp_path / "study"))
    frames = list(source.frames())
    assert [int(frame.image_HW[0, 0]) for frame in frames] == [1, 2, 3, 4]
    assert [frame.time_s for frame in frames] == pytest.approx([0, 1, 2, 3])
    info = source.info
    assert (info.kind, info.num_frames, info.frame_rate_hz) == ("dicom_series", 4, pytest.approx(1))
    assert info.spacing is not None
    assert info.spacing.row_mm == pytest.approx(0.12)


def test_several_series_are_a_clip_each(tmp_path: Path) -> None:
    write_series(tmp_path, 3, generate_uid())
    write_series(tmp_path, 2, generate_uid())
    save(ultrasound_dataset(speckle_clip(5)), tmp_path / "cine.dcm")
    clips = list_clips(str(tmp_path))
    assert sorted(clip.name for clip in clips) == ["cine", "series1", "series2"]
    lengths = {clip.name: len(list(open_source(clip.spec).frames())) for clip in clips}
    assert sorted(lengths.values()) == [2, 3, 5]


def test_images_of_another_scale_are_no_frames_of_the_same_clip(tmp_path: Path) -> None:
    series = generate_uid()
    for index, delta in enumerate((0.01, 0.01, 0.02)):
        item = region(PhysicalDeltaX=delta)
        dataset = ultrasound_dataset(
            [speckle(72, 96)], SeriesInstanceUID=series, InstanceNumber=index, SequenceOfUltrasoundRegions=[item]
        )
        save(dataset, tmp_path / f"{index}.dcm")
    assert sorted(names(tmp_path)) == ["2", "series1"]


def test_sub_folders_lend_their_names(tmp_path: Path) -> None:
    for folder, name in (("day 1", "left.mp4"), ("day 1", "right.mp4"), ("day 2/late", "left.mp4")):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        write_video(tmp_path / folder / name, speckle_clip(2))
    (tmp_path / "images").mkdir()
    for index in range(2):
        cv2.imwrite(str(tmp_path / "images" / f"{index}.png"), speckle(64, 80))
    (tmp_path / "images" / "back").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / ".hidden").mkdir()
    write_video(tmp_path / ".hidden" / "x.mp4", speckle_clip(2))
    assert names(tmp_path) == ["day_1_left", "day_1_right", "day_2_late_left", "images"]


def test_names_are_safe_and_unique(tmp_path: Path) -> None:
    for name in ("a b.mp4", "a?b.mp4", "A_B.mov", "x" * 200 + ".mp4", "..Ä\n.mp4"):
        write_video(tmp_path / "plain.mp4", speckle_clip(1))
        (tmp_path / "plain.mp4").rename(tmp_path / name.lstrip("."))
    found = names(tmp_path)
    assert len({name.casefold() for name in found}) == 5
    assert all(np.all([character not in name for character in "/\\?\n :"]) and len(name) < 80 for name in found)


def test_real_folders(shared_data: Path) -> None:
    assert len(list_clips(str(shared_data / "dicom"))) == 2
    assert len(list_clips(str(shared_data / "muscle"))) == 33
    (clip,) = list_clips(str(shared_data / "needle"))
    assert clip.name == "ph_1_3_1"
